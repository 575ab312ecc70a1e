#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P11: from a bundle on disk to a job done, on two ways, each five times, the medians: by `bundle install` and the daemons
# of the end-to-end tests' cluster, until `srun hostname` has returned; and as a user does it on a bare machine of the
# distribution: its signature, `tar -xzf`, `slurm_install.sh --full-init`, phase by phase. Beside it `tar -xzf` alone.
# Needs root and the bundle of the end-to-end tests.
measure=p11
. "$(dirname "$0")/lib.sh"
quiet_machine
runs=${SF_BENCH_RUNS:-5}
SF_E2E_DIR=$(dirname "$from")
export SF_E2E_DIR
if [ -n "${SF_BENCH_PROGRAM:-}" ]; then export SF_E2E_PROGRAM="$SF_BENCH_PROGRAM"; fi
for way in once bare; do
    x_times=$work/$way.times
    export x_times
    : >"$x_times"
    i=0
    while [ "$i" -lt "$runs" ]; do
        code=0
        sh "$(dirname "$0")/p11_$way.sh" || code=$?
        # It has said why.
        [ "$code" != 77 ] || break
        [ "$code" = 0 ] || exit "$code"
        i=$((i + 1))
    done
done
result "$(jq -n --slurpfile once "$work/once.times" --slurpfile bare "$work/bare.times" '
    def median: sort | .[length / 2 | floor];
    def seconds(f): map(f) | if length == 0 then null else median / 1000 end;
    {runs: ($once | length), bundle_to_job_s: ($once | seconds(.job)), install_s: ($once | seconds(.install)),
     untar_s: ($once | seconds(.untar)), goal_s: 10,
     bare_machine: {runs: ($bare | length), bundle_to_job_s: ($bare | seconds(.job)),
        until_all_is_proved_s: ($bare | seconds(.proved)), phases_s: {
        signature: ($bare | seconds(.signature)), untar: ($bare | seconds(.untar)), relocated: "no such step (p4)",
        installer_reads_every_file: ($bare | seconds(.verified)), configured: ($bare | seconds(.configured)),
        daemons_up: ($bare | seconds(.up)), first_job_returned: ($bare | seconds(.first_job)),
        other_jobs_and_proofs: ($bare | seconds(.others))}}}')"
