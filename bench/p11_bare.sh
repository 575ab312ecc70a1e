#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One run of p11.sh on a bare machine (tests/e2e/machine.sh); appends a line to $x_times, milliseconds. What the
# installer says is what ends a phase; when the first job, `srun hostname`, was over is in slurmctld's log.
test_name=bench.p11
. "$(git rev-parse --show-toplevel)/tests/e2e/lib.sh"
. "$(git rev-parse --show-toplevel)/tests/e2e/machine.sh"
is_root || not_run 'a machine in namespaces of its own needs root'
bundle='' key=''
# shellcheck source=/dev/null
. "$facts"
sf key export "$key" --output "$work/public.asc"
GNUPGHOME=$work/people
export GNUPGHOME
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --import "$work/public.asc"
machine_root "$toolchain-bare"
machine_start "$toolchain-bare" "$work/machine"
tree=/opt/site/slurm
mkdir -p "$machine$tree"
sync

begin=$(now_ms)
gpg --batch --quiet --verify "$bundle.asc" "$bundle" 2>"$work/gpg" || fail "the bundle is not signed: $(cat "$work/gpg")"
signed=$(now_ms)
tar -xzf "$bundle" -C "$machine$tree"
unpacked=$(now_ms)
mkfifo "$work/said"
while IFS= read -r line; do echo "$(now_ms) $line"; done <"$work/said" >"$work/lines" &
reader=$!
in_machine "$tree/data/slurm_assets/slurm_install.sh" --full-init --without-accounting >"$work/said" 2>"$work/err" ||
    fail "the installer: $(tail -n 5 "$work/err")"
proved=$(now_ms)
wait "$reader"
grep -q ' proved: srun hostname, as nobody: node1$' "$work/lines" || fail "no job ran: $(cat "$work/lines")"
at() {  # at PATTERN: when the last such line came; what is not said is no number
    sed -nE "s/^([0-9]+) $1.*/\1/p" "$work/lines" | tail -n 1 | grep .
}
# Where the machine has no gpg, or no key to judge by, it notes that every file is what the manifest says.
verified=$(at '(verified: .*|note: .*)every file is what')
configured=$(at 'made (user|folder|secret|file|link) ')
up=$(at 'made ')
# "[2026-01-31T12:00:00.123] _job_complete: JobId=1 done", in the machine's time, UTC.
job=$(sed -n 's/^\[\([^]]*\)\] _job_complete: JobId=1 done.*/\1/p' "$machine/var/log/slurm/slurmctld.log" | head -n 1)
[ -n "$job" ] || fail "slurmctld knows no first job: $(tail -n 5 "$machine/var/log/slurm/slurmctld.log")"
job=$(date -u -d "${job}Z" +%s%3N)
machine_stop
echo "{\"signature\": $((signed - begin)), \"untar\": $((unpacked - signed)), \"verified\": $((verified - unpacked)),
    \"configured\": $((configured - verified)), \"up\": $((up - configured)), \"first_job\": $((job - up)),
    \"job\": $((job - begin)), \"others\": $((proved - job)), \"proved\": $((proved - begin))}" >>"${x_times:?}"
