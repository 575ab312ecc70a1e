#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The bundle that build.sh made, unpacked where it was never built for: its daemons start and run jobs;
# moved with mv, deeper, with a space and a letter beyond ASCII in the path, they do it again; moved once
# more, to a short path, with a hostile LD_LIBRARY_PATH; and once from a tree of `bundle install`.
test_name=e2e.first_light
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"
. "$(dirname "$0")/hostile.sh"
is_root || not_run 'starting the daemons in a network namespace of their own needs root'
bundle='' version='' placeholder=''
# shellcheck source=/dev/null
. "$facts"

live() {  # live TITLE TREE FOLDER [NAME=VALUE...]
    say "== $1"
    x_place=$2
    x_folder=$3
    shift 3
    [ ! -e "$placeholder" ] || fail "the build prefix $placeholder exists on this machine"
    x_begin=$(now_ms)
    cluster_start "$x_place/views/$version" "$x_folder" "$@"
    say "munged, slurmctld and slurmd are up after $(($(now_ms) - x_begin)) ms"
    cluster_jobs "$x_place"
    cluster_stop
}

first=$work/$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')
mkdir "$first"
tar -xzf "$bundle" -C "$first"
libraries_are_found "$first"
live 'unpacked by tar, at a random path' "$first" "$work/one"

second="$work/a much/deeper/päth with a space/der Häuser"
mkdir -p "${second%/*}"
mv "$first" "$second"
live 'moved with mv: deeper, a space, letters beyond ASCII' "$second" "$work/two"

third=$work/t
mv "$second" "$third"
make_hostile "$work/hostile" "$third"
live 'moved with mv: a short path, a hostile LD_LIBRARY_PATH' "$third" "$work/three" \
    "LD_LIBRARY_PATH=$work/hostile"
nobody_fell "$work/hostile"
rm -rf "$third"

fourth="$work/installed here"
mkdir "$fourth"
expect 0 sf bundle install "$bundle" --prefix "$fourth"
live 'unpacked by bundle install' "$fourth" "$work/four"
