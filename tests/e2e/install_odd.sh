# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2016,SC2034,SC2154  # words for inner shells; variables of install.sh, and for it
# The part of install.sh for odd machines: two installers at once, full disks, file systems that run nothing, packages of
# the distribution, and what else of the distribution has to do with ours: users and logs. Sourced by it.

# systemd-sysusers changes nothing where the users are, and makes the same ones where /etc begins anew.
users_come_again() {  # users_come_again USER...
    rules=/etc/sysusers.d/slurm-factory.conf
    mode_is 644 root "$rules"
    (cd "$machine/etc" && sha256sum passwd group) >"$work/accounts"
    expect 0 in_machine systemd-sysusers "$rules"
    (cd "$machine/etc" && sha256sum --quiet -c "$work/accounts") || fail 'systemd-sysusers has changed users that were there'
    in_machine rm -rf /root/anew
    in_machine install -D -m 644 "$rules" "/root/anew$rules"
    for turn in first second; do
        expect 0 in_machine systemd-sysusers --root=/root/anew
        [ ! -s "$work/err" ] || [ "$turn" = first ] || { cat "$work/err"; fail 'systemd-sysusers is not content'; }
    done
    for name; do
        for file in passwd group; do
            grep "^$name:" "$machine/etc/$file" >"$work/wanted" || fail "there is no $name in $file"
            grep "^$name:" "$machine/root/anew/etc/$file" | diff "$work/wanted" - || fail "$name is another in $file"
        done
    done
    [ "$(grep -c '^u ' "$machine$rules")" = $# ] || fail "not these users are in $rules: $*"
}

# Two installers on one machine: one waits for the other, and finds nothing to do.
case_two_at_once() {
    bare
    calls=
    for call in one two three; do
        in_machine "$installer" --full-init --without-accounting >"$work/$call" 2>&1 </dev/null &
        keep_pid $!
        calls="$calls $!"
    done
    for pid in $calls; do wait "$pid" || { tail -n 5 "$work/one" "$work/two" "$work/three"; fail 'an installation failed'; }; done
    (cd "$work" && grep -l 'another slurm_install.sh is at work; waiting for it' one two three) >"$work/waited"
    [ "$(grep -c . "$work/waited")" = 2 ] || { cat "$work/one" "$work/two" "$work/three"; fail 'not two of three have waited'; }
    for call in one two three; do
        grep -q 'proved: sbatch --array' "$work/$call" || fail "$call has proved nothing"
        changes=$(sed -n 's/.*: \([0-9]*\) changes$/\1/p' "$work/$call")
        if grep -qx "$call" "$work/waited"; then
            [ "$changes" = 0 ] || fail "$call has waited, and then made $changes changes"
        else
            [ "$changes" -gt 10 ] || fail "$call came first and made $changes changes only"
        fi
    done
    for daemon in slurm-setup munged slurmctld slurmd; do
        [ "$(daemons | grep -cx "$daemon")" = 1 ] || fail "not one $daemon runs, but: $(daemons | tr '\n' ' ')"
    done

    say '== who has the lock is killed: the next one goes on'
    named_in_machine victim "$installer" --full-init >"$work/killed" 2>&1 </dev/null &
    wait_for 10 'the lock to be held' lock_is_held
    in_machine "$installer" --full-init >"$work/one" 2>&1 </dev/null &
    pid=$!
    keep_pid "$pid"
    wait_for 10 'the second one to wait' grep -q 'waiting for it' "$work/one"
    kill_in_machine victim
    wait "$pid" || { cat "$work/one"; fail 'who waited for a killed installation has failed'; }
    grep -q ': 0 changes$' "$work/one" || { cat "$work/one"; fail 'the installation was not as it was'; }
}
lock_is_held() {
    x_lock=$machine/run/slurm-setup.lock
    [ -e "$machine/run/victim.pid" ] &&
        grep -q "$(printf ' 00:%02x:%s ' "$(stat -c %d "$x_lock")" "$(stat -c %i "$x_lock")")" /proc/locks
}

# A disk fills up: what, and where, is said; nothing is there by half, and the same call completes the work.
# What was begun and failed is written down, and that alone is left.
log_of_failure() {
    x_log=$machine/var/log/slurm-setup.log
    grep -qi -- "$1" "$x_log" || { cat "$x_log"; fail "the log of installations does not say: $1"; }
    rm "$x_log"
}

case_disk_full() {
    bare
    say '== while the tree is copied'
    in_machine mkdir /srv/site
    in_machine mount -t tmpfs -o size=20m,mode=755 none /srv/site
    snapshot before
    expect 1 in_machine "$installer" --full-init --without-accounting --no-start --prefix /srv/site/slurm
    expect_said 'not enough space: .*/srv/site/slurm, where 20' 'next: free some'
    log_of_failure 'not enough space'
    unchanged before 'an installation without room'
    # Room enough at first, but not for so many files.
    in_machine mount -o remount,size=2g,nr_inodes=200 /srv/site
    expect 1 in_machine "$installer" --full-init --without-accounting --no-start --prefix /srv/site/slurm
    expect_said '/srv/site/slurm.*no space left on device'
    log_of_failure 'no space left on device'
    unchanged before 'an installation without room'
    find "$machine/srv/site/slurm" -mindepth 1 -not -path '*/.sf-*' >"$work/left"
    [ ! -s "$work/left" ] || { cat "$work/left"; fail 'a part of the tree is there'; }
    in_machine mount -o remount,nr_inodes=100000 /srv/site
    expect 0 in_machine "$installer" --full-init --without-accounting --no-start --prefix /srv/site/slurm
    expect_said 'made software in /srv/site/slurm'
    expect 0 in_machine "/srv/site/slurm/$assets/slurm_install.sh" --full-init --no-start
    expect_said ': 0 changes'
    cp -a "$machine/etc/slurm" "$work/whole"
    expect 0 in_machine "$installer" --uninstall
    in_machine rm -rf /etc/slurm /etc/munge

    say '== while /etc/slurm is written: a page more each time'
    in_machine mkdir /etc/slurm
    in_machine mount -t tmpfs -o size=4k,mode=755 none /etc/slurm
    pages=1
    until in_machine "$installer" --full-init --without-accounting --no-start --prefix /srv/site/slurm \
        >"$work/out" 2>"$work/err" </dev/null; do
        expect_said '/etc/slurm/.*no space left on device'
        for path in "$machine/etc/slurm"/* "$machine/etc/slurm"/.[!.]*; do
            [ -e "$path" ] || continue
            case ${path##*/} in
                .slurm-factory.json) jq -e .schema "$path" >"$work/schema" || fail 'half a record' ;;
                *) cmp "$path" "$work/whole/${path##*/}" || fail "${path##*/} is there by half" ;;
            esac
        done
        pages=$((pages + 1))
        [ "$pages" -le 16 ] || fail 'there is never room enough'
        in_machine mount -o "remount,size=$((pages * 4))k" /etc/slurm
    done
    [ "$pages" -ge 4 ] || fail "there was room enough in $pages pages"
    say "complete with $pages pages"
    diff -r -x .slurm-factory.json "$work/whole" "$machine/etc/slurm" || fail '/etc/slurm is not what it was without a full disk'

    say '== no room for the secret'
    in_machine rm -r /etc/munge
    in_machine install -d -m 700 -o munge -g munge /etc/munge
    in_machine mount -t tmpfs -o size=4k,mode=700 none /etc/munge
    in_machine chown munge:munge /etc/munge
    in_machine sh -c 'head -c 4096 /dev/zero >/etc/munge/filler'
    expect 1 in_machine "$installer" --full-init --without-accounting --prefix /srv/site/slurm
    expect_said '/etc/munge/munge.key.*no space left on device'
    [ "$(in_machine ls -A /etc/munge)" = filler ] || fail "half a key is left: $(in_machine ls -lA /etc/munge)"
    in_machine rm /etc/munge/filler
    expect 0 in_machine "$installer" --full-init --without-accounting --prefix /srv/site/slurm
    expect_said 'proved: sbatch --array'
    mode_is 400 munge /etc/munge/munge.key
    [ "$(in_machine stat -c %s /etc/munge/munge.key)" = 1024 ] || fail 'the MUNGE key has not 1024 bytes'
}

