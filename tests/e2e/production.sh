#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a production site switches on, from the bundle that build.sh made, unpacked at a random path,
# and once more where `mv` puts it: accounting with slurmdbd and a real MariaDB, a job_submit script
# in Lua, PMIx as the default for srun, programs that speak PMI-2 and PMIx, profiles in HDF5, jobs
# sent to Elasticsearch, GPU detection on a node without a GPU, and the Perl scripts. Then with other
# settings: the GPU plugins with stand-ins for the libraries of drivers (a real driver is proven only
# on a machine with a GPU), profiles sent to InfluxDB, energy by IPMI on a node without a BMC.
# shellcheck disable=SC2016  # what stands in single quotes is for the shell of a job
test_name=e2e.production
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"
. "$(dirname "$0")/accounting.sh"
is_root || not_run 'starting the daemons in a network namespace of their own needs root'
bundle='' version='' placeholder=''
# shellcheck source=/dev/null
. "$facts"

live() {  # live TITLE TREE FOLDER
    say "== $1"
    [ ! -e "$placeholder" ] || fail "the build prefix $placeholder exists on this machine"
    x_tree=$(readlink -f "$2")
    libraries_are_found "$x_tree"
    cluster_prepare "$2/views/$version" "$3"
    configure
    listen
    accounting_start
    cluster_daemons
    lua_decides
    pmix_serves
    clients_meet
    jobs_are_accounted
    profile_is_written
    no_gpu_is_said
    jobs_are_posted
    x_maps_are_ours slurmdbd "$x_slurmdbd"
    daemons_end
    drivers_are_there
    others_find_none
    configure_devices
    cluster_daemons
    gpu_is_given
    profile_is_posted
    no_bmc_is_said
    daemons_end
    accounting_stop
    end_pid "$x_listener"
    end_pid "$x_munged"
    end_pid "$x_holder"
}

daemons_end() {
    x_maps_are_ours slurmctld "$x_slurmctld"
    x_maps_are_ours slurmd "$x_slurmd"
    end_pid "$x_slurmd"
    end_pid "$x_slurmctld"
}

configure() {
    sed -i 's,^MpiDefault=.*,MpiDefault=pmix,' "$cluster/etc/slurm.conf"
    mkdir "$cluster/profile"
    chmod 1777 "$cluster/profile"
    cat >>"$cluster/etc/slurm.conf" <<CONF
JobSubmitPlugins=lua
CliFilterPlugins=lua
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
AcctGatherProfileType=acct_gather_profile/hdf5
GresTypes=gpu
JobCompType=jobcomp/elasticsearch
JobCompLoc=$x_posts/slurm/_doc
CONF
    echo "ProfileHDF5Dir=$cluster/profile" >"$cluster/etc/acct_gather.conf"
    echo 'AutoDetect=nvml' >"$cluster/etc/gres.conf"
    cat >"$cluster/etc/job_submit.lua" <<'LUA'
function slurm_job_submit(job, partitions, uid)
    if job.name == "forbidden" then
        slurm.log_user("no job of this name, says %s", _VERSION)
        return slurm.ERROR
    end
    job.comment = string.format("seen by %s for uid %d", _VERSION, uid)
    return slurm.SUCCESS
end
function slurm_job_modify(job, record, partitions, uid)
    return slurm.SUCCESS
end
return slurm.SUCCESS
LUA
    cat >"$cluster/etc/cli_filter.lua" <<'LUA'
function slurm_cli_setup_defaults(options, early)
    return slurm.SUCCESS
end
function slurm_cli_pre_submit(options, offset)
    if options["job-name"] == "filtered" then
        slurm.log_error("filtered by cli_filter.lua")
        return slurm.ERROR
    end
    return slurm.SUCCESS
end
function slurm_cli_post_submit(offset, job, step)
    return slurm.SUCCESS
end
return slurm.SUCCESS
LUA
}

