#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The man page is well formed, and names every command and global option that --help shows.
set -eu
page=docs/man/slurm-factory.1
said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
[ -z "$said" ] || { printf '%s\n' "$said"; exit 1; }

# CLI11 prints commands and options as "  name,-x,--long VALUE   text", two spaces in.
help=$("$1" --help)
missing=$(printf '%s\n' "$help" | sed -n 's/^  \([a-z-][^ ]*\).*/\1/p' | tr ',' '\n' | sort -u |
    while IFS= read -r word; do
        plain=$(printf '%s' "$word" | sed 's/-/\\\\-/g')
        grep -qE -- "(^|[^a-z-])$plain([^a-z-]|\$)" "$page" || echo "$word"
    done)
[ -z "$missing" ] || { printf 'not in %s:\n%s\n' "$page" "$missing"; exit 1; }