# File systems that run no programs, or are mounted as hardening guides have it.
case_noexec() {
    bare
    in_machine mount --bind "$tree" "$tree"
    in_machine mount -o remount,bind,noexec "$tree"
    snapshot before
    expect 1 in_machine sh "$installer" --full-init --without-accounting
    expect_said 'slurm-setup cannot be run: permission denied' "mounted noexec: findmnt -T '$tree"
    unchanged before 'an installation from where nothing can be run'
    in_machine umount "$tree"
    in_machine mkdir /srv/data
    in_machine mount -t tmpfs -o mode=755,noexec none /srv/data
    snapshot before
    expect 1 in_machine "$installer" --full-init --without-accounting --prefix /srv/data/slurm
    expect_said '/srv/data/slurm is on a file system that is mounted noexec' 'next: choose another folder'
    [ -z "$(ls -A "$machine/srv/data")" ] || fail 'something was copied there'
    unchanged before 'an installation to where nothing can be run'
    # No set-user-id program and no device is in the tree; nothing is run from /tmp or /run.
    in_machine mount -o remount,exec,nosuid,nodev /srv/data
    for place in /tmp /run /dev/shm; do in_machine mount -o remount,noexec,nosuid,nodev "$place"; done
    expect 0 in_machine "$installer" --full-init --without-accounting --prefix /srv/data/slurm
    expect_said 'proved: sbatch --array'
}