lua_decides() {
    expect 1 in_cluster timeout 30 srun --job-name=forbidden true
    expect_said 'no job of this name, says Lua 5\.4'
    expect 1 in_cluster timeout 30 srun --job-name=filtered true
    expect_said 'filtered by cli_filter.lua'
    x_comment=$(in_cluster timeout 30 srun --job-name=welcome sh -c \
        'scontrol show job "$SLURM_JOB_ID"' | sed -n 's/^ *Comment=\(.*[^ ]\) *$/\1/p')
    [ "$x_comment" = 'seen by Lua 5.4 for uid 0' ] || fail "job_submit.lua left the comment '$x_comment'"
    say "job_submit.lua and cli_filter.lua: $x_comment; two jobs refused"
}

pmix_serves() {
    in_cluster srun --mpi=list >"$work/mpi" 2>&1
    for x_type in pmix pmix_v5 pmi2; do
        grep -qw "$x_type" "$work/mpi" || fail "srun --mpi=list names no $x_type: $(cat "$work/mpi")"
    done
    # By default and by name: each task is a client of slurmstepd's PMIx server.
    for x_mpi in '' --mpi=pmix --mpi=pmix_v5; do
        # shellcheck disable=SC2086  # none or one word
        x_ranks=$(in_cluster timeout 30 srun $x_mpi -n2 sh -c \
            'echo "$PMIX_RANK of $PMIX_NAMESPACE, ${PMIX_SERVER_URI41:+server}"' | sort | tr '\n' ';')
        case $x_ranks in
            '0 of slurm.pmix.'*', server;1 of slurm.pmix.'*', server;') ;;
            *) fail "srun $x_mpi -n2 gives: $x_ranks" ;;
        esac
    done
    say "srun -n2 with PMIx: $x_ranks"

    # The server in slurmstepd is the tree's own.
    stepd_has libpmix.so --mpi=pmix
}
# stepd_has FILES OPTION...: of a step with these options; all that it has mapped is ours.
stepd_has() {
    x_files=$1
    shift
    in_cluster timeout 30 srun "$@" -n1 sleep 20 >"$work/sleep" 2>&1 &
    x_srun=$!
    keep_pid "$x_srun"
    wait_for 20 "a slurmstepd that has mapped $x_files" x_find_stepd
    x_maps_are_ours slurmstepd "$x_stepd"
    end_pid "$x_srun" KILL
    in_cluster scancel --user=root
}
x_find_stepd() {
    for x_maps in /proc/[0-9]*/maps; do
        x_stepd=${x_maps#/proc/}
        x_stepd=${x_stepd%/maps}
        case $(readlink "/proc/$x_stepd/exe") in "$x_tree"/*/slurmstepd) ;; *) continue ;; esac
        # shellcheck disable=SC2086  # words
        if x_has_mapped "$x_stepd" $x_files; then return 0; fi
    done
    return 1
}
x_has_mapped() {  # x_has_mapped PID FILE...: files whose names begin so
    x_of=/proc/$1/maps
    shift
    for x_file; do
        grep -qF "/$x_file" "$x_of" 2>/dev/null || return 1
    done
}

# Programs of a site, built with the headers of the packages and linked with the tree's libraries.
clients_meet() {
    x_slurm=$(dirname "$(readlink -f "$view/lib")")
    x_pmix=$(readlink -f "$x_slurm/.sf/deps/pmix")
    mkdir "$cluster/headers"
    for x_package in "$x_slurm" "$x_pmix"; do
        tar --zstd -xf "$state/packages/${x_package##*/}/dev.tar.zst" -C "$cluster/headers"
    done
    x_client pmi2 "$x_slurm" libpmi2.so.0
    x_client pmix "$x_pmix" libpmix-sf.so.2
    x_two='0 of 2: the word of 1;1 of 2: the word of 0;'
    for x_mpi in pmi2 pmix; do
        x_ranks=$(in_cluster timeout 30 srun "--mpi=$x_mpi" -n2 "$cluster/out/$x_mpi" |
            sort | tr '\n' ';')
        [ "$x_ranks" = "$x_two" ] || fail "two clients of $x_mpi say: $x_ranks"
    done
    # One more task is asked for: the srun that runs it is the one beside Slurm's libraries.
    x_more=$(in_cluster SLURM_OVERLAP=1 timeout 60 srun --mpi=pmi2 -n1 \
        "$cluster/out/pmi2" "$cluster/out/pmi2" |
        sed 's/^\(spawned the job\) [0-9.]*-1$/\1/' | sort | tr '\n' ';')
    [ "$x_more" = '0 of 1: the word of 0;spawned 0 of 1: the word of 0;spawned the job;' ] ||
        fail "PMI2_Job_Spawn: the clients say: $x_more"
    say "clients of libpmi2 and of libpmix: $x_ranks"
    say "PMI2_Job_Spawn: $x_more"
}
x_client() {  # x_client NAME FOLDER SONAME
    gcc -Wall -Werror -I"$cluster/headers/${2##*/}/include" -o "$cluster/out/$1" \
        "$repository/tests/e2e/$1_client.c" -L"$2/lib" -l:"$3" "-Wl,-rpath,$2/lib" ||
        fail "cannot build a client of $3"
    ldd "$cluster/out/$1" | grep -qF "$3 => $2/lib/$3 " || fail "the client does not find $3 of $2"
}

