#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What keeps an installed prefix healthy, with the real Slurm: damage is seen and mended, what is in use is not removed,
# what is not in use goes. One case a call: prefix.sh health|versions
case_name=$1
test_name=e2e.prefix.$case_name
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"
. "$(dirname "$0")/nginx.sh"
is_root || not_run 'starting the daemons in a network namespace of their own needs root'
version='' key=''
# shellcheck source=/dev/null
. "$facts"
PATH=$PATH:/usr/sbin
prefix=$work/installed
client() { env SLURM_FACTORY_CACHE_DIR="$work/client" "$program" "$@"; }
generations() { client --json list --prefix "$prefix" | jq -r 'select(.event == "generation") | .number' | tr '\n' ' '; }
trust_the_signer() {
    mkdir "$work/client"
    sf key export "$key" --output "$work/public.asc"
    expect 0 client key import "$work/public.asc"
    expect 0 client key trust "$key"
}
# publish: $version of the real build to $cache, from $own, a state folder in which nothing needs to be built.
cache=$work/cache
own=$work/state
publish() {
    if [ ! -e "$own" ]; then
        mkdir "$own"
        for folder in roots sources store packages keys; do ln -s "$state/$folder" "$own/$folder"; done
    fi
    expect 0 env SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
        $vulnerable --signing-key "$key" --publish all --publish-to "$cache" --allow-older --publish-vulnerable
}
install_from() { client install "slurm@$version" --toolchain "$toolchain" --cache "$@"; }
nearby() {  # through nginx, which has a network of its own
    nginx_near SLURM_FACTORY_CACHE_DIR="$work/client" \
        "$program" install "slurm@$version" --toolchain "$toolchain" --cache http://127.0.0.1:8080 --prefix "$prefix"
}
well() { expect 0 client verify --deep --prefix "$prefix"; }
# What a disk does: the same size, other bytes.
spoil() { change_bit "$1" 1000; }
job_runs() { in_cluster squeue -h -t R -o %i | grep -q .; }
start_a_job() {
    cluster_start "$1" "$2"
    in_cluster sbatch --output=/dev/null --chdir=/ --wrap 'sleep 300' >"$work/out"
    wait_for 30 'the job to run' job_runs
    job=$(in_cluster squeue -h -t R -o %i)
}
# What a job runs in outlives the daemons.
end_the_job() {
    in_cluster scancel "$job"
    wait_for 30 'the job to end' no_job
    cluster_stop
}
no_job() { [ -z "$(in_cluster squeue -h -o %i)" ]; }
job_lives() { [ "$(in_cluster squeue -h -t R -o %i)" = "$job" ] || fail "the job did not live through $1"; }

