#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make acceptance: a fresh clone of HEAD, a fresh home, both commands of the README as a new user types
# them, then the end-to-end tests that take too long for every change; what came out is written to
# docs/evidence/first-light.json. With SF_ACCEPTANCE_IN=DIR all of it stays in DIR, and the same again goes on after a
# failure that was mended: what passed is not repeated, and the evidence names the commit of each command.
set -eu
cd "$(dirname "$0")/.."
repository=$(pwd -P)
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
    echo 'acceptance: what is not committed is not accepted: the working tree has changes' >&2
    exit 1
fi
sh tools/bootstrap.sh test

fresh=${SF_ACCEPTANCE_IN:-}
if [ -z "$fresh" ]; then
    fresh=$(mktemp -d /var/tmp/sf-acceptance.XXXXXX)
    trap 'rm -rf "$fresh"' EXIT
fi
mkdir -p "$fresh/home"
fresh=$(cd "$fresh" && pwd -P)
trap 'exit 130' INT
trap 'exit 143' TERM
if [ -d "$fresh/slurm-factory" ]; then
    cd "$fresh/slurm-factory"
    git fetch -q "$repository" HEAD
    git checkout -q --detach FETCH_HEAD
else
    git clone -q --no-local "$repository" "$fresh/slurm-factory"
    cd "$fresh/slurm-factory"
fi
commit=$(git rev-parse HEAD)

# as_typed NAME COMMAND: runs it as typed, its output on the terminal and in $fresh/NAME.log; once.
as_typed() {
    echo "$ $2"
    if [ -s "$fresh/$1.commit" ]; then echo "acceptance: passed before, at $(cat "$fresh/$1.commit")"; return; fi
    begin=$(date +%s)
    {
        code=0
        env -i HOME="$fresh/home" PATH="$PATH" TERM=dumb LANG=C.UTF-8 sh -c "$2" </dev/null 2>&1 || code=$?
        echo "$code" >"$fresh/$1.code"
    } | tee "$fresh/$1.log"
    echo $(($(date +%s) - begin)) >"$fresh/$1.seconds"
    [ "$(cat "$fresh/$1.code")" = 0 ] || { echo "acceptance: failed: $2" >&2; exit 1; }
    if [ "$1" != build ]; then cp build/dev/Testing/Temporary/LastTest.log "$fresh/$1.tests"; fi
    echo "$commit" >"$fresh/$1.commit"
}
# The command as the README has it.
build=$(sed -n 's/^\(\.\/slurm-factory build-slurm .*\)/\1/p' README.md | head -n 1)
as_typed build "$build"
as_typed test 'make test'
as_typed long 'make long'
cat "$fresh/test.tests" "$fresh/long.tests" >"$fresh/tests"

# The output of one test, between ctest's lines, without the names of this machine's folders.
test_output() {
    awk -v name="$1" '$0 ~ "^[0-9]+/[0-9]+ Test: " { on = ($NF == name); next }
        on && /^<end of output>/ { exit } on && body { print } on && /^-----/ { body = 1 }' "$fresh/tests" |
        plain
}
plain() { sed -e "s,$fresh,.,g" -e 's,/var/tmp/sf-e2e\.[A-Za-z0-9]*,SCRATCH,g'; }
lines() { jq -R -s 'split("\n") | map(select(. != ""))'; }
bundle=$(readlink -f "$fresh/home/.slurm-factory/builds/slurm-25.11-bookworm-software.tar.gz")
twin=$(readlink -f build/e2e/state/builds/slurm-25.11-bookworm-software.tar.gz)
mkdir -p "$fresh/tree"
tar -xzf "$twin" -C "$fresh/tree"

mkdir -p "$repository/docs/evidence"
jq -n \
    --arg commit "$commit" --arg date "$(date -u +%Y-%m-%d)" \
    --arg system "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" --arg kernel "$(uname -r)" \
    --arg cpu "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" \
    --argjson cores "$(nproc)" --argjson memory "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" \
    --arg build_commit "$(cat "$fresh/build.commit")" --arg test_commit "$(cat "$fresh/test.commit")" \
    --arg long_commit "$(cat "$fresh/long.commit")" \
    --argjson build_seconds "$(cat "$fresh/build.seconds")" --argjson test_seconds "$(cat "$fresh/test.seconds")" \
    --argjson long_seconds "$(cat "$fresh/long.seconds")" \
    --argjson long_output "$(tail -n 15 "$fresh/long.log" | plain | lines)" \
    --argjson build_output "$(tail -n 40 "$fresh/build.log" | plain | lines)" \
    --argjson test_output "$(tail -n 15 "$fresh/test.log" | plain | lines)" \
    --argjson jobs "$(test_output e2e.first_light | lines)" \
    --argjson reproducible "$(test_output e2e.reproducible | lines)" \
    --arg build "$build" --arg bundle "$(basename "$bundle")" --arg sha256 "$(sha256sum <"$bundle" | cut -c1-64)" \
    --argjson bytes "$(stat -c %s "$bundle")" \
    --slurpfile manifest "$(find "$fresh/tree/manifests" -name '*.json' | head -n 1)" '
    {commit: $commit, date: $date,
     machine: {system: $system, kernel: $kernel, cpu: $cpu, cores: $cores, memory_mib: $memory},
     commands: [
       {command: $build, commit: $build_commit, seconds: $build_seconds, last_lines: $build_output},
       {command: "make test", commit: $test_commit, seconds: $test_seconds, last_lines: $test_output},
       {command: "make long", commit: $long_commit, seconds: $long_seconds, last_lines: $long_output}],
     bundle: {file: $bundle, sha256: $sha256, bytes: $bytes},
     packages: ($manifest[0].packages | map({name, version, identity, run_sha256: .run.sha256})),
     first_light: $jobs, reproducible: $reproducible}' >"$fresh/evidence.json"
mv "$fresh/evidence.json" "$repository/docs/evidence/first-light.json"
echo 'acceptance: written to docs/evidence/first-light.json'
