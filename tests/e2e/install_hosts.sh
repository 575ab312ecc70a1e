#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for inner shells
# The bundle on several machines of one network, each with its roles: a cluster. One case a call: install_hosts.sh CASE
case_name=$1
test_name=e2e.install.$case_name
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/install_lib.sh"

# A cluster of four hosts: controller with slurmdbd and MariaDB, two compute hosts, a login host.
case_hosts() {
    machine_network
    machine_root "$toolchain-mariadb" mariadb-server
    machine_root "$toolchain-bare"
    tree=/opt/site/slurm
    installer=$tree/$assets/slurm_install.sh
    number=1
    mkdir "$work/shared"
    tar -xzf "$bundle" -C "$work/shared"
    : >"$work/shared/.sf-shared"
    for host in head node1 node2 login; do
        root=$toolchain-bare
        [ "$host" != head ] || root=$toolchain-mariadb
        machine_start "$root" "$work/$host" "$host" "10.9.9.$number"
        number=$((number + 1))
        printf '127.0.0.1 localhost\n10.9.9.1 head\n10.9.9.2 node1\n10.9.9.3 node2\n10.9.9.4 login\n' >"$machine/etc/hosts"
        mkdir -p "$machine$tree"
        # node1 has a tree of its own; the others share one, as they would over NFS.
        if [ "$host" = node1 ]; then
            tar -xzf "$bundle" -C "$machine$tree"
        else
            nsenter --target "$x_inside" --mount mount --bind "$work/shared" "$x_mounted$tree"
        fi
    done
    uids='--slurm-uid 64030 --munge-uid 64031'

    machine_use head
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$installer" --full-init --role controller,dbd --cluster-name alpha $uids \
        --nodes 'node[1-2]' --node-parameters "CPUs=$(nproc)"
    cat "$work/out"
    expect_said 'proved: sacctmgr: slurmdbd on .* knows slurmctld of cluster alpha'
    key_file=$machine/etc/munge/munge.key
    for host in node1 node2 login; do
        machine_use "$host"
        role=compute
        [ "$host" != login ] || role=login
        # shellcheck disable=SC2086  # words
        expect 1 in_machine "$installer" --full-init --role "$role" --controller head $uids
        expect_said 'munge.key, is missing' 'bring it from the controller'
        in_machine install -d -m 700 /etc/munge
        (umask 077 && cat "$key_file" >"$machine/etc/munge/munge.key")
        # shellcheck disable=SC2086  # words
        expect 0 in_machine "$installer" --full-init --role "$role" --controller head $uids
        cat "$work/out"
        mode_is 400 munge /etc/munge/munge.key
        [ ! -e "$machine/etc/slurm/slurm.conf" ] || fail "$host has a slurm.conf of its own"
        [ "$role" = compute ] || expect_said 'proved: sinfo, as nobody: 2 nodes$'
    done

    say '== jobs of the login host, on both compute hosts'
    machine_use login
    wait_for 60 'both nodes' two_nodes_are_idle
    [ "$(as_user srun -N2 hostname | sort | tr '\n' ' ')" = 'node1 node2 ' ] || fail 'srun -N2 does not run on both nodes'
    as_user sbatch --wait -N2 --output=/dev/null --chdir=/ --wrap 'srun sleep 1' >"$work/out" || fail 'sbatch -N2 fails'
    wait_for 60 'the job in the database' job_is_accounted

    say '== a job outlives its controller and its slurmd'
    as_user sbatch -N2 --output=/dev/null --chdir=/ --wrap 'sleep 600' >"$work/out"
    wait_for 30 'the job to run' job_is_running
    # slurmctld writes jobs down five seconds after they changed, at the latest (SAVE_MAX_WAIT).
    sleep 6
    machine_use head
    in_machine test -s /var/lib/slurm/slurmctld/assoc_usage || fail 'killed now, slurmctld would not start again'
    in_machine sh -c 'kill -KILL "$(cat /run/slurm/slurmctld.pid)"'
    machine_use node2
    in_machine sh -c 'kill -KILL "$(cat /run/slurmd.pid)"'
    wait_for 60 'slurmd to be started again' slurmd_runs
    machine_use login
    wait_for 60 'slurmctld to be started again' job_is_running
    in_machine "$tree/current/bin/scancel" --state=RUNNING
    wait_for 180 'the nodes to be idle' two_nodes_are_idle
    [ "$(as_user srun -N2 hostname | sort | tr '\n' ' ')" = 'node1 node2 ' ] || fail 'srun -N2 does not run any more'

    say '== again: nothing changes, anywhere; uninstall'
    for host in head node1 node2 login; do
        machine_use "$host"
        expect 0 in_machine "$installer" --full-init
        expect_said ': 0 changes$'
    done
    [ "$(leases_held)" = 'head login node2 ' ] || fail "these hosts have leases: $(leases_held)"
    machine_use node2
    jq -e .packages "$work/shared/.sf-leases/node2"-*.json | grep slurm- || fail "node2's lease does not name Slurm"
    for host in login node1 node2 head; do
        machine_use "$host"
        expect 0 in_machine "$installer" --uninstall
        if daemons | grep .; then fail "on $host these still run"; fi
        # What others are started by is theirs; the last one cannot know that it is.
        [ -L "$work/shared/current" ] || fail "$host has taken the link away that others run by"
    done
    [ -z "$(leases_held)" ] || fail "these leases are left: $(leases_held)"
}
leases_held() { (cd "$work/shared/.sf-leases" && for x_lease in *.json; do [ ! -e "$x_lease" ] || echo "${x_lease%%-*}"; done) | sort | tr '\n' ' '; }
two_nodes_are_idle() { [ "$(in_machine "$tree/current/bin/sinfo" -h -o '%T %D')" = 'idle 2' ]; }
job_is_accounted() { in_machine "$tree/current/bin/sacct" -a -n -P -X -o State,NNodes | grep -qx "COMPLETED|${1:-2}"; }
job_is_running() { [ "$(in_machine "$tree/current/bin/squeue" -h -o %T)" = RUNNING ]; }
slurmd_runs() { daemons | grep -qx slurmd; }

