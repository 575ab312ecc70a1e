#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build-slurm --verify and --gpu with the real bundle: its daemons run in a sandbox, from two places, as root
# and as an ordinary user; the machine is left as it was; what must fail says which step, and keeps the logs.
# One case a call: verify.sh CASE
case_name=$1
test_name=e2e.verify.$case_name
. "$(dirname "$0")/lib.sh"
version='' key='' placeholder=''
# shellcheck source=/dev/null
. "$facts"
[ ! -e "$placeholder" ] || fail "the build prefix $placeholder exists on this machine"

# A state folder of our own, in which nothing needs to be built; packages and bundles may be spoilt.
own=$work/state
mkdir "$own"
for folder in roots sources store; do ln -s "$state/$folder" "$own/$folder"; done
for folder in packages builds keys; do cp -a --reflink=auto "$state/$folder" "$own/"; done
alias=$own/builds/slurm-$series-$toolchain-software.tar.gz

build() {
    env SLURM_FACTORY_CACHE_DIR="$own" "$program" "$@" build-slurm --slurm-version "$version" \
        --toolchain "$toolchain" $vulnerable --signing-key "$key" $wishes
}
wishes=--verify

nothing_left() {
    [ -z "$(find "$own/work" -mindepth 1 -maxdepth 1)" ] || fail "left in the work folder: $(ls "$own/work")"
    for x_info in /proc/[0-9]*/mountinfo; do
        if grep -qs "${work##*/}/state/work/verify-" "$x_info"; then fail "still in a sandbox: $(cat "${x_info%/*}/comm")"; fi
    done
}
# What daemons of Slurm could touch on this machine, by name, owner, mode, size and time.
machine() {
    for x_path in /etc/slurm /etc/munge /run/munge /run/slurm /run/slurmd.pid /run/slurmctld.pid /var/spool/slurm* \
        /var/lib/slurm /var/lib/munge /var/log/slurm* /var/log/munge /tmp/slurm*; do
        if [ -e "$x_path" ]; then find "$x_path" \( -type d ! -readable -prune -o -true \) -printf '%p %u %m %s %T@\n'; fi
    done | sort
}
# The one in the bundle; an earlier build of the same version may lie beside it.
slurm_package() {
    echo "$own/packages/$(tar -xzOf "$(readlink -f "$alias")" "manifests/$version.json" |
        jq -r '.packages[] | select(.name == "slurm") | "slurm-\(.version)-\(.identity[0:8])"')"
}
slurmctld_runs() { ls "$own"/work/verify-*/state-1/run/slurmctld.pid; }

case_proof() {
    machine >"$work/before"
    expect 0 build
    cat "$work/out"
    expect_said "^verified: signature, [0-9]+ files by digest; from /[a-z2-7]{8}, moved to '/[a-z2-7]{8}/.* .*'" \
        'munged, slurmctld, slurmd, slurmrestd run' 'munge: a credential was made' 'srun hostname, as rehearsal: node1' \
        'sbatch --array=1-3, as rehearsal: job [0-9]+, 3 tasks' "plugins are taken from /[a-z2-7]{8}/.*/store/slurm-$version" \
        'slurmrestd says what it serves' 'every daemon has ended' 'next: slurm-factory bundle verify'
    nothing_left
    machine >"$work/after"
    cmp "$work/before" "$work/after" || fail 'the machine is not as it was'

    say '== for programs: one event, with what was proved in each place and where the logs are'
    expect 0 build --json
    jq -se 'map(select(.event == "verified"))[0] | (.files > 100) and (.places | length == 2) and
        (.places | all(.proved | length > 8)) and (.places[0].path != .places[1].path)' "$work/out" >/dev/null ||
        fail "no such event: $(cat "$work/out")"
    logs=$(jq -r 'select(.event == "verified").logs' "$work/out")
    for x_log in munged slurmctld slurmd rehearsal; do
        [ -s "$logs/verify-1/$x_log.log" ] || fail "there is no $logs/verify-1/$x_log.log"
        [ -s "$logs/verify-2/$x_log.log" ] || fail "there is no $logs/verify-2/$x_log.log"
    done
    wishes='--verify --package munge'
    expect 2 build
    expect_said '--verify is about the bundle, and --package makes none'
}

# The same without any right.
case_user() {
    is_root || not_run 'only root can start a process of another uid'
    x_user=60100
    rm "$own"/roots "$own"/sources "$own"/store
    for folder in roots sources store; do
        mkdir "$own/$folder" "$work/$folder-upper" "$work/$folder-work"
        mount -t overlay -o "lowerdir=$state/$folder,upperdir=$work/$folder-upper,workdir=$work/$folder-work" none \
            "$own/$folder"
        keep_mount "$own/$folder"
    done
    mkdir "$work/bin"
    cp "$program" "${program%/*}/slurm-setup" "$work/bin/"
    copy_data "$work/data"
    for folder in packages builds keys sources; do chown -R "$x_user:$x_user" "$own/$folder"; done
    chown "$x_user:$x_user" "$own" "$own/roots" "$own/roots/$toolchain" "$own/roots/$toolchain/.lock" "$own/store"
    program=$work/bin/slurm-factory
    expect 0 setpriv --reuid=$x_user --regid=$x_user --clear-groups env HOME="$own" SLURM_FACTORY_DATA_DIR="$work/data" \
        SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
        $vulnerable --signing-key "$key" --verify
    expect_said '^verified: signature, [0-9]+ files' 'srun hostname, as rehearsal: node1' 'every daemon has ended'
    nothing_left
}

# The bundle was changed after it was signed: nothing of it is unpacked, let alone run.
case_tampered() {
    wishes=
    expect 0 build
    bundle=$(readlink -f "$alias")
    size=$(stat -c %s "$bundle")
    change_bit "$bundle" $((size / 2))
    wishes=--verify
    expect 1 build
    expect_said 'it was changed after signing' 'is signed, but not proven: do not publish it'
    if [ -e "$own/work" ]; then nothing_left; fi
    if ls -d "$own"/logs/*/verify-1 2>/dev/null; then fail 'a tampered bundle was run'; fi
}

# A slurmd that cannot start, in a bundle that is signed and whole all the same.
case_broken() {
    package=$(slurm_package)
    zstd -qdc "$package/run.tar.zst" >"$work/run.tar"
    block=$(tar -tRf "$work/run.tar" | sed -n 's,^block \([0-9]*\): .*/sbin/slurmd$,\1,p')
    [ -n "$block" ] || fail 'slurmd is not in the package'
    printf '#!/bin/sh\necho "fatal: the moon is in the wrong quarter" >&2\nexit 7\n' |
        dd of="$work/run.tar" bs=512 seek=$((block + 1)) conv=notrunc status=none
    zstd -qf -3 "$work/run.tar" -o "$package/run.tar.zst"
    slurmd=$(tar -xOf "$work/run.tar" --wildcards '*/sbin/slurmd' | sha256sum | cut -d ' ' -f 1)
    jq -cjS --arg slurmd "$slurmd" --arg run "$(sha256sum <"$package/run.tar.zst" | cut -d ' ' -f 1)" \
        --argjson size "$(stat -c %s "$package/run.tar.zst")" '.run.sha256 = $run | .run.size = $size |
        (.files[] | select(.path == "sbin/slurmd")).sha256 = $slurmd' "$package/manifest.json" >"$work/manifest.json"
    cp "$work/manifest.json" "$package/manifest.json"
    expect 1 build
    cat "$work/err"
    expect_said "--verify at /[a-z2-7]{8}, step 'start': .*slurmd ended by itself: exit status 7" \
        'last lines of .*/verify-1/slurmd.log' 'the moon is in the wrong quarter' \
        'the logs of all daemons are kept in .*/verify-1' 'is signed, but not proven: do not publish it'
    [ -s "$(echo "$own"/logs/*/verify-1/slurmctld.log)" ] || fail 'the other logs were not kept'
    zstd -qdc "$(sed -n 's/.*debug bundle: \([^ ]*\) .*/\1/p' "$work/err")" | tar -t >"$work/list" || fail 'there is no debug bundle'
    for x_name in failure.json plan.json machine.json logs/verify-1/slurmd.log logs/verify-1/rehearsal.log; do
        grep -q "^[^/]*/$x_name\$" "$work/list" || fail "not in the debug bundle: $x_name"
    done
    nothing_left

    say '== nor is it published: not by a build without --verify, and not by a push of what is here'
    never=$work/never
    publishing='--allow-older --publish-vulnerable'
    not_published() {
        expect_said "--verify at /[a-z2-7]{8}, step 'start': .*slurmd ended by itself: exit status 7" \
            'is signed, but not proven: do not publish it'
        if grep -q published "$work/out"; then fail "it says that something is: $(cat "$work/out")"; fi
        [ ! -e "$never" ] || [ -z "$(find "$never" -type f)" ] || fail "something is in $(find "$never")"
        nothing_left
    }
    wishes="--publish all --publish-to $never $publishing"
    expect 1 build
    not_published
    # The words are lists of options.
    # shellcheck disable=SC2086
    expect 1 env SLURM_FACTORY_CACHE_DIR="$own" "$program" cache push "$never" --slurm-version "$version" \
        --toolchain "$toolchain" $publishing --signing-key "$key"
    not_published
}

# Killed in the middle: everything in the sandbox ends with it, and the next run sweeps up.
case_killed() {
    (exec env SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
        $vulnerable --signing-key "$key" --verify) >"$work/killed" 2>&1 </dev/null &
    victim=$!
    keep_pid "$victim"
    wait_for 60 'slurmctld in the sandbox' slurmctld_runs
    end_pid "$victim" KILL
    ls -d "$own"/work/verify-* || fail 'it had swept up before'
    expect 0 build
    nothing_left
}

# GPU plugins are there, or nothing is signed.
case_gpu() {
    wishes='--gpu --verify'
    expect 0 build
    expect_said 'slurmd with AutoDetect=nvml runs, and says that the driver.s library is missing'
    tar -xzOf "$alias" "manifests/$version.json" | jq -e '.features == ["gpu"]' || fail 'the manifest does not say so'
    expect 0 env SLURM_FACTORY_CACHE_DIR="$own" "$program" bundle verify "$alias"
    before=$(sha256sum "$alias")
    package=$(slurm_package)
    jq -cjS 'del(.files[] | select(.path == "lib/slurm/gpu_rsmi.so"))' "$package/manifest.json" >"$work/manifest.json"
    cp "$work/manifest.json" "$package/manifest.json"
    expect 1 build
    expect_said "has not what 'gpu' means: .*lib/slurm/gpu_rsmi.so" '--with-rsmi|--with-nvml'
    [ "$(sha256sum "$alias")" = "$before" ] || fail 'a bundle without the plugins was signed'
}

"case_$case_name"
say "$case_name: as it should be"
