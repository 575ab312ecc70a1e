# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2016,SC2154  # single quotes: for the shell of a job; variables of lib.sh, $facts
# A whole cluster of one node from a tree of ours, in its own network, host name and mount namespace;
# sourced after lib.sh. Needs root. Nothing of it touches the host's /etc, /run or network.
#
#   cluster_start VIEW FOLDER [NAME=VALUE...]  munged, slurmctld, slurmd from VIEW (bin, sbin, lib);
#                                              configuration and state in FOLDER; extra environment
#                                              ($munge_view: a tree of its own that has munged)
#   cluster_prepare, cluster_daemons           its two halves: what comes between them may change the
#                                              configuration and start more, by x_daemon
#   in_cluster COMMAND...                      runs it there, VIEW's bin and sbin first in PATH
#   cluster_jobs TREE                          srun, an array, REST with a JWT; all from below TREE
#   cluster_stop                               every daemon by its pid
#   libraries_are_found TREE                   every shared object of it, what it needs
#
# The node has no loopback address to listen on: Slurm wants a configured, non-loopback one.
cluster_address=10.9.9.1

# Every shared object of the tree finds what it needs, where ld.so itself looks.
libraries_are_found() {
    find "$1/store" -name '*.so*' -type f -exec ldd {} + >"$work/ldd" 2>&1
    if grep 'not found' "$work/ldd"; then fail 'libraries that ld.so does not find'; fi
    [ -z "$(find "$1/store" -xtype l -print)" ] || fail "links to nothing: $(find "$1/store" -xtype l -print)"
    say "ld.so finds what $(grep -c '^/.*:$' "$work/ldd") shared objects need"
}

cluster_start() {
    cluster_prepare "$@"
    cluster_daemons
}