# Each role on a host of its own, and the database on one that has nothing of ours: what the smoke test of each
# proves, and what is said, before anything is changed, of a database that is down or does not let slurmdbd in.
case_roles() {
    machine_network
    machine_root "$toolchain-mariadb" mariadb-server
    machine_root "$toolchain-bare"
    tree=/opt/site/slurm
    installer=$tree/$assets/slurm_install.sh
    mkdir "$work/shared"
    tar -xzf "$bundle" -C "$work/shared"
    : >"$work/shared/.sf-shared"
    number=1
    for host in sql head db node1 login rest; do
        root=$toolchain-bare
        [ "$host" != sql ] || root=$toolchain-mariadb
        machine_start "$root" "$work/$host" "$host" "10.9.9.$number"
        number=$((number + 1))
        printf '127.0.0.1 localhost\n10.9.9.1 sql\n10.9.9.2 head\n10.9.9.3 db\n10.9.9.4 node1\n10.9.9.5 login\n10.9.9.6 rest\n' >"$machine/etc/hosts"
        case $host in
            sql) ;;
            db)
                mkdir -p "$machine$tree"
                tar -xzf "$bundle" -C "$machine$tree"
                ;;
            *)
                mkdir -p "$machine$tree"
                nsenter --target "$x_inside" --mount mount --bind "$work/shared" "$x_mounted$tree"
                ;;
        esac
    done
    uids='--slurm-uid 64030 --munge-uid 64031'

    say '== the controller, whose name leads nowhere, and whose first address others do not reach: it makes the keys'
    machine_use head
    sed -i '/head/d' "$machine/etc/hosts"
    nsenter --target "$x_inside" --net ip addr add 10.8.8.1/32 dev lo
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$installer" --full-init --no-start --role controller --address 10.9.9.2 --dbd-host db \
        --cluster-name alpha --nodes node1 --node-parameters "CPUs=$(nproc)" --jwt $uids
    expect_said 'not started'
    for line in 'SlurmctldHost=head(10.9.9.2)' 'AccountingStorageHost=db'; do
        grep -qxF "$line" "$machine/etc/slurm/slurm.conf" || fail "slurm.conf lacks $line"
    done
    # Ports that an administrator has chosen are kept, and are those that are waited for.
    sed -i 's/^SlurmctldPort=.*/SlurmctldPort=7817/; s/^SlurmdPort=.*/SlurmdPort=7818/' "$machine/etc/slurm/slurm.conf"
    expect 0 in_machine "$installer" --full-init --no-start
    expect_said 'slurm.conf was changed here and is kept'
    controller=$machine
    for host in db node1 login rest; do
        machine_use "$host"
        in_machine install -d -m 700 /etc/munge
        (umask 077 && cat "$controller/etc/munge/munge.key" >"$machine/etc/munge/munge.key")
    done

    say '== slurmdbd alone, with a database elsewhere: down, another port, a wrong password, no rights'
    machine_use db
    in_machine install -d -m 755 /etc/slurm
    (umask 077 && cat "$controller/etc/slurm/jwt_hs256.key" >"$machine/etc/slurm/jwt_hs256.key" &&
        echo wrong4word >"$machine/root/password")
    if in_machine sh -c 'command -v mariadb mysql mariadbd'; then fail 'this host is to have no client of databases'; fi
    words="--full-init --role dbd --db-host sql --db-port 3307 --db-user acct --db-password-file /root/password --jwt $uids"
    snapshot before
    refused_soon
    expect_said 'database server on sql, port 3307, cannot be reached' 'bind-address'
    unchanged before 'a database that is down'
    machine_use sql
    start_database
    in_machine mariadb -e "CREATE USER 'acct'@'10.9.9.3' IDENTIFIED BY 'right4word'"
    machine_use db
    refused_soon
    expect_said 'on sql, port 3307, does not let user acct in: 1045 .*Access denied' 'password in /root/password'
    (umask 077 && echo right4word >"$machine/root/password")
    unchanged before 'a wrong password'
    refused_soon --db-user other
    expect_said 'does not let user other in: [0-9]+ Access denied'
    refused_soon --db-port 3306
    expect_said 'on sql, port 3306, cannot be reached'
    machine_use sql
    port_is_taken 3308  # by one that says nothing
    machine_use db
    refused_soon --db-port 3308
    expect_said 'on sql, port 3308, does not answer within 15 s' 'firewall'
    machine_use sql
    port_is_free
    machine_use db
    refused_soon
    expect_said 'denied' "GRANT ALL ON slurm_acct_db"
    chmod 644 "$machine/root/password"
    refused_soon
    expect_said '/root/password has mode 0644: others can read the password' 'chmod 600'
    chmod 600 "$machine/root/password"
    port_is_taken 6819
    refused_soon
    expect_said 'port 6819, which slurmdbd needs, is in use' "ss -ltnp 'sport = :6819'"
    port_is_free
    machine_use sql
    in_machine mariadb -e "GRANT ALL ON slurm_acct_db.* TO 'acct'@'10.9.9.3'"
    machine_use db
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$installer" $words --dry-run
    expect_said '^service +slurmdbd as slurm'
    dry_run_waits
    unchanged before 'a refused installation'
    machine_use sql
    in_machine mariadb -N -e 'SHOW DATABASES' >"$work/out"
    if grep slurm_acct_db "$work/out"; then fail 'asking has made a database'; fi

    say '== and right'
    machine_use db
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$installer" $words
    cat "$work/out"
    expect_said 'proved: sacctmgr: slurmdbd answers, and reads its database'
    mode_is 600 slurm /etc/slurm/slurmdbd.conf
    mode_is 400 slurm /etc/slurm/jwt_hs256.key
    if grep -rlF right4word "$machine/var/log" "$machine/etc" "$machine/run" "$work/out" "$work/err" |
        grep -v '/etc/slurm/slurmdbd.conf$'; then fail 'the password is in these'; fi

    say '== the controller, once slurmdbd is there'
    machine_use head
    expect 0 in_machine "$installer" --start-services
    cat "$work/out"
    expect_said 'proved: slurmctld answers' 'proved: sacctmgr: slurmdbd on db knows slurmctld of cluster alpha'

    say '== a compute host, a login host, a host of slurmrestd'
    machine_use node1
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$installer" --full-init --role compute --controller head:7817 $uids
    expect_said 'proved: sinfo: node node1 is idle' 'proved: srun hostname, as nobody: node1'
    machine_use login
    # shellcheck disable=SC2086  # words
    expect 1 in_machine "$installer" --full-init --role login --controller sql $uids
    expect_said 'sackd does not listen after 30 s.*Failed to load configs' '/var/log/slurmd/supervisor.log'
    say '== a port in use: of which the controller says nothing yet, and of which it does'
    port_is_taken 6818
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$installer" --full-init --role login --controller head:7817 $uids
    expect_said "note: port 6818 was in use here: sackd needs it, unless slurmctld's SlurmdPort is another"
    port_is_free
    machine_use rest
    port_is_taken 7818
    # shellcheck disable=SC2086  # words
    expect 1 in_machine "$installer" --full-init --role rest --controller head:7817 $uids
    expect_said 'port 7818, which sackd needs, is in use' '/var/log/slurmd/supervisor.log'
    # What was fetched is known from then on.
    # shellcheck disable=SC2086  # words
    expect 1 in_machine "$installer" --full-init --role rest --controller head:7817 $uids
    expect_said 'port 7818, which sackd needs, is in use' "ss -ltnp 'sport = :7818'"
    port_is_free
    for host in login rest; do
        machine_use "$host"
        # shellcheck disable=SC2086  # words
        expect 0 in_machine "$installer" --full-init --role "$host" --controller head:7817 $uids
        cat "$work/out"
        expect_said 'proved: scontrol ping, by /run/slurm/conf/slurm.conf that sackd has fetched: slurmctld answers' \
            'proved: sinfo, as nobody: 1 node$'
        [ ! -e "$machine/etc/slurm/slurm.conf" ] || fail "$host has a slurm.conf of its own"
    done
    expect_said 'proved: slurmrestd answers a JSON Web Token, and nobody without one'
    mode_is 755 slurmrestd /run/slurmrestd

    say '== they are one cluster: a job of the login host, accounted in the database'
    machine_use login
    [ "$(as_user srun hostname)" = node1 ] || fail 'srun does not run on node1'
    wait_for 60 'the job in the database' job_is_accounted 1
    machine_use sql
    [ "$(in_machine mariadb -N -e 'SELECT COUNT(*) > 0 FROM slurm_acct_db.alpha_job_table')" = 1 ] ||
        fail 'no job is in the table'

    say '== again: nothing changes, anywhere'
    for host in db head node1 login rest; do
        machine_use "$host"
        expect 0 in_machine "$installer" --full-init
        expect_said ': 0 changes$'
    done

    say '== as if an earlier series had been here: its database is saved, or it is said that it was'
    machine_use db
    in_machine ln -s "$version" "$tree/views/24.11.5"
    in_machine ln -sfn views/24.11.5 "$tree/current"
    refused_soon
    expect_said 'mariadb-dump, which saves the database before an upgrade, is not installed' 'say --without-backup'
    expect 0 in_machine "$installer" --full-init --without-backup
    expect_said 'proved: sacctmgr: slurmdbd answers'
    [ ! -e "$machine/var/lib/slurm/backup" ] || fail '--without-backup has saved something'
    rm "$machine$tree/views/24.11.5"

    say '== the database is down while slurmdbd runs: a call says so, and touches nothing'
    machine_use sql
    in_machine sh -c 'kill "$(cat /run/mariadbd.pid)"'
    wait_for 60 'MariaDB to end' mariadbd_is_gone
    machine_use db
    (cd "$machine" && find etc opt -xdev -type f -exec sha256sum {} + | sort) >"$work/files"
    refused_soon
    expect_said 'database server on sql, port 3307, cannot be reached'
    (cd "$machine" && sha256sum --quiet -c "$work/files") || fail 'a database that is down has changed something'
    daemons | grep -qx slurmdbd || fail 'slurmdbd was stopped'
    expect 0 in_machine "$installer" --full-init --no-start
    expect_said 'warning: .*cannot be reached' ': 0 changes'

    say '== a boot, and the database comes up later'
    in_machine sh -c 'kill "$(cat /run/slurm-supervisor.pid)"'
    wait_for 60 'the daemons to end' no_daemon_runs
    in_machine "$installer" --start-services >"$work/started" 2>&1 </dev/null &
    starting=$!
    keep_pid "$starting"
    sleep 6
    machine_use sql
    start_database
    wait "$starting" || { cat "$work/started"; fail '--start-services does not wait for the database'; }
    grep 'cannot be reached.*it is asked again' "$work/started" || fail 'the database was there already'
    grep 'proved: sacctmgr: slurmdbd answers' "$work/started" || fail 'slurmdbd was not proved'
    machine_use db
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'
    for host in rest login node1 head db; do
        machine_use "$host"
        expect 0 in_machine "$installer" --uninstall
        if daemons | grep .; then fail "on $host these still run"; fi
    done
    expect_said 'stays: /etc/slurm/slurmdbd.conf'
}
no_daemon_runs() { ! daemons; }
# A dry run that asks the database, as $words have it, waits for its turn; one that asks nobody does not.
dry_run_waits() {
    named_in_machine holder flock --no-fork /run/slurm-setup.lock sleep 600 &
    keep_pid $!
    wait_for 10 'the lock to be held' lock_is_held
    expect 0 in_machine timeout 60 "$installer" --full-init --role controller --nodes node9 --without-accounting --dry-run
    expect_said '^service +slurmctld as slurm'
    # shellcheck disable=SC2086  # words
    in_machine "$installer" $words --dry-run >"$work/dry" 2>&1 </dev/null &
    dry=$!
    keep_pid "$dry"
    wait_for 20 'the dry run to wait' grep -q 'another slurm_install.sh is at work; waiting for it' "$work/dry"
    sleep 2
    if grep '^service' "$work/dry"; then fail 'the dry run tells its plan before its turn'; fi
    kill_in_machine holder
    wait "$dry" || { cat "$work/dry"; fail 'a dry run that has waited fails'; }
    grep -E '^service +slurmdbd as slurm' "$work/dry" || { cat "$work/dry"; fail 'a dry run that has waited tells no plan'; }
    rm "$machine/run/holder.pid"
    say '--dry-run has waited for its turn to ask the database'
}
lock_is_held() { ! in_machine flock --nonblock /run/slurm-setup.lock true; }
start_database() {
    in_machine install -d -o mysql -m 755 /run/mysqld
    named_in_machine mariadbd mariadbd --user=mysql --bind-address=0.0.0.0 --port=3307 >"$work/mariadbd" 2>&1 </dev/null &
    wait_for 60 'MariaDB' in_machine mariadb -e 'SELECT 1'
}
# refused_soon [WORD...]: as $words and these say; nobody waits for what does not answer.
refused_soon() {
    x_begin=$(date +%s)
    # shellcheck disable=SC2086  # words
    expect 1 in_machine "$installer" $words "$@"
    [ $(($(date +%s) - x_begin)) -le 30 ] || fail "it took $(($(date +%s) - x_begin)) s to say so"
    if grep -E '(right|wrong)4word' "$work/out" "$work/err"; then fail 'the password is printed'; fi
}

