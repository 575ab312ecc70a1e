#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for inner shells, or hostile on purpose
# The bundle on bare machines of its distribution, by the two commands its users give: unpack it, run
# data/slurm_assets/slurm_install.sh --full-init. Jobs run; a second time nothing changes; what must fail
# fails, and touches nothing. One case a call: install.sh CASE
case_name=$1
test_name=e2e.install.$case_name
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/install_lib.sh"
. "$(dirname "$0")/install_papers.sh"
. "$(dirname "$0")/install_odd.sh"

case_first() {
    bare
    snapshot before
    expect 0 in_machine "$installer" --full-init --dry-run --without-accounting
    expect_said '^user +slurm' '^secret +0400 munge:munge /etc/munge/munge.key' \
        '^file +0644 root:root /etc/slurm/slurm.conf' '^service +slurmctld as slurm'
    unchanged before '--dry-run'
    expect 0 in_machine "$installer" --help
    expect_said '--full-init'

    expect 0 in_machine "$installer" --full-init --without-accounting
    cat "$work/out"
    expect_said 'proved: munge' 'proved: sinfo: node node1 is idle' 'proved: srun hostname, as nobody: node1' \
        'proved: sbatch --array' 'Authenticity rests on'
    mode_is 400 munge /etc/munge/munge.key
    mode_is 700 munge /etc/munge
    mode_is 644 root /etc/slurm/slurm.conf
    mode_is 755 root /etc/slurm
    mode_is 700 slurm /var/lib/slurm/slurmctld
    mode_is 755 root /var/spool/slurmd
    mode_is 750 slurm /var/log/slurm
    [ "$(in_machine stat -c %s /etc/munge/munge.key)" = 1024 ] || fail 'the MUNGE key has not 1024 bytes'
    if in_machine find /etc /var /run /opt -xdev -perm -o+w -not -type l -not -type s -not -path '/run/lock' \
        -not -path '/var/tmp' -not -path '/run/shm' | grep .; then fail 'others can write to these'; fi
    # Another user's job, with a step, by the commands as they are.
    [ "$(in_machine setpriv --reuid 65534 --regid 65534 --clear-groups "$tree/current/bin/srun" -n2 -l sh -c 'echo $SLURM_PROCID' |
        sort | tr '\n' ' ')" = '0: 0 1: 1 ' ] || fail 'srun -n2 does not print two ranks'
    # Root's jobs are refused by default.
    expect 1 in_machine "$tree/current/bin/srun" hostname
    daemons_are_ours

    say '== again: nothing changes'
    cp "$machine/etc/munge/munge.key" "$work/key"
    supervisor=$(cat "$machine/run/slurm-supervisor.pid")
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'
    expect 0 in_machine sh -c "umask 0777; exec $installer --full-init"
    expect_said ': 0 changes$'
    cmp "$work/key" "$machine/etc/munge/munge.key" || fail 'the MUNGE key has changed'
    [ "$(cat "$machine/run/slurm-supervisor.pid")" = "$supervisor" ] || fail 'the daemons were restarted'

    say '== what an administrator changed stays'
    echo 'MaxJobCount=5000' >>"$machine/etc/slurm/slurm.conf"
    cp "$machine/etc/slurm/slurm.conf" "$work/theirs"
    expect 0 in_machine "$installer" --full-init --cluster-name other
    expect_said 'slurm.conf was changed here and is kept'
    cmp "$work/theirs" "$machine/etc/slurm/slurm.conf" || fail 'a changed slurm.conf was overwritten'
    grep -q '^ClusterName=other' "$machine/etc/slurm/slurm.conf.new" || fail 'there is no slurm.conf.new'
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'

    say '== stopping slurmd leaves its jobs alone; a daemon that dies is started again'
    in_machine setpriv --reuid 65534 --regid 65534 --clear-groups "$tree/current/bin/sbatch" --output=/dev/null --chdir=/ \
        --wrap 'sleep 600' >"$work/out"
    wait_for 30 'the job to run' job_runs
    in_machine sh -c 'kill -KILL "$(cat /run/slurmd.pid)"'
    wait_for 60 'slurmd to be started again' slurmd_is_back
    job_runs || fail 'the job ended with slurmd'
    # An uninstallation leaves jobs alone too: this one is to be gone before.
    in_machine "$tree/current/bin/scancel" --state=RUNNING
    wait_for 180 'the job to end' job_is_gone

    say '== uninstall'
    expect 0 in_machine "$installer" --uninstall
    cat "$work/out"
    expect_said 'stays: /etc/munge/munge.key' 'slurm.conf was changed here: it stays' 'stays: user slurm'
    cmp "$work/key" "$machine/etc/munge/munge.key" || fail 'uninstall took the MUNGE key'
    [ -e "$machine/var/lib/slurm/slurmctld/job_state" ] || fail 'uninstall took the state'
    for gone in etc/slurm/cgroup.conf etc/slurm/supervisor.json "$tree/current"; do
        [ ! -e "$machine/$gone" ] || fail "uninstall left $gone"
    done
    if daemons | grep .; then fail 'these still run'; fi
    expect 1 in_machine "$installer" --uninstall
    expect_said 'nothing is installed here'
    # And once more from what is left.
    mv "$machine/etc/slurm/slurm.conf" "$work/theirs"
    expect 0 in_machine "$installer" --full-init --cluster-name cluster
    expect_said 'proved: sbatch --array'
}
job_runs() { in_machine "$tree/current/bin/squeue" -h -o %T | grep -q RUNNING && in_machine sh -c 'grep -lzx "60[0]" /proc/[0-9]*/cmdline' | grep -q . ; }
job_is_gone() {
    x_jobs=$(in_machine "$tree/current/bin/squeue" -h) && [ -z "$x_jobs" ] && ! daemons | grep -qx slurmstepd
}
# A slurmctld that has just begun may miss the word.
job_is_cancelled() { in_machine "$tree/current/bin/scancel" --state=RUNNING && job_is_gone; }
slurmd_is_back() { daemons | grep -qx slurmd && [ "$(in_machine "$tree/current/bin/sinfo" -h -o %T)" != 'down' ]; }
# A tree unpacked by somebody else, copied by --prefix, started by --init-only, moved aside: nothing needs it.
case_prefix() {
    bare
    in_machine useradd --create-home anna
    mkdir "$machine/home/anna/slurm"
    tar -xzf "$bundle" -C "$machine/home/anna/slurm"
    in_machine chown -R anna: /home/anna
    expect 1 in_machine "/home/anna/slurm/$assets/slurm_install.sh" --full-init
    expect_said '/home/anna' 'prefix'
    expect 0 in_machine "/home/anna/slurm/$assets/slurm_install.sh" --full-init --without-accounting --prefix /srv/slurm --no-start
    expect_said 'not started'
    if daemons | grep .; then fail '--no-start has started these'; fi
    rm -rf "$machine/home/anna/slurm"
    expect 0 in_machine "/srv/slurm/$assets/slurm_install.sh" --start-services
    expect_said 'proved: srun hostname'
    expect 0 in_machine "/srv/slurm/$assets/slurm_install.sh" --init-only
    expect_said ': 0 changes$'
    # Folders that others may write to are no place for what root runs.
    in_machine mkdir -m 0777 /srv/open
    expect 1 in_machine "/srv/slurm/$assets/slurm_install.sh" --full-init --prefix /srv/open/slurm
    expect_said '/srv/open can be written by others' 'chmod go-w'
    expect 2 in_machine "/srv/slurm/$assets/slurm_install.sh" --full-init --prefix '/srv/a b'
}

