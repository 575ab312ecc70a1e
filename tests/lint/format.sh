#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The layout is clang-format's; `make format` makes it so.
set -eu
cd "$(git rev-parse --show-toplevel)"
said=$(mktemp)
trap 'rm -f "$said"' EXIT
code=0
git ls-files -z --cached --others --exclude-standard '*.cpp' '*.hpp' |
    xargs -0 -r clang-format --dry-run -Werror >"$said" 2>&1 || code=$?
[ "$code" != 0 ] || exit 0
echo 'not laid out as clang-format does (make format):'
sed -n 's/^\([^:]*\):[0-9]*:.*code should be clang-formatted.*/\1/p' "$said" | sort -u
grep -v -e 'code should be clang-formatted' "$said" | grep -i 'no such file\|error:' | head -n 5
exit 1
