#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The layout is clang-format's; `make format` makes it so.
set -eu
cd "$(git rev-parse --show-toplevel)"
bad=$(git ls-files --cached --others --exclude-standard '*.cpp' '*.hpp' | sort -u |
    while IFS= read -r file; do
        [ -f "$file" ] || continue
        clang-format --dry-run -Werror "$file" 2>/dev/null || echo "$file"
    done)
[ -z "$bad" ] || { printf 'not laid out as clang-format does (make format):\n%s\n' "$bad"; exit 1; }