cluster_prepare() {
    view=$1
    cluster=$2
    shift 2
    cluster_environment=$*
    munge_socket=$cluster/run/munge.socket
    mkdir -p "$cluster/etc" "$cluster/run" "$cluster/log" "$cluster/state" "$cluster/spool" "$cluster/out"
    chmod 755 "$cluster" "$cluster"/*
    chmod 700 "$cluster/state"
    show_logs_of "$cluster/log"
    (
        umask 077
        head -c 1024 /dev/urandom >"$cluster/etc/munge.key"
        head -c 32 /dev/urandom >"$cluster/etc/jwt_hs256.key"
    )
    cat >"$cluster/etc/slurm.conf" <<CONF
ClusterName=e2e
SlurmctldHost=node1($cluster_address)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$munge_socket
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key=$cluster/etc/jwt_hs256.key
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SlurmdParameters=config_overrides
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool
SlurmctldPidFile=$cluster/run/slurmctld.pid
SlurmdPidFile=$cluster/run/slurmd.pid
NodeName=node1 NodeAddr=$cluster_address CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=10 State=UP
CONF
    # 23.11 wants a plugin; that of version 1 touches nothing until one that confines jobs asks it to.
    case $version in
        23.11.*) echo 'CgroupPlugin=cgroup/v1' >"$cluster/etc/cgroup.conf" ;;
        *) echo 'CgroupPlugin=disabled' >"$cluster/etc/cgroup.conf" ;;
    esac

    printf '127.0.0.1 localhost\n%s node1\n' "$cluster_address" >"$cluster/etc/hosts"

    # The namespaces live as long as this process.
    unshare --net --uts --mount sh -c "hostname node1 && ip link set lo up &&
        ip addr add $cluster_address/24 dev lo && mount --bind '$cluster/etc/hosts' /etc/hosts &&
        : >'$cluster/run/ready' && exec sleep infinity" \
        >"$cluster/log/namespace.log" 2>&1 </dev/null &
    x_holder=$!
    keep_pid "$x_holder"
    wait_for 10 'the network namespace' test -e "$cluster/run/ready"

    x_daemon munged "${munge_view:-$view}/sbin/munged" --foreground --key-file="$cluster/etc/munge.key" \
        --socket="$munge_socket" --pid-file="$cluster/run/munged.pid" \
        --seed-file="$cluster/state/munged.seed"
    x_munged=$!
    wait_for 10 'munged' in_cluster munge -n -S "$munge_socket"
}

cluster_daemons() {
    x_daemon slurmctld "$view/sbin/slurmctld" -D
    x_slurmctld=$!
    x_daemon slurmd "$view/sbin/slurmd" -D
    x_slurmd=$!
    wait_for 60 'the node to be idle' x_node_is_idle
}
x_node_is_idle() { [ "$(in_cluster timeout 5 sinfo -h -o %T)" = idle ]; }

in_cluster() {
    # shellcheck disable=SC2086  # NAME=VALUE words without spaces
    nsenter --target "$x_holder" --net --uts --mount -- env -i \
        PATH="$view/bin:$view/sbin:${munge_view:+$munge_view/bin:}/usr/sbin:/usr/bin:/sbin:/bin" HOME=/ LC_ALL=C.UTF-8 \
        SLURM_CONF="$cluster/etc/slurm.conf" $cluster_environment "$@"
}
# The host's own curl, without the extra environment.
x_in_network() { nsenter --target "$x_holder" --net -- "$@"; }
# nsenter and env replace themselves: the pid of this job is the daemon's.
x_daemon() {
    x_name=$1
    shift
    x_spawn "$@" >"$cluster/log/$x_name.log" 2>&1 </dev/null &
    keep_pid $!
}
x_spawn() {
    # shellcheck disable=SC2086
    exec nsenter --target "$x_holder" --net --uts --mount -- env -i \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LC_ALL=C.UTF-8 \
        SLURM_CONF="$cluster/etc/slurm.conf" $cluster_environment "$@"
}

cluster_jobs() {
    x_tree=$(readlink -f "$1")
    # 1. One job, with its output through srun's own sockets.
    [ "$(in_cluster timeout 30 srun hostname)" = node1 ] || fail 'srun hostname does not print node1'
    x_ranks=$(in_cluster timeout 30 srun -n2 -l sh -c 'echo $SLURM_PROCID' | sort | tr '\n' ' ')
    [ "$x_ranks" = '0: 0 1: 1 ' ] || fail "srun -n2 prints: $x_ranks"
    say "srun: $(in_cluster timeout 30 srun sh -c 'echo "job $SLURM_JOB_ID on $(hostname)"')"

    # 2. An array, each task with a step of its own (srun comes from PATH: the tree's).
    cat >"$cluster/job.sh" <<'JOB'
#!/bin/sh
echo "task $SLURM_ARRAY_TASK_ID on $(srun hostname), srun from $(command -v srun)"
JOB
    in_cluster timeout 120 sbatch --parsable --wait --array=1-4%2 --chdir="$cluster/out" \
        --output="$cluster/out/array-%a.txt" "$cluster/job.sh" >"$cluster/out/array.id" ||
        fail 'the sbatch array failed'
    for x_task in 1 2 3 4; do
        [ "$(cat "$cluster/out/array-$x_task.txt")" = "task $x_task on node1, srun from $view/bin/srun" ] ||
            fail "array task $x_task wrote: $(cat "$cluster/out/array-$x_task.txt")"
    done
    say "sbatch array $(cat "$cluster/out/array.id"): $(cat "$cluster"/out/array-?.txt | wc -l) tasks done"

    # 3. Slurm found itself: its plugins are those of this tree.
    x_plugins=$(in_cluster scontrol show config | sed -n 's/^PluginDir *= //p')
    case $x_plugins in
        "$x_tree"/*) say "PluginDir: $x_plugins" ;;
        *) fail "PluginDir is '$x_plugins', not below '$x_tree'" ;;
    esac
    x_maps_are_ours munged "$x_munged"
    x_maps_are_ours slurmctld "$x_slurmctld"
    x_maps_are_ours slurmd "$x_slurmd"

    x_rest
}

# What a daemon has mapped lies in the tree or is the distribution's, and nothing of the distribution's
# is another build of a library that the tree brings (lib/libX-sf.so.N is upstream's libX.so.N).
x_maps_are_ours() {
    alive "$2" || fail "$1 is not running"
    x_mapped=$(sed -n 's/^[^ ]* r.xp [^/]*\(\/.*\)$/\1/p' "/proc/$2/maps" | sort -u)
    x_strangers=$(printf '%s\n' "$x_mapped" | awk -v tree="$x_tree/" -v twins="$(x_twins)" '
        index($0, tree) == 1 { next }
        $0 !~ /^(\/usr)?\/lib(64)?\// { print; next }
        { name = $0; sub(/.*\//, "", name); sub(/\.so.*/, "", name)
          if (index(twins, " " name " ")) print }')
    [ -z "$x_strangers" ] || fail "$1 has mapped: $x_strangers"
}

