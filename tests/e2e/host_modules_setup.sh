# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2016,SC2034,SC2154  # quotes: for inner shells; variables of lib.sh and host_modules.sh
# The two machines of host_modules.sh and what a site would set up there by hand; sourced after machine.sh.
#
#   two_machines        head and node1, from one root of the distribution's own packages, the bundle unpacked
#   databases           on head: PostgreSQL with users, which takes encrypted connections only; MariaDB's TLS
#   site_accounts HOST  users and groups from PostgreSQL
#   pam_database        in MariaDB: whom pam_mysql lets in by ssh, and the sessions that it opened
#   own_openssl_everywhere  auth/slurm, TLS to MariaDB; PAM for jobs; the daemons of head started again
#   compute_node        node1: slurmd, sshd with pam_mysql and pam_slurm_adopt
two_machines() {
    machine_network
    machine_root "$toolchain-modules" mariadb-server postgresql ssl-cert openssl libnss-pgsql2 libpam-mysql \
        openssh-server openssh-client
    tree=/opt/site/slurm
    node_tree=$tree
    installer=$tree/data/slurm_assets/slurm_install.sh
    x_number=1
    for x_host_name in head node1; do
        machine_start "$toolchain-modules" "$work/$x_host_name" "$x_host_name" "10.9.9.$x_number"
        x_number=$((x_number + 1))
        printf '127.0.0.1 localhost\n10.9.9.1 head\n10.9.9.2 node1\n' >"$machine/etc/hosts"
        mkdir -p "$machine$tree"
        tar -xzf "$bundle" -C "$machine$tree"
    done
    x_password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
}

postgresql() {  # postgresql STATEMENTS, on head
    printf '%s\n' "$1" | in_machine_of head setpriv --reuid postgres --regid postgres --init-groups \
        psql --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 "${2:-unix}"
}
mariadb_says() {  # mariadb_says STATEMENTS, on head
    printf '%s\n' "$1" | in_machine_of head mariadb --skip-column-names --batch
}

databases() {
    machine_use head
    echo "listen_addresses = '*'" >"$machine/etc/postgresql/15/main/conf.d/site.conf"
    printf 'local all postgres peer\nhostssl unix nss 10.9.9.0/24 scram-sha-256\n' >"$machine/etc/postgresql/15/main/pg_hba.conf"
    in_machine install -d -o postgres -g postgres -m 2775 /run/postgresql
    in_machine pg_ctlcluster 15 main start >"$work/postgresql.log" 2>&1 || { cat "$work/postgresql.log"; fail 'PostgreSQL does not start'; }
    postgresql 'CREATE DATABASE unix' postgres
    postgresql "
        CREATE TABLE users (name text PRIMARY KEY, uid integer, gid integer);
        CREATE TABLE groups (name text PRIMARY KEY, gid integer, members text[]);
        INSERT INTO users VALUES ('petra', 70001, 70001), ('paul', 70002, 70002);
        INSERT INTO groups VALUES ('physics', 70100, '{petra}');
        CREATE ROLE nss LOGIN PASSWORD '$x_password';
        GRANT SELECT ON users, groups TO nss"
    # Who gets an answer has encrypted: libpq knows no other way than the distribution's OpenSSL.
    expect 2 in_machine env "PGPASSWORD=$x_password" psql "hostaddr=10.9.9.1 dbname=unix user=nss sslmode=disable" -c 'SELECT 1'
    expect_said 'no encryption'

    in_machine install -d -o mysql /etc/mysql/tls
    in_machine sh -c 'cd /etc/mysql/tls && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj /CN=head -keyout key.pem -out cert.pem && chown mysql key.pem cert.pem' >"$work/openssl" 2>&1
    printf '[mariadbd]\nbind-address=0.0.0.0\nssl_cert=/etc/mysql/tls/cert.pem\nssl_key=/etc/mysql/tls/key.pem\n' \
        >"$machine/etc/mysql/mariadb.conf.d/99-site.cnf"
}

# The statements are told what the module wants: name, password, gecos, home, shell, uid, gid.
site_accounts() {
    machine_use "$1"
    x_user="SELECT name, '*', name, '/home/' || name, '/bin/sh', uid, gid FROM users"
    x_group="SELECT name, '*', gid, members FROM groups"
    cat >"$machine/etc/nss-pgsql.conf" <<CONF
connectionstring = hostaddr=10.9.9.1 dbname=unix user=nss password=$x_password sslmode=require connect_timeout=5
getpwnam = $x_user WHERE name = \$1
getpwuid = $x_user WHERE uid = \$1
allusers = $x_user
getgrnam = $x_group WHERE name = \$1
getgrgid = $x_group WHERE gid = \$1
allgroups = $x_group
getgroupmembersbygid = SELECT name FROM users WHERE gid = \$1
groups_dyn = SELECT gid FROM groups WHERE \$1 = ANY (members) AND gid <> \$2
CONF
    names_from pgsql
    expect 0 in_machine getent passwd petra
    expect_said '^petra:.*:70001:70001:'
    expect 0 in_machine id -G petra
    expect_said '^70001 .*70100'
    # munged asks for the members of each group.
    echo 'cluster:x:70200:petra' >>"$machine/etc/group"
}
# Not all groups: this libnss_pgsql waits for itself for ever where users are asked for between two groups, as
# munged does, whose build it may be.
names_from() {
    sed -i -e '/^initgroups:/d' -e "s/^passwd:.*/passwd: files $1/" "$machine/etc/nsswitch.conf"
    [ "$1" != pgsql ] || echo 'initgroups: files [SUCCESS=continue] pgsql' >>"$machine/etc/nsswitch.conf"
}