jobs_are_accounted() {
    in_cluster timeout 60 sbatch --parsable --wait -n2 --account=lab --chdir=/ --output=/dev/null \
        --wrap 'srun -n2 true; exit 3' >"$work/job" || x_code=$?
    x_job=$(cat "$work/job")
    [ -n "$x_job" ] || fail 'sbatch printed no job id'
    x_failed_job=$x_job
    x_wanted="$x_job|FAILED|3:0|lab
$x_job.0|COMPLETED|0:0|lab"
    wait_for 30 'the job in the database' x_accounted
    say "sacct through slurmdbd and MariaDB: $(x_sacct | tr '\n' ' ')"

    # The same by Perl: seff asks slurmdbd, qstat asks slurmctld.
    expect 0 in_cluster seff "$x_job"
    expect_said "^Job ID: $x_job" 'FAILED \(exit code 3\)'
    expect 0 in_cluster qstat -Q
    expect_said '^all '
    expect 0 in_cluster sreport -n -P cluster utilization start=now-1hours
}
x_sacct() { in_cluster sacct -n -P -j "$x_job" -o JobID,State,ExitCode,Account | grep -v '\.batch'; }
x_accounted() { [ "$(x_sacct)" = "$x_wanted" ]; }

profile_is_written() {
    x_job=$(in_cluster timeout 60 sbatch --parsable --wait --profile=task --acctg-freq=task=1 --chdir=/ \
        --output=/dev/null --wrap 'sleep 3')
    expect 0 in_cluster sh5util --jobs="$x_job" --output="$cluster/out/profile.h5"
    expect 0 in_cluster sh5util --jobs="$x_job" --extract --series=Tasks/0 --input="$cluster/out/profile.h5" \
        --output="$cluster/out/profile.csv"
    grep -qi 'RSS' "$cluster/out/profile.csv" || fail "sh5util extracts: $(head -n 3 "$cluster/out/profile.csv")"
    say "sh5util: $(wc -l <"$cluster/out/profile.csv") lines of job $x_job's profile"
}

# Asked to look for NVIDIA GPUs on a node without their driver, slurmd says so and goes on.
no_gpu_is_said() {
    grep -q "configured with nvml functionality, but that lib wasn't found" "$cluster/log/slurmd.log" ||
        fail 'slurmd does not say that the GPU library is absent'
    [ "$(in_cluster sinfo -h -o %T)" = idle ] || fail 'the node is not idle'
}

# What is posted to Elasticsearch and InfluxDB is taken by a listener of ours.
x_posts=http://127.0.0.1:9200
listen() {
    x_daemon listener perl "$repository/tests/e2e/http_listener.pl" 9200 "$cluster/out/posted"
    x_listener=$!
    wait_for 10 'the listener' x_in_network curl -sS --fail --max-time 5 --data probe \
        "$x_posts/probe"
}