# Slurm and MUNGE as the distribution packages them: its Slurm is not touched, its MUNGE is used.
case_distribution() {
    machine_root "$toolchain-packaged" slurmctld slurmd slurm-client munge
    machine_with "$toolchain-packaged"
    for program in /usr/sbin/slurmctld /usr/sbin/slurmd /usr/bin/srun /usr/sbin/munged; do
        in_machine test -x "$program" || fail "the packages have no $program"
    done
    # As their units start it: the address of the key and of the socket is the packages' own.
    in_machine install -d -o munge -g munge -m 755 /run/munge
    [ -s "$machine/etc/munge/munge.key" ] || in_machine setpriv --reuid munge --regid munge --clear-groups /usr/sbin/mungekey
    named_in_machine munged setpriv --reuid munge --regid munge --clear-groups /usr/sbin/munged --foreground \
        >"$work/munged" 2>&1 </dev/null &
    keep_pid $!
    wait_for 30 "the distribution's munged" in_machine sh -c 'munge -n | unmunge'
    snapshot before
    expect 1 in_machine "$installer" --full-init --without-accounting
    expect_said 'another Slurm is installed here: /usr/sbin/slurmctld, /usr/sbin/slurmd, .*/usr/bin/srun' \
        "put $tree/views/$version/bin into PATH"
    unchanged before 'a refused installation'
    # What the refusal proposes: beside it, without installing.
    [ "$(in_machine "$tree/views/$version/sbin/slurmctld" -V)" = "slurm $version" ] || fail "the tree cannot be used beside it"

    say '== its packages removed: its MUNGE and its users stay'
    expect 0 in_machine apt-get remove -y -q slurmctld slurmd slurm-client slurm-wlm-basic-plugins
    grep '^munge:\|^slurm:' "$machine/etc/passwd" >"$work/users"
    [ "$(grep -c . "$work/users")" = 2 ] || fail 'the packages have not made munge and slurm'
    cp "$machine/etc/munge/munge.key" "$work/key"
    expect 0 in_machine "$installer" --full-init --without-accounting
    cat "$work/out"
    expect_said 'proved: munge' 'proved: sbatch --array'
    [ "$(daemons | grep -c munged)" = 1 ] || fail 'not one munged runs'
    [ "$(in_machine sh -c 'readlink "/proc/$(cat /run/munged.pid)/exe"')" = /usr/sbin/munged ] || fail 'it is not the distribution'\''s'
    cmp "$work/key" "$machine/etc/munge/munge.key" || fail 'the MUNGE key has changed'
    grep -vxFf "$machine/etc/passwd" "$work/users" >"$work/lost" || say 'its users are as they were'
    [ ! -s "$work/lost" ] || fail "these users are others now: $(cat "$work/lost")"
    expect 0 in_machine "$installer" --uninstall
    [ "$(daemons)" = munged ] || fail "uninstall has left, or ended, too much: $(daemons)"
}

