#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# P5: nothing to do: build-slurm, publish and install again, each the median of its runs, with the bytes sent or fetched.
# build and publish once more with --offline: our own work, without waiting for a network. Then what each asks for: a
# cache by HTTP, in a web server's log; a folder that is published to, by system calls; others of the network, by a proxy
# that writes down who was wanted and lets nobody through.
measure=p5
. "$(dirname "$0")/lib.sh"
quiet_machine
published_cache
installer install "slurm@$version" --toolchain "$toolchain" --cache "$cache" --prefix "$work/tree" >"$work/out"
cat >"$work/install.sh" <<SH
# install.sh CACHE
exec env SLURM_FACTORY_CACHE_DIR="$client" "$program" --json install "slurm@$version" --toolchain "$toolchain" \\
    --cache "\$1" --prefix "$work/tree"
SH
cat >"$work/build.sh" <<SH
# build.sh [WORD...]
exec env SLURM_FACTORY_CACHE_DIR="$own" "$program" --json build-slurm --slurm-version "$version" --toolchain "$toolchain" \\
    --allow-vulnerable --signing-key "$key" "\$@"
SH
cat >"$work/publish.sh" <<SH
exec sh "$work/build.sh" --publish all --publish-to "$cache" --allow-older --publish-vulnerable "\$@"
SH
i=0
while [ "$i" -lt "$runs" ]; do
    # shellcheck disable=SC2129  # they are five
    timed build sh "$work/build.sh" >"$work/out.build" 2>>"$work/log"
    timed publish sh "$work/publish.sh" >"$work/out.publish" 2>>"$work/log"
    timed install sh "$work/install.sh" "$cache" >"$work/out.install" 2>>"$work/log"
    timed build_offline sh "$work/build.sh" --offline >"$work/out.offline" 2>>"$work/log"
    timed publish_offline sh "$work/publish.sh" --offline >"$work/out.offline" 2>>"$work/log"
    i=$((i + 1))
done

jq -s -e 'any(.event == "published_already")' "$work/out.publish" >"$work/out"

# What is asked for. install: of a mirror each time one conditional request, and nothing else.
if [ "$(id -u)" = 0 ]; then
    # shellcheck source=tests/e2e/nginx.sh
    . "$repository/tests/e2e/nginx.sh"
    # shellcheck disable=SC2016  # nginx's own words
    nginx_configure "$(nginx_serving "$cache" 127.0.0.1:8080) server { listen 127.0.0.1:8081; return 403; }" \
        '$server_port $status $body_bytes_sent $request'
    nginx_run nginx_apart
    trap 'kill "$nginx"; rm -rf "$work"' EXIT
    until nginx_answers; do sleep 0.1; done
    nginx_near sh "$work/install.sh" http://127.0.0.1:8080 >"$work/out" 2>>"$work/log"
    asking() {  # asking NAME COMMAND...: what it asks the network for, into $work/NAME.asked
        : >"$work/nginx/access.log"
        x_asked=$work/$1.asked
        shift
        nsenter --target "$nginx" --net -- env -u no_proxy -u NO_PROXY no_proxy=127.0.0.1 \
            http_proxy=http://127.0.0.1:8081 https_proxy=http://127.0.0.1:8081 "$@" >"$work/out" 2>>"$work/log"
        cp "$work/nginx/access.log" "$x_asked"
    }
    asking install sh "$work/install.sh" http://127.0.0.1:8080
    asking build sh "$work/build.sh"
    asking publish sh "$work/publish.sh"
    # Which file of whichever archive; or which server.
    wanted() { cut -d ' ' -f 4,5 "$work/build.asked" | sed 's, http://.*/, .../,' | sort | uniq -c; }
    requests() { wc -l <"$work/$1.asked"; }
    asked=$(jq -n --argjson install "$(requests install)" --argjson build "$(requests build)" \
        --argjson publish "$(requests publish)" --argjson conditional "$(grep -c '^8080 304 ' "$work/install.asked")" \
        --argjson bytes "$(awk '{ all += $3 } END { print all + 0 }' "$work/install.asked")" \
        --arg what "$(cut -d ' ' -f 4- "$work/install.asked")" --arg others "$(wanted)" \
        '{install_requests: $install, goal_install_requests: 1, install_conditional_answered_304: $conditional,
          install_body_bytes: $bytes, install_asks: ($what | split("\n")), build_requests: $build, publish_requests: $publish,
          build_asks_for: ($others | split("\n") | map(ltrimstr(" ")))}')
else
    not_run 'requests: a web server in a network of its own needs root'
    asked=null
fi
# A folder has no log: which objects of it are opened by a publish that has nothing to do.
if command -v strace >/dev/null && strace -o "$work/trace" true 2>>"$work/log"; then
    strace -f -qq -y -z -e trace=open,openat,openat2 -o "$work/trace" sh "$work/publish.sh" --offline >"$work/out" 2>>"$work/log"
    grep -v -e O_DIRECTORY -e O_PATH "$work/trace" | sed -n "s#.* = [0-9]*<$cache/\(.*\)>\$#\1#p" | sort >"$work/opened"
    folder=$(jq -R . "$work/opened" | jq -s '{publish_opens: (group_by(.) | map({(.[0]): length}) | add // {})}')
else
    not_run 'what a publish opens in a folder: there is no strace that may trace'
    folder=null
fi
result "$(jq -n --argjson build "$(median build)" --argjson publish "$(median publish)" --argjson install "$(median install)" \
    --argjson build_offline "$(median build_offline)" --argjson publish_offline "$(median publish_offline)" \
    --argjson sent "$(jq -s 'map(select(.event | startswith("published")) | .bytes) | add' "$work/out.publish")" \
    --argjson fetched "$(jq -s 'map(select(.event == "installed") | .fetched) | add' "$work/out.install")" \
    --argjson runs "$runs" --argjson asked "$asked" --argjson folder "$folder" \
    '{runs: $runs, build_ms: $build, publish_ms: $publish, install_ms: $install, build_offline_ms: $build_offline,
      publish_offline_ms: $publish_offline, goal_ms: 150, bytes_sent: $sent,
      archive_bytes_fetched: $fetched, goal_bytes: 0} + $asked + $folder')"
