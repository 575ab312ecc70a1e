# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced at the top of a checkout: compile through ccache where it is installed, so that another checkout,
# in another folder, finds what this one has compiled.
if command -v ccache >/dev/null 2>&1; then
    CMAKE_CXX_COMPILER_LAUNCHER=ccache
    CCACHE_BASEDIR=$(pwd -P)
    CCACHE_NOHASHDIR=1
    export CMAKE_CXX_COMPILER_LAUNCHER CCACHE_BASEDIR CCACHE_NOHASHDIR
fi