pam_database() {
    mariadb_says "
        CREATE DATABASE pam;
        CREATE TABLE pam.people (name varchar(32) PRIMARY KEY, password varchar(64), state int DEFAULT 0);
        CREATE TABLE pam.sessions (message varchar(255), name varchar(32), pid int, host varchar(64),
            remote varchar(64), at datetime);
        INSERT INTO pam.people (name, password) VALUES ('petra', '*');
        CREATE USER pam@'%' IDENTIFIED BY '$x_password';
        GRANT SELECT ON pam.people TO pam@'%';
        GRANT INSERT ON pam.sessions TO pam@'%'"
}
sessions() { mariadb_says "SELECT count(*) FROM pam.sessions WHERE name = '$1' AND message LIKE '%OPEN%'"; }
# The account of slurmdbd has no other way, and nobody else encrypts here.
slurmdbd_encrypts() {
    x_said=$(mariadb_says "SELECT ssl_type, (SELECT variable_value FROM information_schema.global_status
        WHERE variable_name = 'Ssl_accepts') > 0 FROM mysql.user WHERE user = 'slurm'")
    [ "$x_said" = "$(printf 'ANY\t1')" ] || fail "slurmdbd does not speak TLS to MariaDB: $x_said"
}

own_openssl_everywhere() {
    mariadb_says "ALTER USER slurm@localhost REQUIRE SSL"
    x_settings=$machine/etc/slurm/slurm.conf
    sed -i -e 's,^AuthType=.*,AuthType=auth/slurm,' -e 's,^CredType=.*,CredType=auth/slurm,' "$x_settings"
    printf '%s\n' UsePAM=1 PrologFlags=Contain LaunchParameters=disable_send_gids >>"$x_settings"
    sed -i -e 's,^AuthType=.*,AuthType=auth/slurm,' -e 's,^StorageHost=.*,StorageHost=127.0.0.1,' "$machine/etc/slurm/slurmdbd.conf"
    echo 'StorageParameters=SSL_CA=/etc/mysql/tls/cert.pem' >>"$machine/etc/slurm/slurmdbd.conf"
    (umask 077 && head -c 1024 /dev/urandom >"$machine/etc/slurm/slurm.key")
    in_machine chown slurm: /etc/slurm/slurm.key
    in_machine install -d -o slurm /run/slurmctld /run/slurmdbd
    start_again
}
start_again() {
    in_machine sh -c 'kill "$(cat /run/slurm-supervisor.pid)"'
    wait_for 60 'the daemons to end' daemons_are_gone
    expect 0 in_machine "$installer" --start-services
}
daemons_are_gone() { in_machine test ! -e /run/slurm-supervisor.pid; }

compute_node() {
    in_machine install -d -m 700 /etc/munge
    in_machine install -d /etc/slurm
    (umask 077 && cat "$machine_head/etc/munge/munge.key" >"$machine/etc/munge/munge.key" &&
        cat "$machine_head/etc/slurm/slurm.key" >"$machine/etc/slurm/slurm.key" &&
        cat >"$machine/etc/pam-mysql.conf" <<CONF
users.host=10.9.9.1
users.database=pam
users.db_user=pam
users.db_passwd=$x_password
users.table=people
users.user_column=name
users.password_column=password
users.status_column=state
users.password_crypt=9
log.enabled=true
log.table=sessions
log.message_column=message
log.user_column=name
log.pid_column=pid
log.host_column=host
log.rhost_column=remote
log.time_column=at
CONF
    )
    for x_kind in auth session; do
        echo "$x_kind required pam_mysql.so config_file=/etc/pam-mysql.conf"
    done >"$machine/etc/pam.d/slurm"
    echo 'session required pam_limits.so' >>"$machine/etc/pam.d/slurm"
    become_a_node

    in_machine_of head ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
    for x_name in petra paul; do
        x_uid=$(in_machine id -u "$x_name")
        in_machine install -d -o "$x_uid" -g "$x_uid" -m 700 "/home/$x_name" "/home/$x_name/.ssh"
        cat "$machine_head/root/.ssh/id_ed25519.pub" >"$machine/home/$x_name/.ssh/authorized_keys"
    done
    cp "$machine/etc/pam.d/sshd" "$work/pam.sshd"
    modules_of_ours
    in_machine install -d /run/sshd
    in_machine /usr/sbin/sshd -E /var/log/slurmd/sshd.log
}
become_a_node() {
    expect 0 in_machine "$node_tree/data/slurm_assets/slurm_install.sh" --full-init --role compute --controller head \
        --slurm-uid 64030 --munge-uid 64031
}
in_machine_of() {  # in_machine_of HOST COMMAND...
    x_before="$x_inside $machine"
    machine_use "$1"
    shift
    x_code=0
    in_machine "$@" || x_code=$?
    x_inside=${x_before% *} machine=${x_before#* }
    return "$x_code"
}
# As docs/install.md tells administrators: a path for PAM, a link for the C library.
modules_of_ours() {
    sed "/^@include common-account/a account required pam_mysql.so config_file=/etc/pam-mysql.conf\n\
account required $node_tree/current/lib/security/pam_slurm_adopt.so" "$work/pam.sshd" >"$machine/etc/pam.d/sshd"
    # su is a setuid program; whom it lets in is of no matter here.
    printf '%s\n' 'auth required pam_permit.so' 'session required pam_permit.so' \
        "account required $node_tree/current/lib/security/pam_slurm_adopt.so service=su" >"$machine/etc/pam.d/su"
    in_machine ln -sfn "$node_tree/current/lib/libnss_slurm.so.2" /usr/lib/x86_64-linux-gnu/libnss_slurm.so.2
}