# The software is in its place, nothing was ever configured: --init-only does all the rest.
case_init_only() {
    bare
    snapshot before
    expect 1 in_machine "$installer" --start-services
    expect_said 'nothing was configured here yet' 'slurm_install.sh --full-init'
    expect 1 in_machine "$installer" --init-only --without-accounting --prefix /srv/nowhere
    expect_said "Slurm $version is not in /srv/nowhere" '--full-init puts it there'
    port_is_taken 6818
    expect 1 in_machine "$installer" --init-only --without-accounting
    expect_said 'port 6818, which slurmd needs, is in use' "ss -ltnp 'sport = :6818'"
    port_is_free
    unchanged before 'a refused installation'

    expect 0 in_machine "$installer" --init-only --without-accounting
    cat "$work/out"
    expect_said 'made user slurm' 'made file /etc/slurm/slurm.conf' 'proved: slurmctld answers' \
        'proved: srun hostname, as nobody: node1' 'proved: sbatch --array'
    mode_is 400 munge /etc/munge/munge.key
    [ "$(readlink "$machine$tree/current")" = "views/$version" ] || fail 'current does not lead to this version'
    daemons_are_ours
    supervisor=$(cat "$machine/run/slurm-supervisor.pid")
    expect 0 in_machine "$installer" --init-only
    expect_said 'proved: sbatch --array' ': 0 changes$'
    [ "$(cat "$machine/run/slurm-supervisor.pid")" = "$supervisor" ] || fail 'the daemons were restarted'
}