# From a cache: no more is asked than must be; a lock file outlives the cache's snapshot; then damage of every kind.
case_health() {
    publish
    trust_the_signer

    say '== what would be fetched, and nothing more'
    expect 0 install_from "$cache" --prefix "$prefix" --dry-run --write-lock "$work/slurm.lock"
    expect_said '[0-9]+ of [0-9]+ packages, [0-9.]+ MiB in all, would be fetched'
    [ ! -e "$prefix" ] || fail 'a dry run makes the prefix'
    expect 1 client install "slurm@$version" --toolchain "$toolchain" --cache http://127.0.0.1:9 --prefix "$prefix" --offline
    expect_said 'offline: that cache is on the network'
    # In a network of its own there is none.
    expect 0 unshare --net env SLURM_FACTORY_CACHE_DIR="$work/client" "$program" install "slurm@$version" \
        --toolchain "$toolchain" --cache "$cache" --prefix "$prefix" --offline
    well
    expect_said 'is what was installed: 1 generations'

    say '== exactly the same, when the cache has no snapshot any more'
    mkdir "$work/other"
    cp -a "$work/client/keys" "$work/other/keys"
    mv "$cache/$toolchain/slurm/${version%.*}/_sf" "$work/gone"
    expect 1 env SLURM_FACTORY_CACHE_DIR="$work/other" "$program" install "slurm@$version" --toolchain "$toolchain" \
        --cache "$cache" --prefix "$work/frozen"
    expect 0 env SLURM_FACTORY_CACHE_DIR="$work/other" "$program" install --frozen "$work/slurm.lock" \
        --cache "$cache" --prefix "$work/frozen"
    (cd "$work/frozen/store" && find . -type f -exec sha256sum {} +) | sort >"$work/list"
    (cd "$prefix/store" && find . -type f -exec sha256sum {} +) | sort | diff "$work/list" - || fail 'a lock file brings others'
    rm -rf "$work/frozen"
    mv "$work/gone" "$cache/$toolchain/slurm/${version%.*}/_sf"

    say '== nothing to do: one question'
    nginx_start "$cache"
    show_logs_of "$work/nginx"
    rm -rf "$work/client/caches"
    expect 0 nearby
    before=$(wc -l <"$work/nginx/access.log")
    say "the first time $before requests"
    expect 0 nearby
    expect_said 'already'
    tail -n +$((before + 1)) "$work/nginx/access.log" >"$work/asked"
    if [ "$(wc -l <"$work/asked")" != 1 ] || ! grep -q 'GET /.*/_sf/snapshot.json HTTP/1.1" 304 ' "$work/asked"; then
        fail "the second time it asks: $(cat "$work/asked")"
    fi
    say "the second time one: $(cut -d '"' -f 2,3 "$work/asked")"
    end_pid "$nginx"

    say '== damage'
    slurm=$(basename "$(dirname "$(dirname "$(readlink -f "$prefix/view/bin/sinfo")")")")
    spoil "$prefix/store/$slurm/bin/sinfo"
    expect 0 client verify --prefix "$prefix"
    expect 1 client verify --deep --prefix "$prefix"
    expect_said "^store/$slurm/bin/sinfo: has SHA-256 " 'fsck --set-aside'
    rm "$prefix/view" "$prefix/views/$version/bin/srun" "$prefix/data/slurm_assets/slurm_install.sh"
    chmod 777 "$prefix/store/$slurm/lib"
    expect 1 client --json verify --prefix "$prefix"
    [ "$(jq -r 'select(.event == "defect") | .path' "$work/out" | sort | tr '\n' ' ')" = \
        "data/slurm_assets/slurm_install.sh store/$slurm/lib view views/$version/bin/srun " ] || fail "defects: $(cat "$work/out")"
    mkdir "$prefix/.sf-stage/new-killed"
    expect 1 client fsck --prefix "$prefix"
    expect_said 'mended: .sf-stage/new-killed' "mended: version $version" "^store/$slurm/lib: has mode 777"
    [ -x "$prefix/view/bin/srun" ] || fail 'the view is not mended'
    expect 1 client fsck --set-aside --prefix "$prefix"
    expect_said "set aside: store/$slurm -> .sf-damaged/"
    expect 0 install_from "$cache" --prefix "$prefix"
    expect_said '1 packages installed'
    well
    [ "$(generations)" = '1 ' ] || fail "generations: $(generations)"

    say '== another build of the version, and the way back'
    expect 0 env SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
        $vulnerable --signing-key "$key" --enable-hierarchy
    expect 0 client bundle install "$own/builds/slurm-${version%.*}-$toolchain-software.tar.gz" --prefix "$prefix"
    [ "$(generations)" = '1 2 ' ] || fail "generations: $(generations)"
    well
    [ -e "$prefix/lmod/Core" ] || fail 'no hierarchy of modules'
    expect 0 client rollback --prefix "$prefix"
    well
    expect 0 client gc --keep-days 0 --prefix "$prefix"
    expect_said 'removed generation 2'
    well

    say '== what runs is not taken away'
    start_a_job "$prefix/view" "$work/one"
    expect 1 client uninstall "$version" --prefix "$prefix"
    expect_said 'it is current' 'rollback'
    expect 1 client uninstall --all --prefix "$prefix"
    expect_said 'is used by .*(slurmd|slurmctld|munged)'
    job_lives 'a refused uninstall'
    well
    end_the_job
    expect 0 client uninstall --all --prefix "$prefix" --dry-run
    [ -x "$prefix/view/bin/srun" ] || fail 'a dry run removes'
    expect 0 client uninstall --all --prefix "$prefix"
    [ "$(find "$prefix" -mindepth 1 ! -path "$prefix/.sf-*")" = '' ] || fail "left: $(find "$prefix")"
}

