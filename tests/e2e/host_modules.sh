#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154  # what stands in single quotes is for inner shells; variables of lib.sh
# Modules of the distribution that bring its own OpenSSL into our daemons, and modules of ours in its programs,
# on two bare machines. Users live in PostgreSQL: libnss_pgsql, with TLS, in munged and all of Slurm's daemons.
# Sessions of jobs, and accounts of sshd, are asked of pam_mysql. pam_slurm_adopt lets ssh in, and su, a setuid
# program; where PostgreSQL is not asked, nss_slurm alone tells getent and setuid programs who the user of a job
# is; both once more after mv. With auth/slurm, JSON Web Tokens and TLS to MariaDB our OpenSSL is at work in the
# same processes.
test_name=e2e.host_modules
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/host_modules_setup.sh"
is_root || not_run 'a machine in namespaces of its own needs root'
bundle=''
# shellcheck source=/dev/null
. "$facts"

host_crypto='/usr/lib/.*/libcrypto\.so\.3$'
our_crypto='/libcrypto-sf\.so\.3$'

# find_process NAME PATTERN...: one of this name that has files of all these patterns mapped; its files in
# $work/maps.
find_process() {
    x_wanted=$1
    shift
    for x_folder in "$machine"/proc/[0-9]*; do
        # One that ends meanwhile is not meant.
        [ "$(cat "$x_folder/comm" 2>/dev/null)" = "$x_wanted" ] || continue
        sed -n 's/^[^ ]* r.xp [^/]*\(\/.*\)$/\1/p' "$x_folder/maps" 2>/dev/null | sort -u >"$work/maps"
        x_all=yes
        for x_pattern; do grep -qE -- "$x_pattern" "$work/maps" || x_all=no; done
        [ "$x_all" = no ] || return 0
    done
    return 1
}
# both_openssls NAME PATTERN...: ours and the host's, and these files, in one process that still works.
both_openssls() {
    # A step of a job appears after the job.
    x_tries=0
    until find_process "$@" "$host_crypto" "$our_crypto" || [ "$x_tries" = 100 ]; do
        x_tries=$((x_tries + 1))
        sleep 0.1
    done
    [ "$x_tries" -lt 100 ] || { cat "$work/maps"; fail "no $1 has mapped both OpenSSLs and all of: $*; above the last one's files"; }
    say "$1: $(grep -oE '/(libcrypto|libssl|libmariadb|libnss_pgsql|pam_mysql|pam_slurm_adopt)[^/]*$' "$work/maps" | tr -d '\n/' |
        sed 's/lib/ lib/g; s/pam_/ pam_/g')"
}

# By number: that its groups are known in a job is slurmctld's work. libpq looks for certificates in HOME.
as() {  # as UID COMMAND...
    x_uid=$1
    shift
    in_machine setpriv --reuid "$x_uid" --regid "$x_uid" --clear-groups env HOME=/ PATH="$tree/current/bin:/usr/bin:/bin" "$@"
}
idle() { [ "$(in_machine timeout 20 "$tree/current/bin/sinfo" -h -o %T)" = idle ]; }
queue_is_empty() { x_queue=$(in_machine timeout 20 "$tree/current/bin/squeue" -h) && [ -z "$x_queue" ]; }
petra_runs() { in_machine timeout 20 "$tree/current/bin/squeue" -h -u petra -o %T | grep -qx RUNNING; }

ssh_to() { in_machine_of head timeout 60 ssh -o BatchMode=yes -o StrictHostKeyChecking=no "$1@node1" "$2"; }
nobody_becomes_petra() {
    in_machine_of node1 setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ su petra --shell /bin/sh -c "$1"
}
ssh_is_as_it_should() {
    expect 0 ssh_to petra 'echo "job $SLURM_JOB_ID of $(id -un)"'
    expect_said "^job $job of petra$"
    mariadb_says "UPDATE pam.people SET state = 1 WHERE name = 'petra'"
    expect 255 ssh_to petra true
    mariadb_says "UPDATE pam.people SET state = 0 WHERE name = 'petra'"
    expect 0 nobody_becomes_petra 'echo "job $SLURM_JOB_ID of $(id -un)"'
    expect_said "^job $job of petra$"
    ssh_to petra 'sleep 600' >"$work/ssh" 2>&1 </dev/null &
    x_ssh=$!
    keep_pid "$x_ssh"
    both_openssls sshd /pam_slurm_adopt.so /libslurm.so security/pam_mysql
    end_pid "$x_ssh"
}
ssh_is_refused() {
    expect 255 ssh_to petra true
    expect_said 'Access denied by pam_slurm_adopt'
    expect 1 nobody_becomes_petra true
    expect_said 'Access denied by pam_slurm_adopt'
}
job_of_petra() {  # which runs until end_job
    machine_use head
    as 70001 sbatch --parsable --chdir=/ --output=/dev/null --wrap 'sleep 600' >"$work/job"
    job=$(cat "$work/job")
    wait_for 30 'the job of petra to run' petra_runs
}
end_job() {
    machine_use head
    expect 0 in_machine "$tree/current/bin/scancel" "$job"
    wait_for 60 'no job' queue_is_empty
}
# It answers the processes of a job, and nobody else. passwd is a setuid program.
nss_slurm_serves() {
    machine_use node1
    for x_program in passwd su; do [ -u "$machine/usr/bin/$x_program" ] || fail "$x_program is no setuid program"; done
    names_from slurm
    job_of_petra
    expect 0 as 70001 timeout 60 srun --overlap --jobid="$job" sh -c 'id -un; passwd -S; getent passwd petra'
    expect_said '^petra$' '^petra [PLN]' '^petra:.*:70001:70001:'
    machine_use node1
    expect 2 in_machine getent passwd petra
    end_job
    machine_use node1
    names_from pgsql
}