# What the manifest and the site's trust say, before anything is touched.
case_trust() {
    bare
    snapshot before
    victim=$machine$tree/$(cd "$machine$tree" && echo store/slurm-*/sbin/slurmctld)
    cp -p "$victim" "$work/kept"
    change_bit "$victim" 1000
    expect 1 in_machine "$installer" --full-init
    expect_said 'sbin/slurmctld is not what the manifest says'
    cp -p "$work/kept" "$victim"
    : >"$machine$tree/views/$version/bin/evil"
    expect 1 in_machine "$installer" --full-init
    expect_said 'evil is not in the manifest'
    rm "$machine$tree/views/$version/bin/evil"
    template=$machine$tree/$assets/$version/config/slurm.conf
    chmod 666 "$template"
    expect 1 in_machine "$installer" --full-init
    chmod 644 "$template"
    unchanged before 'a refused installation'

    # gpg is not on a bare machine; where it is missing, that is said, with the command.
    sf key export "$key" -o "$machine/root/key.asc" >"$work/out"
    expect 1 in_machine "$installer" --full-init --dry-run --key "$key" --key-file /root/key.asc
    expect_said 'gpg is not installed' 'apt-get install'
    machine_stop
    rm -rf "$work/machine"

    machine_root "$toolchain-gpg" gpg gpg-agent gpgconf gpgv
    machine_with "$toolchain-gpg"
    sf key export "$key" -o "$machine/root/key.asc" >"$work/out"
    snapshot before
    expect 1 in_machine "$installer" --full-init --dry-run --key "$key"
    expect_said 'key-file'
    expect 0 in_machine "$installer" --full-init --dry-run --without-accounting --key "$key" --key-file /root/key.asc
    expect_said "signed by $key"
    other=0123456789ABCDEF0123456789ABCDEF01234567
    expect 1 in_machine "$installer" --full-init --key "$other" --key-file /root/key.asc
    expect_said 'does not hold the key'
    manifest=$machine$tree/manifests/$version.json
    mv "$manifest.asc" "$work/asc"
    expect 1 in_machine "$installer" --full-init --key "$key" --key-file /root/key.asc
    expect_said 'is not signed'
    mv "$work/asc" "$manifest.asc"
    cp -p "$manifest" "$work/manifest"
    sed -i 's/"builder":"/"builder":"x/' "$manifest"
    expect 1 in_machine "$installer" --full-init --key "$key" --key-file /root/key.asc
    expect_said 'changed|signed'
    cp -p "$work/manifest" "$manifest"
    unchanged before 'a refused installation'
    # A site's trust file speaks without being asked: a stranger's signature is refused.
    mkdir -p "$machine/etc/slurm-factory/trust"
    printf '{"trust":1,"keys":[{"fingerprint":"%s","label":"site"}]}\n' "$other" \
        >"$machine/etc/slurm-factory/trust/trust.json"
    expect 1 in_machine "$installer" --full-init --dry-run
    expect_said 'trust'
    printf '{"trust":1,"keys":[{"fingerprint":"%s","label":"site"}]}\n' "$key" \
        >"$machine/etc/slurm-factory/trust/trust.json"
    cp "$machine/root/key.asc" "$machine/etc/slurm-factory/trust/$key.asc"
    expect 0 in_machine "$installer" --full-init --dry-run --without-accounting
    expect_said "signed by $key \(site\)"
    wrong_papers
}

# Each reason not to install is said before anything is touched, with the next step.
case_refused() {
    bare
    expect 2 in_machine "$installer" --full-init --cluster-name 'x|e id|'
    expect_said 'no name of a cluster'
    for name in '$(id)' "a'; DROP TABLE user; --" 'a/b' '`id`' 'Alpha' ''; do
        expect 2 in_machine "$installer" --full-init --cluster-name "$name"
        expect 2 in_machine "$installer" --full-init --role compute --controller "$name."
    done
    expect 2 in_machine "$installer" --full-inti
    expect_said 'did you mean --full-init'
    expect 2 in_machine "$installer" --full-init --db-password SECRETWORD
    if grep -q SECRETWORD "$work/out" "$work/err"; then fail 'the secret is printed'; fi

    snapshot before
    expect 1 in_machine setpriv --reuid 65534 --regid 65534 --clear-groups "$installer" --full-init
    expect_said 'only root'
    expect 1 in_machine "$installer" --full-init --role compute --controller head1
    expect_said 'munge.key, is missing' 'bring it from the controller'
    expect 2 in_machine "$installer" --full-init --role login
    expect_said 'controller HOST'
    unchanged before 'a refused installation'

    say '== a processor older than the target'
    sed 's/ avx2 / /' "$machine/proc/cpuinfo" >"$work/cpuinfo"
    cp "$work/cpuinfo" "$machine/tmp/cpuinfo"
    in_machine mount --bind /tmp/cpuinfo /proc/cpuinfo
    expect 1 in_machine "$installer" --full-init
    expect_said 'x86_64_v3, this one has x86_64_v2'
    in_machine umount /proc/cpuinfo

    say '== another distribution, another Slurm, a missing library'
    sed -i.bak 's/VERSION_ID="12"/VERSION_ID="11"/' "$machine/usr/lib/os-release"
    expect 1 in_machine "$installer" --full-init
    expect_said 'this bundle is for Debian 12'
    mv "$machine/usr/lib/os-release.bak" "$machine/usr/lib/os-release"
    : >"$machine/usr/sbin/slurmctld"
    expect 1 in_machine "$installer" --full-init
    expect_said 'another Slurm is installed here: /usr/sbin/slurmctld' 'PATH'
    rm "$machine/usr/sbin/slurmctld"
    pam=$(cd "$machine" && ls usr/lib/x86_64-linux-gnu/libpam.so.0)
    mv "$machine/$pam" "$work/pam"
    expect 1 in_machine "$installer" --full-init
    expect_said 'libpam\.so\.0'
    mv "$work/pam" "$machine/$pam"

    say '== uids, ports, planted links'
    in_machine useradd --uid 4711 anna
    expect 1 in_machine "$installer" --full-init --slurm-uid 4711
    expect_said 'uid 4711, wanted for slurm, belongs to anna'
    snapshot before
    ln -s /etc/shadow "$machine/etc/munge"
    expect 1 in_machine "$installer" --full-init
    expect_said '/etc/munge'
    rm "$machine/etc/munge"
    mkdir -m 700 "$machine/etc/munge"
    ln -s /root/planted "$machine/etc/munge/munge.key"
    expect 1 in_machine "$installer" --full-init
    expect_said 'munge.key is a symlink'
    [ ! -e "$machine/root/planted" ] || fail 'a secret was written through a planted link'
    rm -r "$machine/etc/munge"
    unchanged before 'a refused installation'
    named_in_machine listener perl -MIO::Socket::INET -e \
        'my $s = IO::Socket::INET->new(LocalPort => 6817, Listen => 1, ReuseAddr => 1) or die; sleep 600' &
    wait_for 10 'the port' in_machine grep -q ':1AA1 00000000:0000 0A' /proc/net/tcp
    expect 1 in_machine "$installer" --full-init
    expect_said 'port 6817, which slurmctld needs, is in use'
    kill_in_machine listener

    say '== interrupted at several moments, then completed'
    for pause in 0.05 0.3 0.6 1 2; do
        named_in_machine victim "$installer" --full-init --without-accounting >"$work/killed" 2>&1 </dev/null &
        sleep "$pause"
        kill_in_machine victim
    done
    # Jobs of the last of them have the whole node while they run, and no others are tried.
    wait_for 60 'jobs of those that were killed to end' no_job_is_left
    expect 0 in_machine "$installer" --full-init --without-accounting
    expect_said 'proved: sbatch --array'
    mode_is 400 munge /etc/munge/munge.key
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'
}

