#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over every .cpp of src/ (headers through them), all cores.
#
#   tools/tidy.sh [SOURCE-ROOT]        default: this checkout; its build/tidy is configured first
#   SF_TIDY_CHECKS=...                 checks besides those of .clang-tidy
#
# A file that passed is not looked at again while nothing that it reads has changed: the key is the
# digest of its preprocessed text with comments, of the checks and of clang-tidy's version.
set -eu
tools=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "${1:-$tools/..}" && pwd -P)
cd "$root"
cmake --preset tidy >build-tidy.log 2>&1 || { cat build-tidy.log; exit 1; }
rm -f build-tidy.log

passed=${XDG_CACHE_HOME:-$HOME/.cache}/slurm-factory-tidy
mkdir -p "$passed"
SF_TIDY_CHECKS=${SF_TIDY_CHECKS:-}
export SF_TIDY_CHECKS
base=$({ clang-tidy --version; echo "$SF_TIDY_CHECKS"; cat .clang-tidy; } | sha256sum | cut -c1-64)
export passed base

database=build/tidy/compile_commands.json
files=$(jq -r '.[].file' "$database" | sort -u)
[ -n "$files" ] || { echo "tidy: $database names no file" >&2; exit 1; }
printf '%s\n' "$files" | xargs -r -P "$(nproc)" -n 1 sh "$tools/tidy_one.sh" "$database"
printf 'tidy: %s files are clean\n' "$(printf '%s\n' "$files" | wc -l)"