# " libcrypto libz ... ": what the tree's private libraries are called elsewhere.
x_twins() {
    find "$x_tree" -name '*-sf.so.*' | sed 's,.*/,,; s,-sf\.so.*,,' | sort -u | tr '\n' ' ' | sed 's/^/ /'
}

# slurmrestd as an unprivileged user, on the loopback address of the namespace, with JSON Web Tokens.
x_rest() {
    # Before 25.11 it ends where there is no accounting, unless told what to serve.
    x_plugins=
    case $version in 23.* | 24.*) x_plugins=SLURMRESTD_OPENAPI_PLUGINS=openapi/slurmctld ;; esac
    SLURM_JWT=daemon x_daemon slurmrestd \
        setpriv --reuid=65534 --regid=65534 --clear-groups env SLURM_JWT=daemon ${x_plugins:+"$x_plugins"} \
        "$view/sbin/slurmrestd" -a rest_auth/jwt 127.0.0.1:6820
    x_restd=$!
    x_token=$(in_cluster scontrol token lifespan=300 | sed -n 's/^SLURM_JWT=//p')
    [ -n "$x_token" ] || fail 'scontrol token gives no token'
    wait_for 20 'slurmrestd' x_curl -o /dev/null http://127.0.0.1:6820/openapi/v3
    x_api=http://127.0.0.1:6820/slurm/$(x_curl http://127.0.0.1:6820/openapi/v3 |
        jq -r '[.paths | keys[] | capture("^/slurm/(?<v>v[0-9.]+)/jobs/?$").v] | max')
    x_slash=/
    case $version in 23.*) x_slash= ;; esac

    x_curl "$x_api/ping$x_slash" >"$cluster/out/ping.json" || fail 'slurmrestd does not answer'
    [ "$(jq -r '.pings[0].responding // (.pings[0].pinged == "UP")' "$cluster/out/ping.json")" = true ] ||
        fail "slurmrestd says: $(cat "$cluster/out/ping.json")"
    jq -n --arg out "$cluster/out/rest.txt" --arg folder "$cluster/out" '{script:
        "#!/bin/sh\necho \"a job by REST on $(hostname)\"\n", job: {name: "rest",
        current_working_directory: $folder, environment: ["PATH=/usr/bin:/bin"],
        standard_output: $out}}' >"$cluster/out/request.json"
    x_curl -X POST -H 'Content-Type: application/json' --data "@$cluster/out/request.json" \
        "$x_api/job/submit" >"$cluster/out/submit.json" || fail 'slurmrestd refuses the job'
    [ "$(jq -r '.errors | length' "$cluster/out/submit.json")" = 0 ] ||
        fail "job by REST: $(jq -c .errors "$cluster/out/submit.json")"
    wait_for 30 "the output of the job by REST" grep -q . "$cluster/out/rest.txt"
    [ "$(cat "$cluster/out/rest.txt")" = 'a job by REST on node1' ] ||
        fail "the job by REST wrote: $(cat "$cluster/out/rest.txt")"
    say "REST with a JWT: job $(jq -r .job_id "$cluster/out/submit.json"): $(cat "$cluster/out/rest.txt")"

    # Without a token slurmrestd refuses; one that the key did not sign is refused by slurmctld.
    x_refused 401 'X-SLURM-USER-TOKEN:'
    case $version in
        23.11.*) x_forged=500 ;;  # has no code for it yet
        *) x_forged=511 ;;
    esac
    x_refused "$x_forged" "X-SLURM-USER-TOKEN: ${x_token%????????}AAAAAAAA"
    x_maps_are_ours slurmrestd "$x_restd"
    end_pid "$x_restd"
}
x_curl() {
    x_in_network curl -sS --fail --max-time 20 -H "X-SLURM-USER-NAME: root" \
        -H "X-SLURM-USER-TOKEN: $x_token" "$@"
}
x_refused() {  # x_refused CODE HEADER
    x_code=$(x_in_network curl -sS -o "$cluster/out/refused.json" -w '%{http_code}' --max-time 20 \
        -H 'X-SLURM-USER-NAME: root' -H "$2" "$x_api/jobs$x_slash")
    [ "$x_code" = "$1" ] || fail "a request with '${2%%:*}' forged or absent answers $x_code, not $1"
    if grep -q '"job_id"' "$cluster/out/refused.json"; then fail 'a forged token is shown jobs'; fi
}

cluster_stop() {
    for x_daemon_pid in "$x_slurmd" "$x_slurmctld" "$x_munged" "$x_holder"; do end_pid "$x_daemon_pid"; done
}
