#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a production site switches on, from the bundle that build.sh made, unpacked at a random path, and once
# more where `mv` puts it: accounting with slurmdbd and a real MariaDB, a job_submit script in Lua, PMIx as
# the default for srun, profiles in HDF5, GPU detection on a node without a GPU, and the Perl scripts.
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
    accounting_start
    cluster_daemons
    lua_decides
    pmix_serves
    jobs_are_accounted
    profile_is_written
    no_gpu_is_said
    x_maps_are_ours slurmdbd "$x_slurmdbd"
    x_maps_are_ours slurmctld "$x_slurmctld"
    x_maps_are_ours slurmd "$x_slurmd"
    end_pid "$x_slurmd"
    end_pid "$x_slurmctld"
    accounting_stop
    end_pid "$x_munged"
    end_pid "$x_holder"
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
    in_cluster timeout 30 srun --mpi=pmix -n1 sleep 20 >"$work/sleep" 2>&1 &
    x_srun=$!
    keep_pid "$x_srun"
    wait_for 20 'a slurmstepd with PMIx in it' x_find_pmix_server
    x_maps_are_ours slurmstepd "$x_stepd"
    end_pid "$x_srun" KILL
    in_cluster scancel --user=root
}
x_find_pmix_server() {
    for x_maps in /proc/[0-9]*/maps; do
        x_stepd=${x_maps#/proc/}
        x_stepd=${x_stepd%/maps}
        case $(readlink "/proc/$x_stepd/exe") in "$x_tree"/*/slurmstepd) ;; *) continue ;; esac
        if grep -q '/libpmix\.so' "$x_maps" 2>/dev/null; then return 0; fi
    done
    return 1
}

jobs_are_accounted() {
    in_cluster timeout 60 sbatch --parsable --wait -n2 --account=lab --chdir=/ --output=/dev/null \
        --wrap 'srun -n2 true; exit 3' >"$work/job" || x_code=$?
    x_job=$(cat "$work/job")
    [ -n "$x_job" ] || fail 'sbatch printed no job id'
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

first=$work/$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
mkdir "$first"
tar -xzf "$bundle" -C "$first"
live 'unpacked by tar, at a random path' "$first" "$work/one"

second="$work/moved away/to another/päth"
mkdir -p "${second%/*}"
mv "$first" "$second"
live 'moved with mv' "$second" "$work/two"
