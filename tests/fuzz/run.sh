#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one fuzz target for a while: run.sh PROGRAM TARGET FOLDER. What is interesting is kept below
# FOLDER between runs and played again. Seconds: SF_FUZZ_SECONDS, else 4 (all targets together: a
# minute). A crash, a leak, a second for one input or 512 MiB fails; the input is named.
set -eu
program=$1
target=$2
work=$3/$target
here=$(cd "$(dirname "$0")" && pwd -P)
found=$work/found
mkdir -p "$work/corpus" "$found"

set -- -max_total_time="${SF_FUZZ_SECONDS:-4}" -rss_limit_mb=512 -timeout=10 -report_slow_units=1 \
    -max_len=65536 -artifact_prefix="$found/" -print_final_stats=1 -verbosity=0
if [ -e "$here/dictionaries/$target" ]; then set -- "$@" -dict="$here/dictionaries/$target"; fi
ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=16:allocator_may_return_null=0
UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS UBSAN_OPTIONS

code=0
"$program" "$@" "$work/corpus" "$here/corpus/$target" || code=$?

# The machine may have been busy: what was slow once is slow only if it is so alone as well.
for file in "$found"/slow-unit-*; do
    [ -e "$file" ] || continue
    if timeout 10 "$program" -runs=1 -timeout=1 -rss_limit_mb=512 "$file" 2>/dev/null; then
        rm "$file"
    else
        code=1
    fi
done
for file in "$found"/*; do
    [ -e "$file" ] || continue
    code=1
    echo "$target: an input is wanted in tests/fuzz/corpus/$target once it is mended: $file" >&2
done
exit "$code"
