# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034,SC2154  # variables of install.sh, and for it
# The part of install.sh that makes papers of its own, with real keys: wrong ones, and those of a second version.
# Sourced by it.

# Real signatures that are not the right one, where the right key is trusted, by --key and by the site's list.
wrong_papers() {
    say '== signed by a real key that nobody here trusts'
    cp -a "$state/keys/gnupg" "$work/ours"
    mkdir -m 700 "$work/theirs"
    gpg_of theirs --quick-generate-key 'Somebody else <else@example.org>' ed25519 sign never
    stranger=$(gpg_of theirs --with-colons --list-keys | sed -n 's/^fpr:*\([0-9A-F]\{40\}\):$/\1/p')
    papers=$machine$tree/manifests/$version.json
    cp -p "$papers" "$papers.asc" "$work"
    sign_papers theirs
    snapshot papers
    papers_refused "signed by a key that is not trusted: .*$stranger"
    # Its public part at hand is no trust in it.
    gpg_of theirs --armor --export "$stranger" >"$machine/root/stranger.asc"
    cat "$machine/root/key.asc" "$machine/root/stranger.asc" >"$work/both.asc"
    cp "$work/both.asc" "$machine/root/key.asc"
    cp "$machine/root/stranger.asc" "$machine/etc/slurm-factory/trust/$stranger.asc"
    snapshot papers
    papers_refused "signed by a key that is not trusted: .*$stranger"
    # The right one again, made anew: gpg signs as it should here.
    sign_papers ours --local-user "$key"
    expect 0 in_machine "$installer" --full-init --dry-run --without-accounting
    expect_said "signed by $key \(site\)"

    say '== the papers of another bundle, by the right key'
    jq -cjS . "$work/$version.json" | cmp - "$work/$version.json" || fail 'jq does not write a manifest as it was'
    jq -cjS '.version = "25.11.999"' "$work/$version.json" >"$papers"
    sign_papers ours --local-user "$key"
    papers_refused "manifests/$version.json is the manifest of 25.11.999"
    jq -cjS '(.packages[] | select(.name == "slurm").files[] | select(.path == "sbin/slurmctld").sha256) |= (.[1:] + .[:1])' \
        "$work/$version.json" >"$papers"
    sign_papers ours --local-user "$key"
    papers_refused 'sbin/slurmctld is not what the manifest says'
    cp -p "$work/$version.json" "$papers"
    cp "$bundle.asc" "$papers.asc"
    papers_refused "not what $key signed"

    say '== a damaged signature'
    # Its last byte, a part of what was computed with the secret key; with the checksum that fits, and without.
    gpg_of ours --dearmor <"$work/$version.json.asc" >"$work/sig"
    { head -c -1 "$work/sig" && tail -c 1 "$work/sig" | LC_ALL=C tr '\000-\377' '\001-\377\000'; } >"$work/sig.bad"
    gpg_of ours --enarmor <"$work/sig.bad" | sed '/^Comment:/d; s/ARMORED FILE/SIGNATURE/' >"$papers.asc"
    papers_refused "not what $key signed"
    checksum=$(grep '^=' "$work/$version.json.asc")
    sed "s#^=.*#$checksum#" "$papers.asc" >"$work/asc.bad"
    cp "$work/asc.bad" "$papers.asc"
    papers_refused 'the signature file is damaged'
    head -n 4 "$work/$version.json.asc" >"$papers.asc"
    papers_refused 'the signature file is damaged'
    head -c 1000 /dev/urandom >"$papers.asc"
    papers_refused 'the signature file is damaged'
    : >"$papers.asc"
    papers_refused 'is not signed'
    cp -p "$work/$version.json.asc" "$papers.asc"
    expect 0 in_machine "$installer" --full-init --dry-run --without-accounting --key "$key" --key-file /root/key.asc
    expect 0 in_machine "$installer" --full-init --dry-run --without-accounting
    for home in ours theirs; do gpgconf --homedir "$work/$home" --kill all; done
}
# gpg_of HOME ARGUMENT...
gpg_of() {
    x_home=$1
    shift
    gpg --homedir "$work/$x_home" --batch --quiet --yes --pinentry-mode loopback --passphrase '' "$@"
}
sign_papers() {  # sign_papers HOME [ARGUMENT...]
    x_signer=$1
    shift
    gpg_of "$x_signer" "$@" --armor --output "$papers.asc" --detach-sign "$papers"
}
# papers_refused PATTERN: by --key and by the site's list; this is said, and nothing is touched.
papers_refused() {
    expect 1 in_machine "$installer" --full-init --without-accounting --key "$key" --key-file /root/key.asc
    expect_said "$1"
    expect 1 in_machine "$installer" --full-init --without-accounting
    expect_said "$1"
    unchanged papers "an installation with wrong papers ($1)"
}

