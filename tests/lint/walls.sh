#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The walls between rooms hold: an undeclared include, a relative include and a declared use of a
# higher floor each fail, with the place named.
set -eu
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R cmake "$copy"
mkdir -p "$copy/src/low" "$copy/src/high"
cat >"$copy/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(walls LANGUAGES CXX)
set(SF_SANITIZE "")
list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_SOURCE_DIR}/cmake")
include(Warnings)
include(Sanitizers)
include(Room)
add_subdirectory(src)
CMAKE

tree() {  # tree LOW-USES: fresh sources, without a breach in them
    printf 'sf_room(low FLOOR 0 %s)\nsf_room(high FLOOR 1 USES low)\nsf_check_walls()\n' "$1" \
        >"$copy/src/CMakeLists.txt"
    printf '#pragma once\n' | tee "$copy/src/low/low.hpp" >"$copy/src/high/high.hpp"
    printf '#include "low/low.hpp"\n' | tee "$copy/src/low/low.cpp" >"$copy/src/high/high.cpp"
}
configured() { rm -rf "$copy/build"; cmake -G Ninja -S "$copy" -B "$copy/build" >"$copy/said" 2>&1; }
built() { configured && cmake --build "$copy/build" >"$copy/said" 2>&1; }
must_say() {  # must_say WHAT PATTERN
    grep -qE -- "$2" "$copy/said" || { echo "$1: not said: $2"; cat "$copy/said"; exit 1; }
}

tree ''
built || { echo 'a tree without a breach does not build:'; cat "$copy/said"; exit 1; }

tree ''
printf '\n#include "high/high.hpp"\n' >>"$copy/src/low/low.cpp"
if built; then echo 'an undeclared include was not found'; exit 1; fi
must_say 'undeclared include' "low\.cpp:3: room 'low' includes \"high/high.hpp\""

tree ''
printf '  #  include "../low/low.hpp"\n' >>"$copy/src/high/high.hpp"
if built; then echo 'a relative include was not found'; exit 1; fi
must_say 'relative include' 'high\.hpp:2: relative include'

tree 'USES high'
if configured; then echo 'a use of a higher floor was configured'; exit 1; fi
must_say 'higher floor' "room 'low' .*(uses|may not use) 'high'"
