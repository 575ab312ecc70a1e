#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make acceptance: a fresh clone of HEAD, a fresh home, both commands of the README as a new user types
# them, then the end-to-end tests that take too long for every change, and those of the distributions that are only
# described. What came out is written to docs/evidence/:
# first-light.json (the two commands, jobs from a moved tree, Slurm built twice), production.json (all series and
# distributions, installed on bare machines, moved, upgraded; what must fail) and cache.json (published and installed from
# folders, web servers and S3, without a network, by Spack; kept healthy). A test that cannot run on this machine stands
# there as NOT RUN, with its reason. With SF_ACCEPTANCE_IN=DIR all of it stays in DIR, and the same again goes on after a
# failure that was mended: what passed is not repeated, of the long tests either, and the evidence names the commit of
# each command.
# Spack is not fetched: the variables of tests/e2e/spack.sh say where it is, and are the only ones that are passed on.
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

# fresh_user COMMAND: with nothing of who calls this but the way to the commands, and to Spack.
spack_variables='SF_SPACK_1_0 SF_SPACK_1_1 SF_SPACK_1_0_PACKAGES SF_SPACK_1_1_PACKAGES SF_SPACK_CLINGO SF_SPACK_PYTHON'
fresh_user() {
    set -- sh -c "$1"
    for variable in $spack_variables; do
        eval "value=\${$variable:-}"
        if [ -n "$value" ]; then set -- "$variable=$value" "$@"; fi
    done
    env -i HOME="$fresh/home" PATH="$PATH" TERM=dumb LANG=C.UTF-8 "$@"
}

ended() { if [ -s "$fresh/$1.code" ]; then cat "$fresh/$1.code"; fi; }
# as_typed NAME COMMAND: runs it as typed, its output on the terminal and in $fresh/NAME.log; until it has passed once.
as_typed() {
    echo "$ $2"
    if [ "$(ended "$1")" = 0 ]; then echo "acceptance: passed before, at $(cat "$fresh/$1.commit")"; return; fi
    echo "$commit" >"$fresh/$1.commit"
    failures=build/dev/Testing/Temporary/LastTestsFailed.log
    rm -f "$failures" "$fresh/$1.failed"
    begin=$(date +%s)
    {
        code=0
        fresh_user "$2" </dev/null 2>&1 || code=$?
        echo "$code" >"$fresh/$1.code"
    } | tee "$fresh/$1.log"
    echo $(($(date +%s) - begin)) >"$fresh/$1.seconds"
    if [ "$1" != build ]; then
        cp build/dev/Testing/Temporary/LastTest.log "$fresh/$1.tests"
        # Which they are is known where all were run.
        if [ -s "$failures" ] && grep -q '^Total Test time' "$fresh/$1.log"; then
            sed 's/^[0-9]*://' "$failures" >"$fresh/$1.failed"
        fi
    fi
    [ "$(ended "$1")" = 0 ] || { echo "acceptance: failed: $2" >&2; exit 1; }
}
# The command as the README has it.
build=$(sed -n 's/^\(\.\/slurm-factory build-slurm .*\)/\1/p' README.md | head -n 1)
as_typed build "$build"
as_typed test 'make test'
again=
if [ -s "$fresh/long.failed" ]; then
    # What failed of it was mended meanwhile.
    again="SF_FULL=1 sh tools/test.sh --tests-regex '^($(paste -s -d '|' "$fresh/long.failed" | sed 's/\./\\./g'))\$' \
--fixture-exclude-any '.*'"
    as_typed long_again "$again"
    cat "$fresh/long_again.tests" >"$fresh/tests"
else
    as_typed long 'make long'
    : >"$fresh/tests"
fi
as_typed toolchains 'make toolchains'
cat "$fresh/toolchains.tests" >>"$fresh/tests"
# Where Spack has come only after make test had passed.
spack=
if [ -n "${SF_SPACK_1_0:-}${SF_SPACK_1_1:-}" ] &&
    grep -q '^NOT RUN: e2e.spack: no Spack to test with' "$fresh/test.tests"; then
    spack="sh tools/test.sh --tests-regex '^e2e\.spack\$' --fixture-exclude-any '.*'"
    as_typed spack "$spack"
    cat "$fresh/spack.tests" >>"$fresh/tests"
fi
# The first that is said of a test counts: the last that was run.
cat "$fresh/test.tests" "$fresh/long.tests" >>"$fresh/tests"

# The output of one test, between ctest's lines, without the names of this machine's folders.
test_output() {
    awk -v name="$1" '$0 ~ "^[0-9]+/[0-9]+ Test: " { on = ($NF == name); next }
        on && /^<end of output>/ { exit } on && body { print } on && /^-----/ { body = 1 }' "$fresh/tests" |
        plain
}
plain() { sed -e "s,$fresh,.,g" -e 's,/var/tmp/sf-e2e\.[A-Za-z0-9]*,SCRATCH,g' -f "$fresh/spack.sed"; }
# The longest name first: one folder may hold another.
for variable in $spack_variables; do
    eval "value=\${$variable:-}"
    if [ -n "$value" ]; then printf 's,%s,%s,g\n' "$value" "$variable"; fi
done | awk '{ print length($0), $0 }' | sort -rn | cut -d ' ' -f 2- >"$fresh/spack.sed"
lines() { jq -R -s 'split("\n") | map(select(. != ""))'; }

