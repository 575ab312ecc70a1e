#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for shells of the machine and of jobs
# The bundle on a machine with a kernel of its own, where control groups of version 2 have every controller: the
# installer confines jobs by itself, and they are confined. Memory, processors, processes that run away; through
# restarts of slurmd and of the machine. One case a call: vm.sh CASE
case_name=$1
test_name=e2e.vm.$case_name
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/virtual.sh"
is_root || not_run 'making the disk of a virtual machine needs root'
bundle=''
# shellcheck source=/dev/null
. "$facts"
tree=/opt/site/slurm
installer=$tree/data/slurm_assets/slurm_install.sh
scope=/sys/fs/cgroup/system.slice/slurmstepd.scope
jobs=/srv/jobs

# machine_with_bundle: booted, the bundle unpacked by its own tar, what jobs run at hand.
machine_with_bundle() {
    vm_make
    mkdir -p "$machine$tree" "$machine$jobs"
    cp "$bundle" "$machine/root/bundle.tar.gz"
    chmod 1777 "$machine$jobs"
    # Real, anonymous memory, written to; a page cache would be given back instead.
    cat >"$machine$jobs/eat" <<'PERL'
#!/usr/bin/perl
my ($mebibytes) = @ARGV;
my $all = "x" x ($mebibytes << 20);
print "ate ", length($all) >> 20, "\n";
PERL
    # A daemon: its parent is the first process, its session its own.
    cat >"$machine$jobs/run_away" <<'PERL'
#!/usr/bin/perl
use POSIX;
my ($file) = @ARGV;
exit if fork;
POSIX::setsid();
exit if fork;
select undef, undef, undef, 0.1 until getppid == 1;
open my $out, '>', $file or die;
open my $group, '<', '/proc/self/cgroup' or die;
print $out $$, ' ', <$group>;
close $out;
sleep 3600;
PERL
    chmod 755 "$machine$jobs/eat" "$machine$jobs/run_away"
    vm_start
    say "a machine of its own: $(in_machine uname -sr), booted by $x_accelerator"
    expect 0 in_machine tar -xzf /root/bundle.tar.gz -C "$tree"
}
slurm() { in_machine sh -c 'PATH=$0/current/bin:$PATH; exec "$@"' "$tree" "$@"; }
as_user() { slurm setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
submit() { as_user sbatch --parsable --chdir="$jobs" "$@"; }
# state_is JOB STATE: as slurmctld knows it, and as the database does.
state_is() {
    [ "$(slurm scontrol -o show job "$1" | sed -n 's/.* JobState=\([A-Z_]*\) .*/\1/p')" = "$2" ] ||
        fail "job $1 is not $2: $(slurm scontrol -o show job "$1")"
    wait_for $((30 * patience)) "job $1 in the database as $2" is_accounted "$1" "$2"
}
is_accounted() { [ "$(slurm sacct -a -n -P -X -j "$1" -o State)" = "$2" ]; }
job_runs() { [ "$(slurm squeue -h -j "$1" -o %T)" = RUNNING ]; }
node_is_idle() { [ "$(slurm sinfo -h -o %T)" = idle ]; }
exists_there() { in_machine test -e "$1"; }
# What is left of jobs on the node; slurmstepd's own scope stays, with one process that sleeps in it.
job_groups() { in_machine find "$scope" -maxdepth 1 -name 'job_*'; }
nothing_is_left() { [ -z "$(job_groups)" ]; }
units_run() {
    for unit in munge slurmdbd slurmctld slurmd; do
        wait_for $((30 * patience)) "$unit.service to be active" in_machine systemctl is-active "$unit"
    done
    if in_machine systemctl --failed --no-legend --plain | grep .; then fail 'these units have failed'; fi
}

case_confined() {
    machine_with_bundle
    [ "$(in_machine stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || fail 'this machine has no unified control groups'

    say '== the installer confines by itself'
    expect 0 in_machine "$installer" --full-init
    cat "$work/out"
    expect_said 'proved: srun hostname' 'proved: sacct, through slurmdbd and its database'
    if grep 'not confined' "$work/out" "$work/err"; then fail 'the installer does not confine jobs'; fi
    units_run
    expect 0 slurm scontrol show config
    expect_said '^ProctrackType += proctrack/cgroup$' '^TaskPlugin += task/cgroup,task/affinity$' \
        '^JobAcctGatherType += jobacct_gather/cgroup$' '^ConstrainCores += yes$' '^ConstrainRAMSpace += yes$' \
        '^ConstrainSwapSpace += yes$' '^ConstrainDevices += yes$'
    expect 0 in_machine systemctl show slurmd -p Delegate -p DelegateControllers -p MainPID
    expect_said '^Delegate=yes$' '^DelegateControllers=.*cpuset.* memory'
    slurmd=$(sed -n 's/^MainPID=//p' "$work/out")
    expect 0 in_machine grep -o -E '[^ /]*cgroup_v[12]\.so$|[^ /]*(proctrack|task|jobacct_gather)_cgroup\.so$' "/proc/$slurmd/maps"
    expect_said '^cgroup_v2\.so$' '^proctrack_cgroup\.so$' '^task_cgroup\.so$' '^jobacct_gather_cgroup\.so$'
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'

    memory_is_confined
    say '== where there is swap, memory is no less a limit'
    in_machine sh -c 'fallocate -l 600M /swap && chmod 600 /swap && mkswap -q /swap && swapon /swap'
    memory_is_confined
    in_machine sh -c 'swapoff /swap && rm /swap'
    processors_are_confined
    run_away

    say '== slurmd restarts, a job runs on, confined as before'
    in_machine rm -f "$jobs/go"
    job=$(submit --mem=100 -n1 -o restarted.out --wrap 'cat /proc/self/cgroup; until [ -e go ]; do sleep 0.2; done
        cat /proc/self/cgroup; taskset -c 0-1 nproc; ./eat 300')
    wait_for $((30 * patience)) 'the job to run' exists_there "$jobs/restarted.out"
    expect 0 in_machine systemctl restart slurmd
    slurmd=$(in_machine systemctl show -P MainPID slurmd)
    in_machine kill -KILL "$slurmd"
    wait_for $((60 * patience)) 'slurmd to be started again' another_slurmd
    job_runs "$job" || fail 'the job ended with slurmd'
    # A second job finds its place beside it.
    [ "$(as_user srun --mem=50 -n1 hostname)" = "$machine_name" ] || fail 'no job runs after the restart'
    in_machine touch "$jobs/go"
    wait_for $((60 * patience)) 'the job to end' has_ended "$job"
    state_is "$job" OUT_OF_MEMORY
    in_machine cat "$jobs/restarted.out" >"$work/out"
    grep -v -e '^Killed' -e '^slurmstepd' "$work/out" | sed 's,^0::/system.slice/\(slurmstepd.scope/job_[0-9]*\)/.*,\1,' >"$work/groups"
    printf '%s\n' "slurmstepd.scope/job_$job" "slurmstepd.scope/job_$job" 1 >"$work/wanted"
    sed '/oom_kill/d' "$work/groups" | diff "$work/wanted" - || fail 'the job is not confined as it was'

    say '== a reboot'
    vm_reboot
    units_run
    wait_for $((60 * patience)) 'the node' node_is_idle
    memory_is_confined
    processors_are_confined
    run_away
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'

    say '== a power cut'
    # slurmctld writes jobs down five seconds after they changed, at the latest (SAVE_MAX_WAIT); one that ended
    # later is taken for running by the next slurmctld, for half an hour.
    wait_for $((60 * patience)) 'nothing to be left of jobs' nothing_is_left
    sleep $((6 * patience))
    vm_power_cut
    vm_start
    units_run
    wait_for $((60 * patience)) 'the node' node_is_idle
    memory_is_confined

    say '== moved while its daemons run, and --full-init from the new place'
    wait_for $((60 * patience)) 'nothing to be left of jobs' nothing_is_left
    former=$tree
    tree=/srv/another/place
    installer=$tree/data/slurm_assets/slurm_install.sh
    in_machine mkdir /srv/another
    in_machine mv "$former" "$tree"
    expect 0 in_machine "$installer" --full-init
    cat "$work/out"
    expect_said 'proved: munge' 'proved: srun hostname' 'proved: sbatch --array' 'proved: sacct, through slurmdbd and its database'
    if grep 'not confined' "$work/out" "$work/err"; then fail 'the installer does not confine jobs'; fi
    units_run
    for unit in munge slurmdbd slurmctld slurmd; do
        # Its first word, which of one that runs on as before is still of the former place.
        expect 0 in_machine sh -c 'tr "\\000" "\\n" <"/proc/$(systemctl show -P MainPID "$0")/cmdline"' "$unit"
        expect_said "^$tree/current/sbin/"
    done
    memory_is_confined
    processors_are_confined
    run_away
    expect 0 in_machine "$installer" --full-init
    expect_said ': 0 changes$'
    expect 0 in_machine "$installer" --uninstall
    if in_machine systemctl list-units --no-legend --plain 'slurm*.service' 'munge*' | grep .; then fail 'these units are left'; fi
}
another_slurmd() {
    x_main=$(in_machine systemctl show -P MainPID slurmd) && [ "$x_main" != 0 ] && [ "$x_main" != "$slurmd" ] &&
        in_machine systemctl is-active slurmd
}
has_ended() { [ -z "$(slurm squeue -h -j "$1")" ]; }

# Without D-Bus slurmd would end; that is said before anything is touched.
case_no_dbus() {
    machine_with_bundle
    in_machine systemctl mask --now dbus.socket dbus.service >"$work/out" 2>"$work/err"
    expect 1 in_machine "$installer" --full-init
    expect_said 'asks systemd over D-Bus' 'apt-get install dbus'
    if exists_there /etc/slurm; then fail 'a refused installation has changed something'; fi
    in_machine systemctl unmask dbus.socket dbus.service >"$work/out" 2>"$work/err"
    expect 0 in_machine systemctl start dbus.socket
    expect 0 in_machine "$installer" --full-init --without-accounting
    expect_said 'proved: srun hostname'
}

# A job gets the memory that it asked for, and not more: its own limit ends it, and nobody else.
memory_is_confined() {
    job=$(submit --wait --mem=100 -n1 -o fits.out --wrap './eat 60') || fail 'a job that eats less than it asked for fails'
    state_is "$job" COMPLETED
    [ "$(in_machine cat "$jobs/fits.out")" = 'ate 60' ] || fail 'the job did not eat 60 MiB'
    if job=$(submit --wait --mem=100 -n1 -o beyond.out --wrap './eat 300'); then fail 'a job eats more than it asked for'; fi
    state_is "$job" OUT_OF_MEMORY
    if in_machine grep ate "$jobs/beyond.out"; then fail 'the job had it all before it ended'; fi
    expect 0 in_machine journalctl -k -b -o cat
    expect_said "oom-kill:constraint=CONSTRAINT_MEMCG,.*oom_memcg=/system.slice/slurmstepd.scope/job_$job,.*task=eat,"
    if grep 'oom-kill:constraint=CONSTRAINT_NONE' "$work/out"; then fail 'the whole machine ran out of memory'; fi
    # The same as much fits in a job that asks for it.
    [ "$(as_user srun --mem=400 -n1 "$jobs/eat" 300)" = 'ate 300' ] || fail 'a job that asked for 400 MiB cannot have 300'
    say 'memory: 60 of 100 MiB are had, 300 of 100 end the job by its own limit, 300 of 400 are had'
}

# Two jobs at once, each on a processor of its own, whatever it asks the kernel for.
processors_are_confined() {
    in_machine rm -f "$jobs/go"
    for each in one two; do
        in_machine rm -f "$jobs/$each.out"
        submit -n1 --mem=50 -o "$each.out" --wrap 'nproc; taskset -c 0-1 nproc
            sed -n "s/^Cpus_allowed_list:[[:space:]]*//p" /proc/self/status; echo end; until [ -e go ]; do sleep 0.2; done' >"$work/id"
    done
    for each in one two; do
        wait_for $((60 * patience)) "job $each" in_machine grep -qx end "$jobs/$each.out"
        in_machine cat "$jobs/$each.out" >"$work/$each"
        [ "$(sed -n 1,2p "$work/$each" | tr '\n' ' ')" = '1 1 ' ] || { cat "$work/$each"; fail 'a job of one processor has more'; }
    done
    in_machine touch "$jobs/go"
    processors=$(for each in one two; do sed -n 3p "$work/$each"; done | sort | tr '\n' ' ')
    [ "$processors" = '0 1 ' ] || fail "two jobs of one processor each have: $processors"
    say 'processors: two jobs at once, each on one of its own'
    wait_for $((60 * patience)) 'nothing to be left of them' nothing_is_left
    [ "$(as_user srun -n1 -c2 --mem=50 nproc)" = 2 ] || fail 'a job of two processors has not two'
}

# What a job leaves behind ends with it.
run_away() {
    in_machine rm -f "$jobs/daemon"
    job=$(submit --wait -n1 --mem=50 -o run_away.out --wrap './run_away "$PWD/daemon"; until [ -s daemon ]; do sleep 0.2; done') ||
        { in_machine cat "$jobs/run_away.out"; fail 'a job that starts a daemon fails'; }
    in_machine cat "$jobs/daemon" >"$work/daemon"
    grep -q "^[0-9]* 0::/system.slice/slurmstepd.scope/job_$job/" "$work/daemon" || { cat "$work/daemon"; fail 'it is not in the group of its job'; }
    pid=$(cut -d ' ' -f 1 "$work/daemon")
    wait_for $((60 * patience)) 'nothing to be left of the job' nothing_is_left
    if exists_there "/proc/$pid"; then fail 'a daemon of a job outlives it'; fi
    say 'processes: a daemon that turned its back on its job ended with it'
}

"case_$case_name"
say "$case_name: as it should be"