no_job_is_left() { in_machine sh -c '! "$0" -h 2>/dev/null | grep -q .' "$tree/current/bin/squeue"; }

# slurmdbd with the distribution's MariaDB.
case_accounting() {
    machine_root "$toolchain-mariadb" mariadb-server
    machine_with "$toolchain-mariadb"
    all_is_proved --cluster-name acct --role all,rest --jwt
    expect_said 'made database slurm_acct_db'
    mode_is 600 slurm /etc/slurm/slurmdbd.conf
    password=$(sed -n 's/^StoragePass=//p' "$machine/etc/slurm/slurmdbd.conf")
    [ "${#password}" -ge 32 ] || fail 'the generated password is short'
    if grep -rlF -- "$password" "$machine/var/log" "$machine/etc" "$machine/run" "$work/out" "$work/err" |
        grep -v '/etc/slurm/slurmdbd.conf$'; then fail 'the password is in these'; fi
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'
    rest_answers

    say '== moved while its daemons run, and --full-init from the new place'
    former=$tree
    in_machine mkdir -p /srv/first
    move_to /srv/first/place
    all_is_proved
    expect_said 'stopped the daemons: what they read has changed' 'made daemons started: .*slurmctld'
    grep -lasrF -- "$former" "$machine/etc" "$machine"/proc/[0-9]*/cmdline >"$work/former" ||
        say 'no file in /etc and no process knows the former place'
    [ ! -s "$work/former" ] || fail "these know the former place: $(cat "$work/former")"
    rest_answers
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'

    say '== moved after --uninstall'
    expect 0 in_machine "$installer" --uninstall
    move_to "/srv/moved here"
    expect 2 in_machine "$installer" --full-init
    expect_said 'moved here'
    in_machine mkdir -p /srv/a/deeper
    move_to /srv/a/deeper/place
    all_is_proved
    rest_answers
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'

    say '== a wrong password, and a database that is down'
    expect 0 in_machine "$tree/$assets/slurm_install.sh" --uninstall
    expect_said 'stays: /etc/slurm/slurmdbd.conf'
    sed -i 's/^StoragePass=.*/StoragePass=wrongword/' "$machine/etc/slurm/slurmdbd.conf"
    expect 1 in_machine "$installer" --full-init
    expect_said 'does not open slurm_acct_db' 'DROP USER'
    sed -i "s/^StoragePass=.*/StoragePass=$password/" "$machine/etc/slurm/slurmdbd.conf"
    chmod 644 "$machine/etc/slurm/slurmdbd.conf"
    expect 1 in_machine "$installer" --full-init
    expect_said 'slurmdbd.conf has mode 0644'
    chmod 600 "$machine/etc/slurm/slurmdbd.conf"
    mv "$machine/var/lib/mysql" "$machine/var/lib/mysql.away"
    expect 1 in_machine "$installer" --full-init
    expect_said 'mariadbd'
    mv "$machine/var/lib/mysql.away" "$machine/var/lib/mysql"
    expect 0 in_machine "$installer" --full-init
    expect_said 'proved: sacct'
}

# all_is_proved [WORD...]: --full-init with these words, and each part of the cluster shows that it works.
all_is_proved() {
    expect 0 in_machine "$installer" --full-init "$@"
    cat "$work/out"
    expect_said 'proved: munge' 'proved: slurmctld answers' 'proved: sacctmgr: slurmdbd on .* knows slurmctld of cluster acct' \
        'proved: srun hostname, as nobody: node1' 'proved: sbatch --array' 'proved: sacct, through slurmdbd and its database' \
        'proved: slurmrestd answers a JSON Web Token, and nobody without one'
}
move_to() {  # move_to PLACE
    in_machine mv "$tree" "$1"
    tree=$1
    installer=$tree/$assets/slurm_install.sh
}
rest() { curl -sS --fail --max-time 20 --unix-socket "$machine/run/slurmrestd/slurmrestd.socket" -H 'X-SLURM-USER-NAME: root' "$@"; }
# slurmrestd tells of the jobs in the database who has a token, and nobody else.
rest_answers() {
    token=$(in_machine "$tree/current/bin/scontrol" token lifespan=300 | sed -n 's/^SLURM_JWT=//p')
    [ -n "$token" ] || fail 'scontrol token gives no token'
    api=$(rest -H "X-SLURM-USER-TOKEN: $token" http://localhost/openapi/v3 |
        jq -r '[.paths | keys[] | capture("^/slurmdb/(?<v>v[0-9.]+)/jobs/?$").v] | max')
    slash=/
    case $version in 23.*) slash= ;; esac
    count=$(rest -H "X-SLURM-USER-TOKEN: $token" "http://localhost/slurmdb/$api/jobs$slash" | jq '.jobs | length')
    [ "${count:-0}" -gt 0 ] || fail 'slurmrestd knows no job of the database'
    if rest "http://localhost/slurmdb/$api/jobs$slash" >"$work/out" 2>"$work/err"; then fail 'slurmrestd asks for no token'; fi
    say "slurmrestd, $api: $count jobs of the database for who has a token, none for who has not"
}

