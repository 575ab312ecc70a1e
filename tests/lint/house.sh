#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The rules of the house that grep can see (docs/architecture.md). Prints every breach with its place.
set -u
cd "$(git rev-parse --show-toplevel)" || exit 1

broken=0
files=$(mktemp)
trap 'rm -f "$files"' EXIT
git ls-files --cached --others --exclude-standard | sort -u | while IFS= read -r file; do
    if [ -f "$file" ] && [ ! -L "$file" ]; then printf '%s\n' "$file"; fi
done >"$files"

breach() {  # breach RULE <LINES
    lines=$(cat)
    [ -n "$lines" ] || return 0
    printf 'house rule broken: %s\n%s\n' "$1" "$lines"
    broken=1
}

# never PATTERN RULE [FILE allowed to]: no line of C++ code, comments aside, matches.
never() {
    grep -E '^src/.*\.(cpp|hpp)$' "$files" | grep -vE "${3:-^$}" |
        xargs -r grep -nE -- "$1" /dev/null | grep -vE '^[^:]*:[0-9]+:[[:space:]]*//' >"$files.hits"
    breach "$2" <"$files.hits"
    rm -f "$files.hits"
}

call='(^|[^A-Za-z0-9_.>])'
never "${call}system *\\(" 'no system(): programs are started by base/process, without a shell'
never "${call}v?popen *\\(" 'no popen(): programs are started by base/process, without a shell'
never '(filesystem|fs)::remove_all' 'remove_all follows nothing we control: use base::remove_tree' \
    '^src/base/files\.cpp$'
never '\.detach *\(' 'threads are joined, never detached'
never "${call}v?fork *\\(" 'processes are made by base/process only' '^src/base/process[a-z_]*\.cpp$'
never 'trust/gpg_signer\.hpp' 'what signs without asking is the signer process only: use trust/signer_process.hpp' \
    '^src/trust/(gpg_signer|signer_service)\.cpp$'
never 'using namespace std *;' 'no using namespace std'

grep -E '^src/.*\.hpp$' "$files" | xargs -r grep -L '^#pragma once' /dev/null |
    grep -v '^/dev/null$' >"$files.hits"
breach 'a header begins with #pragma once' <"$files.hits"

# The first comment says what the file is: it stands right below the licence line, in the header where
# there is one.
grep -E '^src/.*\.(cpp|hpp)$' "$files" | while IFS= read -r file; do
    case $file in *.cpp) if [ -e "${file%.cpp}.hpp" ]; then continue; fi ;; esac
    sed -n '2p' "$file" | grep -q '^// ' || printf '%s:2: no comment that says what the file is\n' "$file"
done >"$files.hits"
breach "a file's first comment says what it is" <"$files.hits"

grep -E '\.(cpp|hpp|sh|cmake|txt)$' "$files" | while IFS= read -r file; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 800 ]; then printf '%s: %s lines\n' "$file" "$lines"; fi
done >"$files.hits"
breach 'no file over 800 lines' <"$files.hits"

# Files that cannot hold a comment, are upstream's (patches) or are read byte for byte (golden).
grep -vE '(^|/)(LICENSE|\.gitignore|\.gitkeep)$|\.(json|jsonl|patch|asc|gpg|bin|png|tar|gz|zst)$' "$files" |
    grep -vE '^tests/(golden|fuzz/corpus)/' | while IFS= read -r file; do
    head -n 5 "$file" | grep -q 'SPDX-License-Identifier: ' || printf '%s\n' "$file"
done >"$files.hits"
breach 'every file names its licence (SPDX-License-Identifier) in its first lines' <"$files.hits"

grep -E '\.sh$|^Makefile$|^slurm-factory$|^\.ci/|^\.githooks/|\.(cmake|yaml|yml)$|CMakeLists\.txt$' "$files" |
    grep -v '^recipes/' | xargs -r grep -nE '[|][|] *(true|:)([^a-zA-Z]|$)' /dev/null >"$files.hits"
breach 'a failure is handled, not swallowed' <"$files.hits"

# The address of a package archive is found at run time, never written down.
if command -v apt-get >/dev/null 2>&1; then
    # shellcheck disable=SC2016  # apt's own words
    apt-get indextargets --format '$(SITE)' | sed -n 's#^[a-z+]*://\([^/:]*\).*#\1#p' | sort -u |
        while IFS= read -r host; do
            if [ -n "$host" ]; then tr '\n' '\0' <"$files" | xargs -0 -r grep -nIF -- "$host" /dev/null; fi
        done >"$files.hits"
    breach 'no address of a package archive in the tree' <"$files.hits"
fi
rm -f "$files.hits"

exit "$broken"