# Slurm's own authentication, set up by hand on what was installed, as docs/install.md says.
case_auth_by_hand() {
    head -c 1024 /dev/urandom >"$work/slurm.key"
    say '== with systemd: slurmctld and slurmdbd'
    systemd_machine
    expect 0 in_machine "$installer" --full-init --no-start --role controller,dbd --nodes node9 --node-parameters CPUs=1
    slurm_authenticates
    for daemon in slurmctld slurmdbd; do
        mkdir "$machine/etc/systemd/system/$daemon.service.d"
        printf '[Service]\nRuntimeDirectory=%s\n' "$daemon" >"$machine/etc/systemd/system/$daemon.service.d/auth.conf"
    done
    in_machine systemctl daemon-reload
    expect 0 in_machine "$installer" --start-services
    expect_said 'proved: slurmctld answers'
    in_machine systemctl stop munge
    expect 0 in_machine "$tree/current/bin/sacctmgr" -n -P show cluster format=cluster
    expect_said '^cluster$'
    expect 0 in_machine "$tree/current/bin/scontrol" ping
    expect_said 'is UP'
    machine_stop

    say '== two hosts without systemd'
    machine_network
    machine_root "$toolchain-mariadb" mariadb-server
    machine_root "$toolchain-bare"
    for host in head node1; do
        root=$toolchain-bare address=10.9.9.2
        [ "$host" != head ] || root=$toolchain-mariadb address=10.9.9.1
        machine_start "$root" "$work/$host" "$host" "$address"
        printf '127.0.0.1 localhost\n10.9.9.1 head\n10.9.9.2 node1\n' >"$machine/etc/hosts"
        mkdir -p "$machine$tree"
        tar -xzf "$bundle" -C "$machine$tree"
        set -- --role controller,dbd --cluster-name alpha --nodes node1 --node-parameters "CPUs=$(nproc)"
        if [ "$host" = node1 ]; then
            in_machine install -d -m 700 /etc/munge
            (umask 077 && cat "$work/munge.key" >"$machine/etc/munge/munge.key")
            set -- --role compute --controller head
        fi
        expect 0 in_machine "$installer" --full-init --no-start --slurm-uid 64030 --munge-uid 64031 "$@"
        slurm_authenticates
        if [ "$host" = head ]; then
            cp "$machine/etc/munge/munge.key" "$work/munge.key"
            in_machine install -d -o slurm -g slurm -m 755 /run/slurmctld /run/slurmdbd
        fi
        expect 0 in_machine "$installer" --start-services
        cat "$work/out"
    done
    wait_for 60 'the node' node_is_idle
    in_machine "$tree/current/bin/scontrol" show config >"$work/config"
    for wanted in AuthType.*auth/slurm CredType.*cred/slurm; do
        grep -q "$wanted" "$work/config" || fail "not so: $wanted"
    done
    say '== without munged, on both hosts'
    for host in head node1; do
        machine_use "$host"
        in_machine sh -c 'for p in /proc/[0-9]*; do if read -r n <$p/comm && [ "$n" = munged ]; then kill -STOP "${p##*/}"; fi; done'
    done
    [ "$(as_user timeout 60 srun hostname)" = node1 ] || fail 'srun needs MUNGE'
    as_user timeout 60 sbatch --wait --output=/dev/null --chdir=/ --wrap 'srun sleep 1' >"$work/out" || fail 'sbatch needs MUNGE'
    machine_use head
    wait_for 60 'the job in the database' job_is_there
}
slurm_authenticates() {
    in_machine install -m 600 -o slurm -g slurm /dev/null /etc/slurm/slurm.key
    cat "$work/slurm.key" >"$machine/etc/slurm/slurm.key"
    for conf in slurm slurmdbd; do
        [ -e "$machine/etc/slurm/$conf.conf" ] || continue
        sed -i 's#^\(AuthType\|CredType\)=\(.*\)/munge#\1=\2/slurm#' "$machine/etc/slurm/$conf.conf"
    done
}
job_is_there() { in_machine "$tree/current/bin/sacct" -a -n -P -X -o State,NodeList | grep -qx 'COMPLETED|node1'; }

