#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P4: relocation alone, by package: what an installation leaves otherwise than its archive has it, and files that name
# the folder they were installed to; beside it the time of reading the same files once. No step rewrites anything: it is
# measured that none has to, by installations to two folders, one of a long name.
measure=p4
. "$(dirname "$0")/lib.sh"
quiet_machine
published_cache
near=$work/near
far=$work/$(printf 'a-folder-with-a-long-name-%.0s' 1 2 3 4 5 6 7 8)
for prefix in "$near" "$far"; do
    installer --json install "slurm@$version" --toolchain "$toolchain" --cache "$cache" --prefix "$prefix" >>"$work/out"
done
find "$near/store" -mindepth 1 -maxdepth 1 -printf '%f\n' | LC_ALL=C sort >"$work/names"
[ -s "$work/names" ]

# contents FOLDER: "SHA-256 SIZE PATH" of each file, "link TARGET PATH" of each link.
contents() {
    (
        cd "$1"
        find . -type f -exec sha256sum {} + | while read -r digest path; do
            printf '%s %s %s\n' "$digest" "$(stat -c %s "$path")" "$path"
        done
        find . -type l -printf 'link %l %p\n'
    ) | LC_ALL=C sort
}
mkdir "$work/archived"
while IFS= read -r name; do
    zstd -dcq "$own/packages/$name/run.tar.zst" | tar x -C "$work/archived"
    contents "$work/archived/$name" >"$work/is"
    for prefix in "$near" "$far"; do
        contents "$prefix/store/$name" | LC_ALL=C comm -13 "$work/is" -
    done >"$work/rewritten"
    rm -rf "${work:?}/archived/$name"
    naming=$(grep -rlF -e "$near" -e "$far" "$near/store/$name" "$far/store/$name" | wc -l)
    # What has no byte 0 is text.
    text=$(find "$near/store/$name" -type f -size +0 -exec grep -lI . {} + | wc -l)
    rm -f "$work/read.times"
    i=0
    while [ "$i" -lt "$runs" ]; do
        timed read find "$near/store/$name" -type f -exec cat {} + >"$work/read"
        i=$((i + 1))
    done
    awk -v package="$name" -v text="$text" -v naming="$naming" -v read="$(median read)" '
        NR == FNR { if ($1 != "link") { ++files; bytes += $2 } next }
        { ++rewritten; if ($1 != "link") rewritten_bytes += $2 }
        END { printf "{\"package\": \"%s\", \"files\": %d, \"text_files\": %d, \"bytes\": %d, \"rewritten\": %d, " \
            "\"bytes_rewritten\": %d, \"files_naming_the_prefix\": %d, \"read_once_ms\": %d}\n",
            package, files, text, bytes, rewritten, rewritten_bytes, naming, read }' "$work/is" "$work/rewritten"
done <"$work/names" | jq -s . >"$work/rows"
# All that is made beside the packages names nothing of where it is, but for the record of the installation.
beside=$(grep -rlF -e "$near" -e "$far" "$near" "$far" | grep -c -v -e /store/ -e /generations/) || [ "$beside" = 0 ]
result "$(jq --argjson runs "$runs" --argjson beside "$beside" '
    def sum(f): map(f) | add;
    {runs: $runs, packages: length, files: sum(.files), bytes: sum(.bytes), files_rewritten: sum(.rewritten),
     bytes_rewritten: sum(.bytes_rewritten), files_naming_the_prefix: sum(.files_naming_the_prefix),
     others_naming_the_prefix: $beside, goal_rewritten: 0, read_once_ms: sum(.read_once_ms),
     goal_text_ms_a_package: 20, by_package: .}' "$work/rows")"