# Two series on the hosts of one cluster: what does not go together is refused before anything is changed, what
# does go together works. From 24.11 to this series, host by host.
case_skew() {
    older_fact() { sed -n "s/^$1='\(.*\)'$/\1/p" "$e2e/built-24.11.env"; }
    older=$(older_fact version)
    machine_network
    machine_root "$toolchain-mariadb" mariadb-server
    machine_root "$toolchain-bare"
    tree=/opt/site/slurm
    earlier=$tree/$assets/$older/slurm_install.sh
    later=$tree/$assets/$version/slurm_install.sh
    number=1
    for host in db head node1; do
        root=$toolchain-bare
        [ "$host" != db ] || root=$toolchain-mariadb
        machine_start "$root" "$work/$host" "$host" "10.9.9.$number"
        number=$((number + 1))
        printf '127.0.0.1 localhost\n10.9.9.1 db\n10.9.9.2 head\n10.9.9.3 node1\n' >"$machine/etc/hosts"
        mkdir -p "$machine$tree"
        tar -xzf "$(older_fact bundle)" -C "$machine$tree"
        tar -xzf "$bundle" -C "$machine$tree"
    done
    uids='--slurm-uid 64030 --munge-uid 64031'

    say "== $older: the controller, whose slurmdbd is on another host"
    machine_use head
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$earlier" --full-init --no-start --role controller --dbd-host db --cluster-name alpha \
        --nodes node1 --node-parameters "CPUs=$(nproc)" $uids
    controller=$machine
    for host in db node1; do
        machine_use "$host"
        in_machine install -d -m 700 /etc/munge
        (umask 077 && cat "$controller/etc/munge/munge.key" >"$machine/etc/munge/munge.key")
    done
    machine_use db
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$earlier" --full-init --role dbd $uids
    expect_said 'proved: sacctmgr: slurmdbd answers'
    machine_use head
    expect 0 in_machine "$earlier" --start-services
    expect_said 'proved: sacctmgr: slurmdbd on db knows slurmctld of cluster alpha'

    say '== a compute host that is later than its controller'
    machine_use node1
    snapshot before
    for word in '' --dry-run; do
        # shellcheck disable=SC2086  # words
        expect 1 in_machine "$later" --full-init --role compute --controller head $uids $word
        expect_said "slurmctld on head is of Slurm 24.11, and $version, which is to be set up here, is of a later series" \
            'in this order: slurmdbd, slurmctld, all other hosts' 'or take the bundle of Slurm 24.11 for this host'
    done
    unchanged before 'a host that is too late'
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$later" --full-init --no-start --role compute --controller head $uids
    expect_said 'warning: .*slurmctld on head is of Slurm 24.11'
    expect 1 in_machine "$later" --start-services
    expect_said 'slurmd does not listen' 'next: slurmctld on head is of Slurm 24.11'

    say '== of the series of its controller, from the same tree'
    expect 0 in_machine "$earlier" --full-init
    expect_said 'proved: sinfo: node node1 is idle' 'proved: srun hostname, as nobody: node1'

    say '== a controller that is later than its slurmdbd'
    machine_use head
    (cd "$machine" && find etc opt -xdev -type f -exec sha256sum {} + | sort) >"$work/files"
    expect 1 in_machine "$later" --full-init
    expect_said "slurmdbd on db does not talk with Slurm $version" 'in this order: slurmdbd, slurmctld, all other hosts'
    (cd "$machine" && sha256sum --quiet -c "$work/files") || fail 'a refused upgrade has changed something'
    [ "$(readlink "$machine$tree/current")" = "views/$older" ] || fail 'a refused upgrade has switched'
    daemons | grep -qx slurmctld || fail 'slurmctld was stopped'

    say '== in the order that is told; the compute host may wait'
    machine_use db
    expect 0 in_machine "$later" --full-init
    expect_said 'made backup' 'proved: sacctmgr: slurmdbd answers'
    machine_use head
    expect 0 in_machine "$later" --full-init
    expect_said 'made backup' 'proved: sacctmgr: slurmdbd on db knows slurmctld of cluster alpha'
    machine_use node1
    expect 0 in_machine "$earlier" --full-init
    expect_said 'proved: srun hostname, as nobody: node1' ': 0 changes$'
    expect 0 in_machine "$later" --full-init
    expect_said 'proved: srun hostname, as nobody: node1'
    [ "$(readlink "$machine$tree/current")" = "views/$version" ] || fail 'the compute host was not upgraded'
}

"case_$case_name"
say "$case_name: as it should be"