# Without MariaDB that is said before anything is touched.
case_no_database() {
    bare
    snapshot before
    expect 1 in_machine "$installer" --full-init
    expect_said 'accounting needs a MariaDB server' 'apt-get install mariadb-server' '--without-accounting'
    unchanged before 'a refused installation'
    expect 0 in_machine "$installer" --full-init --without-accounting
    expect_said 'proved: srun hostname'
}

# The units as they are written: systemd finds nothing wrong with them, and each is as confined as it should be.
case_units() {
    systemd_machine
    expect 0 in_machine "$installer" --full-init --dry-run --role controller,compute,rest --jwt --without-accounting
    expect_said '^unit +slurmctld.service' '^file +0644 root:root /etc/systemd/system/slurmd.service'
    : >"$machine$tree/.sf-shared"
    expect 0 in_machine "$installer" --full-init --no-start --role all,rest --jwt
    expect_said 'note: other hosts may run from .*sf-shared'
    units_are_sound <<BARS
slurm-factory-lease.service 3.0
munge.service 3.0
slurmctld.service 3.5
slurmdbd.service 2.5
slurmrestd.service 2.5
slurmd.service 11
BARS
    # Jobs inherit what is taken from slurmd: nothing may be.
    slurmd=$machine/etc/systemd/system/slurmd.service
    if grep -E '^(Private|Protect|Restrict|NoNewPrivileges|SystemCallFilter|CapabilityBoundingSet|MemoryDeny|Lock)' \
        "$slurmd"; then fail 'slurmd is confined'; fi
    for wanted in Delegate=yes KillMode=process Type=notify; do
        grep -qx "$wanted" "$slurmd" || fail "slurmd.service lacks $wanted"
    done
    users_come_again munge slurm slurmrestd
    expect 0 in_machine "$installer" --full-init --no-start
    expect_said ': 0 changes'
    expect 0 in_machine "$installer" --uninstall
    for gone in sysusers.d/slurm-factory.conf tmpfiles.d/slurm-factory.conf logrotate.d/slurm-factory; do
        [ ! -e "$machine/etc/$gone" ] || fail "uninstall left /etc/$gone"
    done
    rm "$machine$tree/.sf-shared"
    expect 0 in_machine "$installer" --full-init --no-start --role login --controller head
    units_are_sound <<BARS
munge.service 3.0
sackd.service 3.0
BARS
    users_come_again munge slurm
}
# Lines of standard input: a unit, and how exposed it may be at most.
units_are_sound() {
    cat >"$work/bars"
    in_machine ls /etc/systemd/system | grep -E '^(munge|slurm|sackd).*service$' | sort >"$work/units"
    cut -d ' ' -f 1 "$work/bars" | sort | diff - "$work/units" || fail 'these are not the units that were expected'
    while read -r name bar; do
        unit=/etc/systemd/system/$name
        # Its exit status is 1 for man pages that are not here, too: what it says counts.
        in_machine systemd-analyze verify "$unit" >"$work/out" 2>&1 || say "systemd-analyze verify $name does not exit 0"
        if grep -E "^(/etc/systemd/system/)?$name" "$work/out"; then fail 'systemd finds fault with it'; fi
        score=$(in_machine systemd-analyze security --offline=true "$unit" | sed -n 's/.*exposure level.*: \([0-9.]*\).*/\1/p')
        say "$name: exposure $score, at most $bar"
        [ "$(echo "${score:-12} $bar" | awk '{ print ($1 <= $2) }')" = 1 ] ||
            fail "the exposure of $name is '$score', more than $bar"
        # The program knows the options that its unit gives it: systemd-analyze does not ask it.
        command=$(sed -n 's/^ExecStart=//p' "$machine$unit")
        # shellcheck disable=SC2086  # words
        case $command in
            */slurm-setup\ lease\ *)
                expect 0 in_machine systemctl start "$name"
                [ -s "$(echo "$machine$tree/.sf-leases/$machine_name"-*.json)" ] || fail 'there is no lease'
                ;;
            */sackd\ *)  # knows no -V, and looks at -h only after all it does not know
                expect 0 in_machine $command -h
                expect_said 'usage:.*sackd'
                ;;
            *)
                expect 0 in_machine timeout 20 $command -V
                expect_said "slurm $version|munge-"
                ;;
        esac
    done <"$work/bars"
}
# A machine with systemd as its first process, and the bundle in a folder of the site's.
systemd_machine() {
    machine_root "$toolchain-systemd" systemd-sysv dbus mariadb-server
    boot_with "$toolchain-systemd"
}
boot_with() {
    machine_boot "$1" "$work/machine"
    tree=/opt/site/slurm
    mkdir -p "$machine$tree"
    tar -xzf "$bundle" -C "$machine$tree"
    installer=$tree/$assets/slurm_install.sh
}

