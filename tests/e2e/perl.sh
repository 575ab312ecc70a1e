#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The contributed scripts on bare machines: one whose Perl is Debian's smallest, where the installer says what they
# lack, and one with Perl, where they ask the running slurmctld, from wherever they are called.
test_name=e2e.perl
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
is_root || not_run 'a machine in namespaces of its own needs root'
bundle=''
# shellcheck source=/dev/null
. "$facts"
tree=/opt/site/slurm

# machine_with: the bundle unpacked, and Slurm running.
machine_with() {
    mkdir -p "$machine$tree"
    tar -xzf "$bundle" -C "$machine$tree"
    expect 0 in_machine "$tree/data/slurm_assets/slurm_install.sh" --full-init --without-accounting
}

say '== the smallest Perl'
machine_root "$toolchain-bare"
machine_start "$toolchain-bare" "$work/bare"
# Some roots are made with tools in Perl, which need all of it; dpkg's own are content with perl-base.
# shellcheck disable=SC2016  # dpkg's own words
more=$(in_machine dpkg-query -W -f '${Package}\n' | grep -E '^(perl|libperl[0-9.]*|perl-modules.*|lib.*-perl|usrmerge)$' | tr '\n' ' ')
# shellcheck disable=SC2086  # words
[ -z "$more" ] || expect 0 in_machine dpkg --purge --force-depends $more
[ -x "$machine/usr/bin/perl" ] || fail 'this root has no Perl at all'
machine_with
expect_said 'note: the contributed scripts .* do not run: .*apt-get install perl$'
expect 2 in_machine "$tree/current/bin/qstat"
expect_said "Can't locate FindBin\.pm"
machine_stop

say '== with Perl'
machine_root "$toolchain-perl" perl
machine_start "$toolchain-perl" "$work/perl"
machine_with
if grep -q 'contributed scripts' "$work/out" "$work/err"; then fail 'what is there is said to be missing'; fi
expect 0 in_machine "$tree/current/bin/qstat" -Q
expect_said '^all '
expect 0 in_machine sh -c "cd /tmp && ln -s $tree/current/bin/pbsnodes . && ./pbsnodes -a"
expect_said "^$machine_name" 'state = free'
# It calls Slurm's own commands by their names.
expect 0 in_machine env "PATH=$tree/current/bin:/usr/bin:/bin" sjstat
expect_said 'Scheduling pool data' '^all'
printf '#!/bin/sh\nsleep 60\n' >"$machine/tmp/job.sh"
expect 0 in_machine setpriv --reuid 65534 --regid 65534 --clear-groups \
    env --chdir=/tmp "PATH=$tree/current/bin:/usr/bin:/bin" qsub -l nodes=1 /tmp/job.sh
job=$(grep -oE '^[0-9]+' "$work/out")
expect 0 in_machine "$tree/current/bin/qstat"
expect_said "^$job"
expect 0 in_machine "$tree/current/bin/qdel" "$job"
say "qstat, pbsnodes, sjstat, qsub and qdel run by the machine's Perl"