# Two versions in one folder leave each other's files alone, by tar and by `bundle install`; only the links
# of the version installed last change hands.
case_two_versions() {
    second_version
    bare
    expect 0 in_machine "$installer" --full-init --without-accounting
    (cd "$machine$tree" && find . -type f -exec sha256sum {} + | sort) >"$work/before"
    tar -xzf "$second" -C "$machine$tree"
    (cd "$machine$tree" && sha256sum --quiet -c "$work/before") || fail 'the second version has changed the first'
    # What runs is the first one still; the installer of each vouches for its own.
    [ "$(readlink "$machine$tree/current")" = "views/$version" ] || fail 'unpacking has switched what runs'
    expect 0 in_machine "$tree/$assets/$version/slurm_install.sh" --full-init --without-accounting
    expect_said ': 0 changes$'
    expect 0 in_machine "$tree/$assets/$other/slurm_install.sh" --full-init --dry-run --without-accounting
    expect_said "^software +Slurm $other"
    [ "$(readlink "$machine$tree/current")" = "views/$version" ] || fail '--dry-run has switched what runs'

    say '== the other one runs, then this one again; a job lives through each switch'
    for each in "$other" "$version"; do
        job_begins
        switched_to "$each"
        job_ends_well
        expect 0 in_machine "$tree/$assets/$each/slurm_install.sh" --full-init
        expect_said ': 0 changes$'
    done

    say '== by bundle install'
    for order in "$bundle $second" "$second $bundle"; do
        # shellcheck disable=SC2086  # words
        set -- $order
        expect 0 sf bundle install "$1" --prefix "$work/prefix"
        (cd "$work/prefix" && find store views data modules manifests -type f -exec sha256sum {} + | sort) >"$work/before"
        find "$work/prefix/views" -type l -printf '%p %l\n' | sort >"$work/links"
        expect 0 sf bundle install "$2" --prefix "$work/prefix"
        (cd "$work/prefix" && sha256sum --quiet -c "$work/before") || fail "$2 has changed files of $1"
        find "$work/prefix/views" -type l -printf '%p %l\n' | sort | comm -23 "$work/links" - >"$work/lost"
        [ ! -s "$work/lost" ] || fail "$2 has changed links of $1"
        newer=$version
        [ "$2" != "$second" ] || newer=$other
        [ "$(readlink "$work/prefix/view")" = "views/$newer" ] || fail 'the view is not the one installed last'
        [ "$(readlink "$work/prefix/$assets/slurm_install.sh")" = "$newer/slurm_install.sh" ] ||
            fail 'the installer is not the one installed last'
        for each in "$version" "$other"; do
            [ "$("$work/prefix/views/$each/sbin/slurmctld" -V)" = "slurm $version" ] || fail "$each does not run"
            [ -s "$work/prefix/manifests/$each.json.asc" ] || fail "there are no papers of $each"
        done
        rm -rf "$work/prefix"
    done
}
# A job of another user, which ends once it is let, with a step by the srun of whatever is current then: $job.
job_begins() {
    in_machine rm -f /tmp/go
    job=$(as_user sbatch --parsable --output=/tmp/%j.out --chdir=/ --wrap \
        'sleep 600 & until [ -e /tmp/go ]; do sleep 0.2; done; kill "$!"; srun hostname')
    wait_for 30 'the job to run' job_runs
}
job_ends_well() {
    in_machine touch /tmp/go
    wait_for 180 'the job to end' job_is_gone
    expect 0 in_machine "$tree/current/bin/scontrol" -o show job "$job"
    expect_said "^JobId=$job .*JobState=COMPLETED .*ExitCode=0:0"
    [ "$(cat "$machine/tmp/$job.out")" = "$machine_name" ] || fail "job $job wrote: $(cat "$machine/tmp/$job.out")"
    say "job $job has ended well, with a step on $machine_name"
}
# switched_to VERSION: by its installer; the daemons are others, the job is the same.
switched_to() {
    supervisor=$(cat "$machine/run/slurm-supervisor.pid")
    expect 0 in_machine "$tree/$assets/$1/slurm_install.sh" --full-init
    cat "$work/out"
    expect_said "made link $tree/current -> views/$1" 'stopped the daemons: what they read has changed' \
        'proved: munge' 'proved: slurmctld answers' 'proved: sinfo: node node1 is (mixed|allocated)' \
        "^Slurm $1 in $tree: [1-9][0-9]* changes\$"
    [ "$(readlink "$machine$tree/current")" = "views/$1" ] || fail "current does not lead to $1"
    [ "$(cat "$machine/run/slurm-supervisor.pid")" != "$supervisor" ] || fail 'the daemons are those of before'
    daemons_are_ours
    job_runs || fail "the job ended with the switch to $1"
    expect 0 in_machine "$tree/current/bin/squeue" -h -o '%A %T %R'
    expect_said "^$job RUNNING $machine_name\$"
    expect 0 in_machine "$tree/current/bin/sinfo" -h -o '%N %T'
    expect_said "^$machine_name (mixed|allocated)\$"
    cat "$work/out"
}
# Makes $second, the bundle of the version $other: this one's packages under another number, signed by the same key.
second_version() {
    other=25.11.999
    cp -a "$state/keys/gnupg" "$work/ours"
    mkdir "$work/other"
    tar -xzf "$bundle" -C "$work/other"
    (cd "$work/other" && mv "views/$version" "views/$other" && mv "data/slurm_assets/$version" "data/slurm_assets/$other" &&
        mv "modules/slurm/$version-$toolchain.lua" "modules/slurm/$other-$toolchain.lua" &&
        rm "manifests/$version.json.asc" && mv "manifests/$version.json" "$work/first.json" &&
        ln -sfn "views/$other" view && ln -sfn "$other/slurm_install.sh" data/slurm_assets/slurm_install.sh &&
        ln -sfn "../../data/slurm_assets/$other/modulerc.lua" modules/slurm/.modulerc.lua)
    papers=$work/other/manifests/$other.json
    jq -cjS --arg old "$version" --arg new "$other" '.version = $new | .assets[].path |= sub($old; $new)' "$work/first.json" >"$papers"
    sign_papers ours --local-user "$key"
    # In the order of the first; the versions of packages stay.
    tar -tzf "$bundle" | sed "/^store\//!s/$version/$other/" >"$work/entries"
    second=$work/slurm-$other-$toolchain-amd64-software.tar.gz
    tar -C "$work/other" --no-recursion --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@1000000000 \
        -T "$work/entries" -czf "$second"
    gpg_of ours --local-user "$key" --armor --output "$second.asc" --detach-sign "$second"
    gpgconf --homedir "$work/ours" --kill all
    rm -rf "$work/other"
}