# The units as they run: systemd as the first process, MariaDB as its service, a reboot.
case_systemd() {
    systemd_machine
    expect 0 in_machine "$installer" --full-init --role all,rest --jwt
    cat "$work/out"
    expect_said 'proved: srun hostname' 'proved: sacct, through slurmdbd and its database' \
        'proved: slurmrestd answers a JSON Web Token, and nobody without one'
    units_run
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'

    say '== a restart leaves jobs alone; a daemon that dies is started again'
    in_machine setpriv --reuid 65534 --regid 65534 --clear-groups "$tree/current/bin/sbatch" --output=/dev/null --chdir=/ \
        --wrap 'sleep 600' >"$work/out"
    wait_for 30 'the job to run' job_runs
    expect 0 in_machine systemctl restart munge slurmdbd slurmctld slurmd slurmrestd
    units_run
    job_runs || fail 'the job ended with a restart'
    before=$(in_machine systemctl show -P MainPID slurmctld)
    in_machine kill -KILL "$before"
    wait_for 60 'slurmctld to be started again' another_slurmctld
    units_run
    job_runs || fail 'the job ended with slurmctld'
    wait_for 180 'the job to end' job_is_cancelled
    # What is completing still when the machine stops is waited for by the next slurmctld, for minutes.
    wait_for 60 'the node to be idle' node_is_idle
    # The power is cut: what slurmctld has not written down, five seconds after it at the latest, did not happen.
    sleep 6

    say '== a reboot'
    machine_stop
    machine_boot "$toolchain-systemd" "$work/machine"
    units_run
    wait_for 60 'the node' node_is_idle
    [ "$(in_machine setpriv --reuid 65534 --regid 65534 --clear-groups "$tree/current/bin/srun" hostname)" = "$machine_name" ] ||
        fail 'srun does not run after the reboot'
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'

    say '== the tree is shared from now on: a unit says what is used of it, confined as it is'
    : >"$machine$tree/.sf-shared"
    before=$(in_machine systemctl show -P MainPID slurmctld)
    expect 0 in_machine "$installer" --full-init
    expect_said "$machine_name says until" 'slurm-factory-lease.timer started'
    rm -r "$machine$tree/.sf-leases"
    expect 0 in_machine systemctl start slurm-factory-lease.service
    jq -e .packages "$machine$tree/.sf-leases/$machine_name"-*.json >"$work/confined"
    grep slurm- "$work/confined" || fail 'the lease does not name Slurm, whose daemons run'
    # Confined as it is, the unit misses nothing; nor was a daemon restarted for it.
    [ "$(in_machine systemctl show -P MainPID slurmctld)" = "$before" ] || fail 'slurmctld was restarted for a lease'
    expect 0 in_machine "${installer%/*}/$version/slurm-setup" lease "$tree"
    jq -e .packages "$machine$tree/.sf-leases/$machine_name"-*.json | diff "$work/confined" - ||
        fail 'the unit sees less than root does'
    in_machine systemctl is-active slurm-factory-lease.timer >"$work/out" || fail 'the timer does not run'

    say '== uninstall; the link is of the other hosts, too'
    expect 0 in_machine "$installer" --uninstall
    expect_said "stays: $tree/current"
    if [ -n "$(ls "$machine$tree/.sf-leases")" ]; then fail 'a lease of this host is left'; fi
    rm "$machine$tree/.sf-shared"
    if daemons | grep -v mariadbd; then fail 'these still run'; fi
    if in_machine sh -c 'ls /etc/systemd/system /etc/systemd/system/*' | grep -E '^(munge|slurm|sackd)'; then fail 'these units are left'; fi
    expect 0 in_machine "$installer" --full-init
    expect_said 'proved: sacct'
}
units_run() {
    for unit in munge slurmdbd slurmctld slurmd slurmrestd; do
        wait_for 30 "$unit.service to be active" in_machine systemctl is-active "$unit"
    done
    if in_machine systemctl --failed --no-legend --plain | grep -E '^(munge|slurm|sackd|mariadb)'; then
        fail 'these units have failed'
    fi
}
another_slurmctld() { x_main=$(in_machine systemctl show -P MainPID slurmctld) && [ "$x_main" != 0 ] && [ "$x_main" != "$before" ]; }
node_is_idle() {
    in_machine "$tree/current/bin/scontrol" show node
    [ "$(in_machine "$tree/current/bin/sinfo" -h -o %T)" = idle ]
}

