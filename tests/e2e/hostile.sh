# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154  # variables of lib.sh
# A folder for LD_LIBRARY_PATH as bad as a user's can be; sourced after lib.sh.
#
#   make_hostile FOLDER TREE     under the public soname of each library that TREE keeps private, a
#                                library that writes who loaded it to FOLDER/loaded and ends the process
#   nobody_fell FOLDER           nothing was loaded from there
make_hostile() {
    mkdir -p "$1"
    printf '%s\n' \
        '#include <fcntl.h>' '#include <string.h>' '#include <unistd.h>' \
        'extern char* program_invocation_name;' \
        '__attribute__((constructor)) static void trap(void) {' \
        "    int fd = open(\"$1/loaded\", O_WRONLY | O_CREAT | O_APPEND, 0666);" \
        '    write(fd, program_invocation_name, strlen(program_invocation_name));' \
        '    write(fd, "\n", 1);' \
        '    _exit(99);' \
        '}' >"$1/trap.c"
    find "$2" -name '*-sf.so.[0-9]*' | sed 's,.*/,,; s,-sf\.so,.so,' | sort -u >"$1/names"
    [ "$(wc -l <"$1/names")" -ge 10 ] || fail "only $(wc -l <"$1/names") private libraries found in $2"
    while IFS= read -r x_name; do
        gcc -w -D_GNU_SOURCE -shared -fPIC -o "$1/$x_name" "-Wl,-soname,$x_name" "$1/trap.c" ||
            fail "cannot build the hostile $x_name"
    done <"$1/names"
    # The trap works: a program that wants zlib falls into it.
    printf 'int main(void) { return 0; }\n' >"$1/victim.c"
    gcc -o "$1/victim" "$1/victim.c" "-Wl,--no-as-needed" "$1/libz.so.1"
    if LD_LIBRARY_PATH=$1 "$1/victim"; then fail 'the hostile libraries are harmless'; fi
    [ -s "$1/loaded" ] || fail 'the hostile libraries do not tell who loaded them'
    rm "$1/loaded"
    : >"$1/loaded"
    chmod 666 "$1/loaded"
}
nobody_fell() {
    [ ! -s "$1/loaded" ] || fail "LD_LIBRARY_PATH caught: $(sort "$1/loaded" | uniq -c | tr '\n' ' ')"
}
