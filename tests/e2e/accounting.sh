# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154  # variables of lib.sh and cluster.sh
# The accounting database of a cluster: the distribution's MariaDB, on a private data folder and inside the
# cluster's own network, and slurmdbd of the tree; sourced after cluster.sh.
#
#   accounting_start    between cluster_prepare and cluster_daemons: adds to slurm.conf, makes the
#                       database, starts slurmdbd, adds the cluster, an account and root to it
#   accounting_stop     both daemons
accounting_start() {
    x_database_start
    cat >>"$cluster/etc/slurm.conf" <<CONF
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=node1
AccountingStoragePass=$munge_socket
AccountingStorageEnforce=associations
CONF
    (
        umask 077
        cat >"$cluster/etc/slurmdbd.conf" <<CONF
DbdHost=node1
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$munge_socket
PidFile=$cluster/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=13306
StorageUser=slurm
StoragePass=$x_password
StorageLoc=slurm_acct_db
CONF
    )
    x_daemon slurmdbd "$view/sbin/slurmdbd" -D
    x_slurmdbd=$!
    wait_for 60 'slurmdbd' in_cluster timeout 5 sacctmgr -n -P show stats
    in_cluster timeout 30 sacctmgr -i -Q add cluster e2e
    in_cluster timeout 30 sacctmgr -i -Q add account lab Description=e2e Organization=e2e
    in_cluster timeout 30 sacctmgr -i -Q add user root Account=lab
    in_cluster sacctmgr -n -P show assoc format=cluster,account,user >"$work/assoc"
    grep -qx 'e2e|lab|root' "$work/assoc" || fail "the associations are: $(tr '\n' ' ' <"$work/assoc")"
}

x_database_start() {
    install -d -o nobody -m 700 "$cluster/mysql" "$cluster/mysql/tmp"
    # As nobody, and without what the machine's own MariaDB is told in /etc/mysql.
    mariadb-install-db --no-defaults --user=nobody --datadir="$cluster/mysql/data" --skip-test-db \
        --auth-root-authentication-method=socket >"$cluster/log/mysql-install.log" 2>&1 ||
        fail 'mariadb-install-db failed'
    x_daemon mariadbd mariadbd --no-defaults --user=nobody --datadir="$cluster/mysql/data" \
        --tmpdir="$cluster/mysql/tmp" --socket="$cluster/mysql/socket" --pid-file="$cluster/mysql/pid" \
        --bind-address=127.0.0.1 --port=13306 --skip-name-resolve --innodb-buffer-pool-size=128M \
        --innodb-lock-wait-timeout=900
    x_mariadbd=$!
    wait_for 60 'MariaDB' x_sql 'SELECT 1'
    x_password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
    x_sql "CREATE DATABASE slurm_acct_db; CREATE USER slurm@127.0.0.1 IDENTIFIED BY '$x_password';
        GRANT ALL ON slurm_acct_db.* TO slurm@127.0.0.1"
}
# As root by the socket: the statement comes from stdin, so that no password stands in a list of processes.
x_sql() { printf '%s\n' "$1" | mariadb --no-defaults --socket="$cluster/mysql/socket"; }

accounting_stop() {
    end_pid "$x_slurmdbd"
    end_pid "$x_mariadbd"
}