# slurmdbd alone under systemd: with MariaDB beside it, then with one that is reached by its address.
case_dbd() {
    systemd_machine
    in_machine install -d -m 700 /etc/munge
    (umask 077 && head -c 1024 /dev/urandom >"$machine/etc/munge/munge.key" && echo wrong4word >"$machine/root/password")
    expect 0 in_machine "$installer" --full-init --role dbd
    expect_said 'made database slurm_acct_db' 'proved: sacctmgr: slurmdbd answers, and reads its database'
    [ ! -e "$machine/etc/slurm/slurm.conf" ] || fail 'a host of slurmdbd alone has a slurm.conf'
    if find "$machine/run" -name 'slurm-setup-*' | grep .; then fail 'what slurmdbd was asked by is left'; fi
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'
    expect 0 in_machine "$installer" --uninstall
    rm "$machine/etc/slurm/slurmdbd.conf"

    say '== by its address, without rights, with them'
    printf '[mariadbd]\nbind-address=0.0.0.0\n' >"$machine/etc/mysql/mariadb.conf.d/99-all.cnf"
    in_machine systemctl restart mariadb
    in_machine mariadb -e "DROP DATABASE slurm_acct_db; CREATE USER 'acct'@'%' IDENTIFIED BY 'right4word'"
    words="--full-init --role dbd --db-host $machine_name --db-user acct --db-password-file /root/password"
    printf '%s %s\n' "$machine_address" "$machine_name" >>"$machine/etc/hosts"
    # shellcheck disable=SC2086  # words
    expect 1 in_machine "$installer" $words
    expect_said "database server on $machine_name, port 3306, does not let user acct in: 1045"
    (umask 077 && echo right4word >"$machine/root/password")
    # shellcheck disable=SC2086  # words
    expect 1 in_machine "$installer" $words
    expect_said 'denied' 'GRANT ALL ON slurm_acct_db'
    if in_machine systemctl is-active slurmdbd >"$work/out"; then fail 'slurmdbd was started'; fi
    [ ! -e "$machine/etc/slurm/slurmdbd.conf" ] || fail 'a refused installation has written slurmdbd.conf'
    in_machine mariadb -e "GRANT ALL ON slurm_acct_db.* TO 'acct'@'%'"
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$installer" $words
    expect_said 'proved: sacctmgr: slurmdbd answers, and reads its database'
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'
    wait_for 30 'slurmdbd.service to be active' in_machine systemctl is-active slurmdbd
}

# The modulefile under the Lmod of the distribution: it finds the tree from its own place, moved or not.
case_modules() {
    machine_root "$toolchain-lmod" lmod
    machine_with "$toolchain-lmod"
    for place in "$tree" /srv/elsewhere; do
        if [ "$place" != "$tree" ]; then mv "$machine$tree" "$machine$place"; fi
        expect 0 in_machine bash -c ". /usr/share/lmod/lmod/init/bash && module use $place/modules && module avail 2>&1 &&
            module load slurm && command -v sinfo;
            module list 2>&1; echo \$MANPATH; module load slurm/${version%.*} && module unload slurm && ! command -v sinfo"
        expect_said "^$place/views/$version/bin/sinfo" "slurm/$version-$toolchain" \
            "^$place/views/$version/share/man"
    done
}

# The hierarchy of --enable-hierarchy: gcc first, then what was built with it; two trees beside each other; moved,
# by tar and by bundle install.
case_hierarchy() {
    plain=$bundle
    own=$work/state
    mkdir "$own"
    for folder in roots sources store packages keys; do ln -s "$state/$folder" "$own/$folder"; done
    expect 0 env SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
        $vulnerable --signing-key "$key" --enable-hierarchy
    bundle=$(readlink -f "$own/builds/slurm-${version%.*}-$toolchain-software.tar.gz")
    expect 0 sf bundle install "$bundle" --prefix "$work/installed"
    # A build of the same version without a hierarchy leaves no link that leads nowhere.
    expect 0 sf bundle install "$bundle" --prefix "$work/both"
    expect 0 sf bundle install "$plain" --prefix "$work/both"
    [ -z "$(find "$work/both/lmod" -type l)" ] || fail 'links of the build with a hierarchy are left'
    machine_root "$toolchain-lmod" lmod
    machine_with "$toolchain-lmod"
    gcc=$(ls "$machine$tree/lmod/Core/gcc") && gcc=${gcc%.lua}
    mkdir -p "$machine/srv/some"
    mv "$work/installed" "$machine/srv/some/where else"
    for place in "$tree" /srv/elsewhere "/srv/some/where else"; do
        if [ "$place" = /srv/elsewhere ]; then mv "$machine$tree" "$machine$place"; fi
        expect 0 in_machine bash -c ". /usr/share/lmod/lmod/init/bash && module use '$place/lmod/Core' &&
            echo first: && module -t avail 2>&1 && ! module load slurm 2>&1 && module load gcc &&
            echo second: && module -t avail 2>&1 && module load slurm && command -v sinfo && echo \$MANPATH &&
            module load slurm/${version%.*} && module unload gcc 2>&1 && echo third: && module -t list 2>&1; ! command -v sinfo"
        # Slurm shows when the compiler is loaded, and goes with it.
        sed -n '/^first:/,/^second:/p' "$work/out" >"$work/first"
        grep -qx "gcc/$gcc" "$work/first" || fail "no gcc/$gcc is shown at first"
        if grep -q "^slurm/$version" "$work/first"; then fail 'slurm is shown before its compiler'; fi
        sed -n '/^second:/,/^third:/p' "$work/out" >"$work/second"
        grep -qE "^slurm/$version-$toolchain" "$work/second" || fail 'slurm is not shown after its compiler'
        grep -qx "$place/views/$version/bin/sinfo" "$work/second" || fail 'sinfo is not the tree'\''s'
        grep -q "^$place/views/$version/share/man" "$work/second" || fail 'there is no path to the manual pages'
        if sed -n '/^third:/,$p' "$work/out" | grep sinfo; then fail 'Slurm stays when its compiler goes'; fi
    done
    # The plain modules are there as ever, and the installer vouches for the whole tree.
    expect 0 in_machine bash -c ". /usr/share/lmod/lmod/init/bash && module use /srv/elsewhere/modules && module -t avail 2>&1"
    expect_said "^slurm/$version-$toolchain"
    if grep -E 'Core|gcc' "$work/out"; then fail 'the plain modules show the hierarchy'; fi
    expect 0 in_machine "/srv/elsewhere/$assets/slurm_install.sh" --full-init --dry-run --without-accounting
}