# command_json NAME COMMAND LINES: what was typed, how long it took, what it printed last.
command_json() {
    tail -n "$3" "$fresh/$1.log" | plain | lines |
        jq --arg command "$2" --arg commit "$(cat "$fresh/$1.commit")" --argjson seconds "$(cat "$fresh/$1.seconds")" \
            '{command: $command, commit: $commit, seconds: $seconds, last_lines: .}'
}
# bundle_json FILE: its digest, and what its manifest says of the packages in it.
bundle_json() {
    tar -xzOf "$1" --wildcards '*manifests/*.json' >"$fresh/manifest.json"
    jq --arg file "$(basename "$1")" --arg sha256 "$(sha256sum <"$1" | cut -c1-64)" --argjson bytes "$(stat -c %s "$1")" \
        '{file: $file, sha256: $sha256, bytes: $bytes,
          packages: (.packages | map({name, version, identity, run_sha256: .run.sha256}))}' "$fresh/manifest.json"
}
# tests_json NAME...: what those tests printed, each of which has to be there; and which could not run, wholly or in part.
tests_json() {
    for name; do
        test_output "$name" | lines |
            jq --arg name "$name" 'if length > 0 then {($name): .} else error("nothing is known of " + $name) end'
    done >part
    jq -s '{tests: add} | .not_run = (.tests | map_values(map(select(test("^NOT RUN: ")) | sub("^NOT RUN: "; ""))) |
        map_values(select(length > 0)))' part
}
bundle_at() { readlink -f "$1/builds/slurm-$3-$2-software.tar.gz"; }

# Part by part into files, not through pipes: what fails is to end this.
rm -rf "$fresh/part"
mkdir -p "$repository/docs/evidence" "$fresh/part"
cd "$fresh/part"
jq -n --arg commit "$commit" --arg date "$(date -u +%Y-%m-%d)" '{commit: $commit, date: $date}' >opening
jq -n --arg system "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" --arg kernel "$(uname -r)" \
    --arg cpu "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" --argjson cores "$(nproc)" \
    --argjson memory "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" \
    '{machine: {system: $system, kernel: $kernel, cpu: $cpu, cores: $cores, memory_mib: $memory}}' >>opening
command_json build "$build" 40 >commands
command_json test 'make test' 15 >>commands
command_json long 'make long' 15 >>commands
if [ -n "$again" ]; then command_json long_again "$again" 15 >>commands; fi
command_json toolchains 'make toolchains' 15 >>commands
if [ -n "$spack" ]; then command_json spack "$spack" 15 >>commands; fi
bundle_json "$(bundle_at "$fresh/home/.slurm-factory" bookworm 25.11)" >bundle
tests_json e2e.first_light e2e.reproducible >first-light.tests
jq -s '{commands: .}' commands >first-light
jq '{bundle: .}' bundle >>first-light
jq -s add opening first-light first-light.tests >"$fresh/first-light.json"

clone=$fresh/slurm-factory
for series in 25.11 24.11 23.11; do bundle_json "$(bundle_at "$clone/build/e2e/state" bookworm "$series")"; done >bundles
bundle_json "$(bundle_at "$clone/build/e2e/state-noble" noble 25.11)" >>bundles
tests_json e2e.build e2e.production e2e.perl e2e.host_modules e2e.docker e2e.docker.slurm e2e.no_cache \
    e2e.verify.proof e2e.verify.tampered e2e.verify.broken e2e.verify.gpu e2e.verify.user e2e.verify.killed \
    e2e.vm.confined e2e.vm.no_dbus e2e.install.first e2e.install.prefix e2e.install.init_only e2e.install.trust \
    e2e.install.refused e2e.install.two_versions e2e.install.two_at_once e2e.install.noexec e2e.install.distribution \
    e2e.install.disk_full e2e.install.logs e2e.install.auth_by_hand e2e.install.accounting e2e.install.no_database \
    e2e.install.units e2e.install.systemd e2e.install.dbd e2e.install.hosts e2e.install.roles e2e.install.skew \
    e2e.install.upgrade e2e.install.modules e2e.install.hierarchy \
    e2e.must_fail.usage e2e.must_fail.vulnerable e2e.must_fail.missing_tools e2e.must_fail.missing_libraries \
    e2e.must_fail.no_network e2e.must_fail.wrong_sha256 e2e.must_fail.bad_recipes e2e.must_fail.flipped_bit \
    e2e.must_fail.read_only e2e.must_fail.odd_paths e2e.must_fail.failed_step e2e.must_fail.failed_root \
    e2e.must_fail.two_at_once e2e.must_fail.killed e2e.must_fail.disk_full \
    e2e.build.24.11 e2e.first_light.24.11 e2e.production.24.11 e2e.verify.proof.24.11 \
    e2e.build.23.11 e2e.first_light.23.11 e2e.production.23.11 e2e.verify.proof.23.11 e2e.install.first.23.11 \
    e2e.install.accounting.23.11 e2e.build.noble e2e.verify.proof.noble e2e.install.first.noble \
    e2e.install.accounting.noble e2e.install.no_database.noble e2e.install.systemd.noble e2e.install.modules.noble \
    e2e.vm.confined.noble e2e.munge.focal e2e.munge.jammy e2e.munge.trixie e2e.munge.resolute >production.tests
jq -s '{bundles: .}' bundles >production
jq -s add opening production production.tests >"$fresh/production.json"

tests_json e2e.cache e2e.http_cache e2e.s3 e2e.cache_s3 e2e.cache_trust e2e.local_cache e2e.buildcache e2e.bare \
    e2e.bare.both e2e.offline e2e.prefix.health e2e.prefix.versions e2e.spack >cache.tests
jq -s add opening cache.tests >"$fresh/cache.json"
mv "$fresh/first-light.json" "$fresh/production.json" "$fresh/cache.json" "$repository/docs/evidence/"
echo 'acceptance: written to docs/evidence/: first-light.json, production.json, cache.json'
jq -r '.not_run[] | .[] | "acceptance: NOT RUN: " + .' "$repository/docs/evidence/first-light.json" \
    "$repository/docs/evidence/production.json" "$repository/docs/evidence/cache.json"