# Logs are rotated by the distribution's logrotate: daemons go on, in a new file, and jobs are left alone.
case_logs() {
    machine_root "$toolchain-logs" systemd-sysv dbus mariadb-server logrotate
    boot_with "$toolchain-logs"
    expect 0 in_machine "$installer" --full-init
    main_pid() { in_machine systemctl show -P MainPID "$1"; }
    logs_are_rotated slurmctld slurmdbd slurmd
    machine_stop

    say '== without systemd'
    machine_start "$toolchain-logs" "$work/plain"
    mkdir -p "$machine$tree"
    tar -xzf "$bundle" -C "$machine$tree"
    expect 0 in_machine "$installer" --full-init
    main_pid() { case $1 in slurmd) cat "$machine/run/slurmd.pid" ;; *) cat "$machine/run/slurm/$1.pid" ;; esac; }
    logs_are_rotated slurmctld slurmdbd slurmd
    # What daemons print is cut short where it is, and the supervisor writes on at the beginning.
    [ -s "$machine/var/log/slurmd/slurmctld.console.log.1.gz" ] || fail 'what slurmctld prints is not rotated'
    in_machine sh -c 'kill -KILL "$(cat /run/slurmd.pid)"'
    wait_for 60 'slurmd to be started again' slurmd_is_back
    console=$machine/var/log/slurmd/slurmd.console.log
    [ "$(tr -d '\000' <"$console" | wc -c)" = "$(wc -c <"$console")" ] || fail 'the log of the console has a hole'
}
logs_are_rotated() {  # logs_are_rotated DAEMON...
    rules=/etc/logrotate.d/slurm-factory
    mode_is 644 root "$rules"
    expect 0 in_machine logrotate --debug "$rules"
    if grep -i 'error' "$work/out" "$work/err"; then fail 'logrotate finds fault with the rules'; fi
    in_machine setpriv --reuid 65534 --regid 65534 --clear-groups "$tree/current/bin/sbatch" --output=/dev/null --chdir=/ \
        --wrap 'sleep 600' >"$work/out"
    wait_for 30 'the job to run' job_runs
    for daemon; do main_pid "$daemon" >"$work/$daemon.pid"; done
    for turn in first second; do
        expect 0 in_machine logrotate --force --state /root/rotated "$rules"
        if grep -i 'error' "$work/out" "$work/err"; then fail 'logrotate fails'; fi
        for daemon; do
            log=/var/log/slurm/$daemon.log owner=slurm
            if [ "$daemon" = slurmd ]; then log=/var/log/slurmd/slurmd.log owner=root; fi
            [ -s "$machine$log.1" ] || fail "$log was not rotated, the $turn time"
            mode_is 640 "$owner" "$log"
            wait_for 10 "$daemon to open its new log, the $turn time" writes_to "$(cat "$work/$daemon.pid")" "$log"
            [ "$(main_pid "$daemon")" = "$(cat "$work/$daemon.pid")" ] || fail "$daemon was started again"
        done
        job_runs || fail 'the job ended with the rotation'
        # Something to write.
        in_machine setpriv --reuid 65534 --regid 65534 --clear-groups "$tree/current/bin/srun" true
        for log in slurm/slurmctld slurmd/slurmd; do [ -s "$machine/var/log/$log.log" ] || fail "$log.log stays empty"; done
    done
    [ -s "$machine/var/log/slurm/slurmctld.log.2.gz" ] || fail 'an older log is not compressed'
    wait_for 180 'the job to end' job_is_cancelled
}
writes_to() { [ "$1" != 0 ] && in_machine sh -c 'ls -l "/proc/$0/fd"' "$1" | grep -q -- "-> $2\$"; }
