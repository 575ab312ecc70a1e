#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every shell script of ours is shellcheck clean.
set -eu
cd "$(git rev-parse --show-toplevel)"
git ls-files --cached --others --exclude-standard | sort -u | while IFS= read -r file; do
    [ -f "$file" ] || continue
    case $file in
        *.sh) echo "$file" ;;
        *) if head -c 64 "$file" | head -n 1 | grep -qaE '^#!.*[/ ](sh|bash|dash)$'; then echo "$file"; fi ;;
    esac
done | xargs -r shellcheck -x