# slurmctld sends the jobs from a thread that may begin with a rest of 30 seconds.
jobs_are_posted() {
    x_wanted='"state":"FAILED","exit_code":"3:0","account":"lab","cluster":"e2e"}'
    x_wanted="{\"jobid\":$x_failed_job,$x_wanted"
    wait_for 60 "job $x_failed_job in what is posted to Elasticsearch" x_job_is_posted
    x_has_mapped "$x_slurmctld" libcurl.so || fail 'slurmctld has no libcurl'
    say "posted to Elasticsearch: $x_wanted"
}
x_job_is_posted() {
    sed -n '/^POST \/slurm\/_doc$/{n;p;}' "$cluster/out/posted" |
        jq -c '{jobid, state, exit_code, account, cluster}' >"$work/posted"
    cat "$work/posted"
    grep -qxF "$x_wanted" "$work/posted"
}

# The libraries of GPU drivers where a driver puts them, and a device file: test doubles of what no
# machine without a GPU has. Both are seen in the cluster's own mount namespace only.
drivers_are_there() {
    mkdir -p "$cluster/driver/upper" "$cluster/driver/work" "$cluster/dev"
    x_driver NVML libnvidia-ml.so.1
    # 23.11 looks for the name alone that NVIDIA's own installer makes beside it.
    if [ "$series" = 23.11 ]; then ln -s libnvidia-ml.so.1 "$cluster/driver/upper/libnvidia-ml.so"; fi
    x_driver RSMI librocm_smi64.so
    x_driver ONEAPI libze_loader.so
    # What the plugin takes from it is bound at the first call only.
    nm -D --undefined-only "$x_slurm/lib/slurm/gpu_nvml.so" | grep -o '\bnvml.*' |
        sort >"$work/wanted"
    nm -D --defined-only "$cluster/driver/upper/libnvidia-ml.so.1" | grep -o '\bnvml.*' |
        sort >"$work/there"
    [ -s "$work/wanted" ] || fail 'gpu_nvml.so asks nothing of libnvidia-ml.so.1'
    x_lacks=$(comm -23 "$work/wanted" "$work/there" | tr '\n' ' ')
    [ -z "$x_lacks" ] || fail "the stand-in for libnvidia-ml.so.1 lacks: $x_lacks"

    x_libraries=$(ldd "$view/sbin/slurmd" | sed -n 's,.* => \(/.*\)/libc\.so\.6 .*,\1,p')
    x_libraries=$(readlink -f "$x_libraries")
    in_cluster mount -t overlay none "$x_libraries" \
        -o "lowerdir=$x_libraries,upperdir=$cluster/driver/upper,workdir=$cluster/driver/work"
    in_cluster sh -c 'cd "$1" && for name in null zero full random urandom tty; do
            : >"$name" && mount --bind "/dev/$name" "$name" || exit 1
        done && : >nvidia0 && mount --bind /dev/null nvidia0 && mount --rbind . /dev' \
        sh "$cluster/dev"
}
x_driver() {  # x_driver NAME LIBRARY
    gcc -Wall -Werror -shared -fPIC "-D$1" "-Wl,-soname,$2" -o "$cluster/driver/upper/$2" \
        "$repository/tests/e2e/gpu_driver.c" || fail "cannot build the stand-in for $2"
}

# AMD's and Intel's plugins are loaded too and ask their library, which shows no device. What slurmd says of it is
# another thing in each series.
others_find_none() {
    x_asks rsmi librocm_smi64.so
    x_asks oneapi libze_loader.so
}
x_asks() {  # x_asks PLUGIN LIBRARY
    echo "AutoDetect=$1" >"$cluster/etc/gres.conf"
    expect 0 in_cluster timeout 30 slurmd -G -vvv
    expect_said "the stand-in for $2 shows no device"
    say "gpu/$1 with a stand-in for its library (no real driver): no device"
}