# From the series before to this one, with a running job and a full database; back by what was saved.
case_upgrade() {
    facts_of() { sed -n "s/^$1='\(.*\)'$/\1/p" "$e2e/built-24.11.env"; }
    older=$(facts_of version)
    machine_root "$toolchain-mariadb" mariadb-server
    machine_start "$toolchain-mariadb" "$work/machine"
    tree=/opt/site/slurm
    mkdir -p "$machine$tree"
    tar -xzf "$(facts_of bundle)" -C "$machine$tree"
    expect 0 in_machine "$tree/$assets/$older/slurm_install.sh" --full-init
    expect_said 'proved: sacct, through slurmdbd and its database'
    in_machine setpriv --reuid 65534 --regid 65534 --clear-groups "$tree/current/bin/sbatch" --output=/dev/null --chdir=/ \
        --wrap 'sleep 600' >"$work/out"
    wait_for 30 'the job to run' job_runs
    accounted >"$work/before"
    grep -q COMPLETED "$work/before" || fail 'no job in the database'

    tar -xzf "$bundle" -C "$machine$tree"
    installer=$tree/$assets/$version/slurm_install.sh
    backup=/var/lib/slurm/backup/$older-to-$version
    (cd "$machine" && find etc opt -xdev -type f -exec sha256sum {} + | sort) >"$work/files"
    expect 0 in_machine "$installer" --full-init --dry-run
    expect_said "^backup +of what Slurm $older left \(state, database\) to $backup"
    expect 2 in_machine "$installer" --full-init --no-start
    expect_said 'does not go with --no-start'
    (cd "$machine" && sha256sum --quiet -c "$work/files") || fail 'a refused upgrade has changed something'
    [ ! -e "$machine/var/lib/slurm/backup" ] || fail 'a refused upgrade has saved something'
    [ "$(readlink "$machine$tree/current")" = "views/$older" ] || fail 'a refused upgrade has switched'
    expect 0 in_machine "$installer" --full-init
    expect_said "made backup $backup" 'proved: sacct, through slurmdbd and its database'
    mode_is 700 root "$backup"
    [ -e "$machine$backup/slurmctld/job_state" ] || fail 'the state was not saved'
    grep -q 'cluster_job_table' "$machine$backup/slurm_acct_db.sql" || fail 'the database was not saved'
    job_runs || fail 'the job ended with the upgrade'
    accounted >"$work/after"
    grep -vxFf "$work/after" "$work/before" >"$work/lost" || say 'every job is still in the database'
    [ ! -s "$work/lost" ] || fail "lost: $(cat "$work/lost")"
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'

    say '== the older one refuses what the newer has converted; with what was saved it runs again'
    expect 1 in_machine "$tree/$assets/$older/slurm_install.sh" --full-init
    expect_said 'cannot read the state and the database of a later series' "to go back: uninstall $version"
    in_machine "$tree/current/bin/scancel" --state=RUNNING
    wait_for 180 'the job to end' job_is_gone
    expect 0 in_machine "$installer" --uninstall
    expect_said 'stays: /etc/slurm/.slurm-factory.json'
    expect 1 in_machine "$tree/$assets/$older/slurm_install.sh" --full-init
    expect_said 'of a later series'
    in_machine mv /var/lib/slurm/slurmctld /var/lib/slurm/slurmctld.newer
    in_machine cp -a "$backup/slurmctld" /var/lib/slurm/
    in_machine mv /etc/slurm/.slurm-factory.json /root/
    in_machine install -d -o mysql -m 755 /run/mysqld
    named_in_machine mariadbd mariadbd --user=mysql >"$work/mariadbd" 2>&1 </dev/null &
    wait_for 60 'MariaDB' in_machine mariadb -e 'SELECT 1'
    in_machine sh -c "mariadb -e 'DROP DATABASE slurm_acct_db' && mariadb <'$backup/slurm_acct_db.sql'"
    in_machine sh -c 'kill "$(cat /run/mariadbd.pid)"'
    wait_for 60 'MariaDB to end' mariadbd_is_gone
    expect 0 in_machine "$tree/$assets/$older/slurm_install.sh" --full-init
    expect_said 'proved: sacct, through slurmdbd and its database'
    accounted >"$work/after"
    grep COMPLETED "$work/before" | grep -vxFf "$work/after" >"$work/lost" || say 'back, with every job that had ended'
    [ ! -s "$work/lost" ] || fail "lost: $(cat "$work/lost")"
}
accounted() { in_machine "$tree/current/bin/sacct" -a -n -P -X -S now-1days -o JobID,State,Submit | sort; }

"case_$case_name"
say "$case_name: as it should be"