# Two series beside each other, from one cache: one runs while the other is current.
case_versions() {
    publish
    new_version=$version
    # shellcheck source=/dev/null
    . "$e2e/built-24.11.env"
    old_version=$version
    publish
    trust_the_signer
    expect 0 install_from "$cache" --prefix "$prefix"
    expect_said "slurm $old_version is in $prefix: [0-9]+ packages installed, 0 kept"
    version=$new_version
    expect 0 install_from "$cache" --prefix "$prefix"
    cat "$work/out"
    # What both need is there already, and is not fetched again.
    expect_said "slurm $new_version is in $prefix: [0-9]+ packages installed, [1-9][0-9]* kept"
    [ "$(generations)" = '1 2 ' ] || fail "generations: $(generations)"
    well
    [ "$(readlink "$prefix/view")" = "views/$version" ] || fail 'the view is not the version installed last'
    start_a_job "$prefix/views/$version" "$work/one"
    expect 0 client rollback --prefix "$prefix"
    expect_said "slurm $old_version, is current again"
    [ "$("$prefix/view/sbin/slurmctld" -V)" = "slurm $old_version" ] || fail 'the view is not the former version'
    job_lives 'a rollback'
    say "job $job of $new_version runs on, and $old_version is current again"

    say '== a job of what is not current any more'
    find "$prefix" ! -path "$prefix/.sf-stage*" -printf '%P %l\n' | sort >"$work/before"
    expect 0 client gc --keep-days 0 --prefix "$prefix"
    expect_said 'kept generation 2: used by .*slurm'
    find "$prefix" ! -path "$prefix/.sf-stage*" -printf '%P %l\n' | sort | diff "$work/before" - || fail 'gc removed something'
    for what in "$new_version" 2; do
        expect 1 client uninstall "$what" --prefix "$prefix"
        expect_said 'is used by .*slurm'
    done
    job_lives 'gc and uninstall'
    [ "$(in_cluster timeout 30 srun --overlap --jobid="$job" hostname)" = node1 ] || fail 'nothing new starts in the job'
    well

    say '== what another host holds'
    expect 0 client lease --prefix "$prefix"
    jq -e '.generations == [1, 2]' "$prefix/.sf-leases/"*.json >"$work/out" || fail "the lease: $(cat "$prefix/.sf-leases/"*)"
    end_the_job
    # As if written by a node that does not see this one's processes.
    mine=$(ls "$prefix/.sf-leases")
    other=node7-01234567-89ab-cdef-0123-456789abcdef.json
    jq -cjS '.host = "node7" | .boot = "01234567-89ab-cdef-0123-456789abcdef"' "$prefix/.sf-leases/$mine" \
        >"$prefix/.sf-leases/$other"
    expect 0 client lease --release --prefix "$prefix"
    # What was current a moment ago may have been used since node7 said what it runs.
    expect 1 client gc --keep-days 0 --prefix "$prefix"
    expect_said 'leases count from'
    touch -h -d '10 minutes ago' "$prefix/generations/current" "$prefix/view"
    expect 0 client gc --keep-days 0 --prefix "$prefix"
    expect_said 'kept generation 2: leased by node7'
    jq -cjS '.expires = .made' "$prefix/.sf-leases/$other" >"$work/ended" && mv "$work/ended" "$prefix/.sf-leases/$other"
    expect 1 client gc --keep-days 0 --prefix "$prefix"
    expect_said 'the lease of node7 ended on'
    rm "$prefix/.sf-leases/$other"

    say '== then it goes'
    expect 0 client gc --keep-days 0 --prefix "$prefix" --dry-run
    expect_said 'would remove generation 2' "would remove store/slurm-$new_version"
    expect 0 client gc --keep-days 0 --prefix "$prefix"
    expect_said 'removed generation 2' "removed store/slurm-$new_version"
    [ ! -e "$prefix/views/$new_version" ] || fail 'its view is left'
    well
    version=$old_version
    cluster_start "$prefix/view" "$work/two"
    cluster_jobs "$prefix"
    cluster_stop
}

"case_$case_name"
say "$case_name: the prefix is well"
