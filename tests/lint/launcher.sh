#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The launcher in a copy of its surroundings: cmake, apt-get, sudo and id are stubs on a PATH that holds
# nothing else but the basic tools.
set -eu
repository=$(git rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
copy="$work/a copy's"  # a space and a quote in the path
mkdir -p "$copy/tools" "$copy/src/base" "$copy/cmake" "$work/bin"
cp "$repository/slurm-factory" "$copy"
cp "$repository/tools/bootstrap.sh" "$repository/tools/ccache.sh" "$copy/tools"
touch "$copy/CMakeLists.txt" "$copy/CMakePresets.json" "$copy/src/base/a.cpp" "$copy/src/base/b.cpp"

fail() { echo "launcher: $1"; [ ! -e "$work/said" ] || cat "$work/said"; exit 1; }
for tool in sh cat chmod cp cut date dirname env find flock grep id mkdir mktemp mv readlink rm sed sleep \
    sort tail touch tr; do
    ln -s "$(command -v "$tool")" "$work/bin/$tool"
done
# The things that bootstrap looks for, but for cmake.
for tool in g++ ninja pkg-config mmdebstrap bwrap newuidmap gpg gpg-agent gpgv zstd xz; do
    ln -s /bin/sh "$work/bin/$tool"
done
cat >"$work/cmake" <<'STUB'
#!/bin/sh
# A configure says so; a build lasts while "hold" is there, and makes a program that prints its arguments.
echo "cmake $*" >>"$WORK/calls"
case $* in
    *--build*)
        [ ! -e "$WORK/break" ] || { echo 'error: the stub is broken'; exit 1; }
        while [ -e "$WORK/hold" ]; do sleep 0.1; done
        mkdir -p build/release
        printf '#!/bin/sh\nfor word; do printf "<%%s>" "$word"; done\n' >build/release/slurm-factory
        chmod +x build/release/slurm-factory ;;
esac
STUB
chmod +x "$work/cmake"
WORK=$work
export WORK
run() { PATH=$work/bin sh "$copy/slurm-factory" "$@" >"$work/said" 2>"$work/err" </dev/null; }
calls() { if [ -e "$work/calls" ]; then grep -c -- --build "$work/calls"; else echo 0; fi; }

# 1. Something is missing. --no-bootstrap prints the command, installs nothing, exits 1.
cat >"$work/bin/apt-get" <<'STUB'
#!/bin/sh
echo "apt-get $*" >>"$WORK/apt"
case $* in
    *install*) [ -e "$WORK/lists" ] || exit 100; cp "$WORK/cmake" "$WORK/bin/cmake" ;;
    *update*) touch "$WORK/lists" ;;
esac
STUB
chmod +x "$work/bin/apt-get"
if run --no-bootstrap plan; then fail 'went on although cmake is missing'; fi
grep -q '^    apt-get install .*\<cmake\>' "$work/err" || fail '--no-bootstrap does not print the command'
[ ! -e "$work/apt" ] || fail '--no-bootstrap called apt-get'

# 2. Neither root nor sudo: prints the command, exits 1.
rm "$work/bin/id"
printf '#!/bin/sh\necho 1000\n' >"$work/bin/id"
chmod +x "$work/bin/id"
if run plan; then fail 'went on without root and sudo'; fi
grep -q '^    apt-get install .*\<cmake\>' "$work/err" || fail 'without root and sudo: no command printed'
[ ! -e "$work/apt" ] || fail 'called apt-get without root'

# 3. With sudo: installs through it, after refreshing the lists; builds; hands every argument on.
cat >"$work/bin/sudo" <<'STUB'
#!/bin/sh
echo "sudo $*" >>"$WORK/sudo"
[ "$1" != -n ] || shift
exec "$@"
STUB
chmod +x "$work/bin/sudo"
run plan '' 'two words' "it's" "\$HOME" '*' || fail 'the first call failed'
[ "$(cat "$work/said")" = "<plan><><two words><it's><\$HOME><*>" ] || fail 'arguments are not handed on whole'
grep -q '^sudo -n env .*apt-get .*install .*cmake' "$work/sudo" || fail 'did not install through sudo'
[ "$(calls)" = 1 ] || fail 'did not build once'

# 4. The second call builds nothing; --no-bootstrap is the launcher's own, wherever it stands.
run plan --no-bootstrap --json || fail 'the second call failed'
[ "$(cat "$work/said")" = '<plan><--json>' ] || fail '--no-bootstrap was handed on'
[ ! -s "$work/err" ] || fail 'a later call is not silent'
[ "$(calls)" = 1 ] || fail 'a later call built again'

# 5. Its cost: the best of some calls, less the program's own time, stays below 50 ms.
best=1000000000
for _ in 1 2 3 4 5 6 7 8; do
    begin=$(date +%s%N)
    run
    between=$(date +%s%N)
    sh "$copy/build/release/slurm-factory"
    end=$(date +%s%N)
    cost=$((between - begin - (end - between)))
    if [ "$cost" -lt "$best" ]; then best=$cost; fi
done
echo "a later call adds $((best / 1000)) microseconds"
[ "$best" -lt 50000000 ] || fail 'a later call adds 50 ms or more'

# 6. A changed, a new and a deleted source are each built.
sleep 1.1
touch "$copy/src/base/a.cpp"
run || fail 'the call after a change failed'
[ "$(calls)" = 2 ] || fail 'a changed source was not built'
run || fail 'the second call after a change failed'
[ "$(calls)" = 2 ] || fail 'a changed source was built twice'
sleep 1.1
rm "$copy/src/base/b.cpp"
run || fail 'the call after a deletion failed'
[ "$(calls)" = 3 ] || fail 'a deleted source was not noticed'

# 7. Two first calls at once: one builds, the other waits and says so, both run.
rm -rf "$copy/build"
touch "$work/hold"
PATH=$work/bin sh "$copy/slurm-factory" one >"$work/one" 2>"$work/one.err" </dev/null &
first=$!
await() {  # await CONDITION...: for two minutes
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 1200 ] || fail "waited in vain: $*"
        sleep 0.1
    done
}
builds() { [ "$(calls)" = 4 ]; }
await builds
rm -f "$work/err"
run two &
second=$!
await grep -qs waiting "$work/err"
rm "$work/hold"
wait "$second" || fail 'the second of two calls at once failed'
wait "$first" || fail 'the first of two calls at once failed'
[ "$(calls)" = 4 ] || fail 'two calls at once did not build once'
[ "$(cat "$work/one" "$work/said")" = '<one><two>' ] || fail 'two calls at once: wrong arguments'
grep -q 'waiting' "$work/err" || fail 'the waiting call does not say so'

# 8. A build that fails shows its last lines and exits 1; the next call tries again.
sleep 1.1
touch "$copy/src/base/a.cpp" "$work/break"
if run; then fail 'a failed build went unnoticed'; fi
grep -q 'error: the stub is broken' "$work/err" || fail 'a failed build does not show its last lines'
rm "$work/break"
run again || fail 'the call after a failed build failed'

# 9. From another folder, through a symbolic link.
ln -s "$copy/slurm-factory" "$work/link"
(cd / && PATH=$work/bin "$work/link" linked) >"$work/said" 2>"$work/err" || fail 'a link to the launcher fails'
[ "$(cat "$work/said")" = '<linked>' ] || fail 'a link to the launcher hands nothing on'
