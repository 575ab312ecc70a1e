#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A linter whose header filter matches nothing finds nothing: a bad line planted in a header of a copy
# of this tree must be found, by our .clang-tidy, through our tools/tidy.sh.
set -eu
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy/src/base" "$copy/tools"
cp .clang-tidy CMakePresets.json "$copy"
cp -R cmake "$copy"
cp tools/tidy.sh tools/tidy_one.sh "$copy/tools"
cat >"$copy/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(planted LANGUAGES CXX)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_library(planted STATIC src/base/planted.cpp)
target_include_directories(planted PUBLIC src)
CMAKE
cat >"$copy/src/base/planted.hpp" <<'HPP'
#pragma once
struct Planted {
    int* pointer = 0;
};
HPP
printf '#include "base/planted.hpp"\n\nint planted();\nint planted() { return *Planted().pointer == 1; }\n' \
    >"$copy/src/base/planted.cpp"

XDG_CACHE_HOME=$copy/cache
export XDG_CACHE_HOME
if sh "$copy/tools/tidy.sh" "$copy" >"$copy/found" 2>&1; then
    echo 'clang-tidy did not fail on a bad header'
    exit 1
fi
grep -q 'planted\.hpp:3:.*modernize-use-nullptr' "$copy/found" || {
    echo 'the finding in the header is missing:'
    cat "$copy/found"
    exit 1
}
# And the other way round: the mended header passes, so the failure was that line's.
sed -i 's/ = 0;/ = nullptr;/' "$copy/src/base/planted.hpp"
printf '#include "base/planted.hpp"\n\nint planted();\nint planted() { return Planted().pointer == nullptr ? 1 : 0; }\n' \
    >"$copy/src/base/planted.cpp"
sh "$copy/tools/tidy.sh" "$copy" >"$copy/found" 2>&1 || {
    echo 'the mended header does not pass:'
    cat "$copy/found"
    exit 1
}
