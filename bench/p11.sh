#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P11: from a bundle on disk to a job done: verified, unpacked, configured, munged, slurmctld and slurmd up,
# `srun hostname` returned; the median of five runs. Needs root and the bundle of the end-to-end tests.
measure=p11
. "$(dirname "$0")/lib.sh"
quiet_machine
runs=5
: >"$work/times"
x_times=$work/times
export x_times
i=0
while [ "$i" -lt "$runs" ]; do
    sh "$(dirname "$0")/p11_once.sh"
    i=$((i + 1))
done
result "$(jq -s 'def median: sort | .[length / 2 | floor];
    {runs: length, bundle_to_job_s: ([.[].job] | median / 1000), install_s: ([.[].install] | median / 1000),
     untar_s: ([.[].untar] | median / 1000), goal_s: 10}' "$work/times")"