two_machines
databases
site_accounts head
site_accounts node1

say '== the installer, where users come from PostgreSQL'
machine_use head
expect 0 in_machine "$installer" --full-init --role controller,dbd,rest --jwt --cluster-name mods \
    --nodes node1 --node-parameters "CPUs=$(nproc)" --slurm-uid 64030 --munge-uid 64031
expect_said 'proved: munge' 'proved: slurmrestd answers a JSON Web Token, and nobody without one'
pam_database
own_openssl_everywhere
expect 0 in_machine "$tree/current/bin/sacctmgr" -i add account lab Description=e2e Organization=e2e
expect 0 in_machine "$tree/current/bin/sacctmgr" -i add user petra,paul Account=lab
machine_use node1
compute_node
machine_use head
wait_for 60 'the node' idle

say '== jobs of users that only PostgreSQL knows'
expect 0 as 70001 timeout 60 srun sh -c 'id -un; id -G'
expect_said '^petra$' '^70001 70100 70200$'
expect 0 in_machine env HOME=/ timeout 60 "$tree/current/bin/sbatch" --uid=petra --wait --chdir=/ --output=/dev/null \
    --wrap 'test "$(id -un)" = petra'
token=$(in_machine "$tree/current/bin/scontrol" token username=petra lifespan=300 | sed -n 's/^SLURM_JWT=//p')
[ -n "$token" ] || fail 'there is no token for petra'
expect 0 in_machine env "SLURM_JWT=$token" "$tree/current/bin/sacct" -n -X -P -o User,Account,State
expect_said '^petra\|lab\|COMPLETED$'
rest() {
    curl -sS --fail --max-time 20 --unix-socket "$machine/run/slurmrestd/slurmrestd.socket" \
        -H 'X-SLURM-USER-NAME: petra' -H "X-SLURM-USER-TOKEN: $token" "$@"
}
api=$(rest http://localhost/openapi/v3 |
    jq -r '[.paths | keys[] | capture("^/slurm/(?<v>v[0-9.]+)/jobs/$").v] | max')
rest "http://localhost/slurm/$api/jobs/" |
    jq -e '[.jobs[].user_name] | index("petra") != null' >"$work/out" ||
    fail 'slurmrestd knows no job of petra'
both_openssls munged libnss_pgsql libssl.so.3
both_openssls slurmrestd libnss_pgsql libssl.so.3
both_openssls slurmctld libnss_pgsql libssl.so.3
both_openssls slurmdbd libnss_pgsql libssl.so.3 libmariadb-sf
slurmdbd_encrypts
machine_use node1
both_openssls slurmd libnss_pgsql libssl.so.3

say '== the session of a job is asked of pam_mysql'
machine_use head
[ "$(sessions petra)" -ge 2 ] || fail 'pam_mysql has written no sessions of petra'
mariadb_says "ALTER USER pam@'%' ACCOUNT LOCK"
expect 1 as 70001 timeout 60 srun true
mariadb_says "ALTER USER pam@'%' ACCOUNT UNLOCK"
in_machine_of node1 grep -q 'pam_open_session: Authentication service cannot' /var/log/slurmd/slurmd.log ||
    fail 'not pam_mysql has refused the session'
wait_for 60 'the node' idle
job_of_petra
machine_use node1
both_openssls slurmstepd security/pam_mysql libmariadb.so.3 libnss_pgsql

say '== ssh to the node of a job, and to one without'
ssh_is_as_it_should
end_job
ssh_is_refused

say '== users that only nss_slurm knows, on the node of their job'
sed -i 's/^LaunchParameters=.*/LaunchParameters=enable_nss_slurm/' "$machine/etc/slurm/slurm.conf"
start_again
machine_use node1
start_again
nss_slurm_serves

say '== modules of ours from another place'
expect 0 in_machine "$installer" --uninstall
in_machine mkdir -p /srv/a/deeper
in_machine mv "$tree" /srv/a/deeper/place
node_tree=/srv/a/deeper/place
become_a_node
modules_of_ours
nss_slurm_serves
job_of_petra
machine_use node1
ssh_is_as_it_should
end_job
ssh_is_refused
say 'as it should be'