# The energy is asked of the kernel's driver alone, so that no port of this machine is tried.
configure_devices() {
    echo 'AutoDetect=nvml' >"$cluster/etc/gres.conf"
    sed -i -e '/^JobComp/d' -e 's,^\(AcctGatherProfileType\)=.*,\1=acct_gather_profile/influxdb,' \
        -e 's,^NodeName=.*,& Gres=gpu:stand_in:1,' "$cluster/etc/slurm.conf"
    cat >>"$cluster/etc/slurm.conf" <<CONF
AcctGatherEnergyType=acct_gather_energy/ipmi
AcctGatherNodeFreq=1
CONF
    cat >"$cluster/etc/acct_gather.conf" <<CONF
ProfileInfluxDBHost=$x_posts
ProfileInfluxDBDatabase=profiles
ProfileInfluxDBRTPolicy=autogen
ProfileInfluxDBDefault=None
EnergyIPMIDriverType=2
EnergyIPMIDisableAutoProbe=1
EnergyIPMIFrequency=1
CONF
}

gpu_is_given() {
    wait_for 20 'slurmd' grep -q 'slurmd started on' "$cluster/log/slurmd.log"
    grep -q '1 GPU system device(s) detected' "$cluster/log/slurmd.log" ||
        fail 'slurmd does not see the device of the stand-in for libnvidia-ml.so.1'
    x_given 0,0 --gres=gpu:stand_in:1
    x_given ,
    # slurmstepd asks the library, too.
    expect 0 in_cluster timeout 60 srun --gres=gpu:1 --gpu-freq=low,memory=high,verbose true
    expect_said 'GpuFreq=memory_freq:5000,graphics_freq:300'
    stepd_has 'gpu_nvml.so libnvidia-ml.so.1' --gres=gpu:1
    say 'gpu/nvml with a stand-in for libnvidia-ml.so.1 (no real driver): a job is given device 0'
}
x_given() {  # x_given WANTED OPTION...
    x_wanted=$1
    shift
    x_seen=$(in_cluster timeout 60 srun "$@" sh -c \
        'echo "$CUDA_VISIBLE_DEVICES,$SLURM_STEP_GPUS"') || x_seen="nothing, exit code $?"
    [ "$x_seen" = "$x_wanted" ] ||
        fail "CUDA_VISIBLE_DEVICES and SLURM_STEP_GPUS of srun $* are $x_seen, not $x_wanted"
}

profile_is_posted() {
    x_job=$(in_cluster timeout 60 srun --profile=task --acctg-freq=task=1 sh -c \
        'echo "$SLURM_JOB_ID"; exec sleep 2') || fail 'the job with a profile fails'
    wait_for 20 'the profile in what was posted to InfluxDB' grep -qE \
        "^RSS,job=$x_job,step=0,task=0,host=node1 value=[0-9]+ [0-9]+$" "$cluster/out/posted"
    grep -qxF 'POST /write?db=profiles&rp=autogen&precision=s' "$cluster/out/posted" ||
        fail "posted: $(grep '^POST /write' "$cluster/out/posted" | sort -u)"
    x_lines=$(grep -c ",job=$x_job,step=0," "$cluster/out/posted")
    say "posted to InfluxDB: $x_lines lines of job $x_job's profile"
}

# Without a BMC, which the cluster's /dev does not show, slurmd says so and serves jobs, as above.
no_bmc_is_said() {
    x_said=$(sed -n 's/.*\(ipmi_monitoring_sensor_readings_by_record_id: .*\)/\1/p' \
        "$cluster/log/slurmd.log" | head -n 1)
    [ -n "$x_said" ] || fail 'slurmd does not say that there is no BMC'
    for x_wanted in acct_gather_energy_ipmi.so libipmimonitoring.so libfreeipmi.so \
        acct_gather_profile_influxdb.so libcurl.so; do
        x_has_mapped "$x_slurmd" "$x_wanted" || fail "slurmd has not mapped $x_wanted"
    done
    wait_for 20 'the node to be idle' x_node_is_idle
    say "energy by IPMI on a node without a BMC: slurmd goes on; it says $x_said"
}

first=$work/$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
mkdir "$first"
tar -xzf "$bundle" -C "$first"
live 'unpacked by tar, at a random path' "$first" "$work/one"

second="$work/moved away/to another/päth"
mkdir -p "${second%/*}"
mv "$first" "$second"
live 'moved with mv' "$second" "$work/two"
