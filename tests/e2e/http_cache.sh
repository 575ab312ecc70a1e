#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A cache that the file backend wrote, read through a real nginx: HTTP/2 over TLS with a CA of our own, ranges,
# redirects, workers that are killed in the middle. http_cache.sh PROGRAM: the tests of http_cache_test.cpp.
test_name=e2e.http_cache
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/nginx.sh"
. "$(dirname "$0")/tls.sh"
reader=$1

# The worker is another user than the one who writes, if we are root: the modes must let it read.
cache=$work/cache
mkdir "$work/nginx"
show_logs_of "$work/nginx"
new_ca ours
new_ca other
certificate ours localhost

configure() {  # configure HTTPS_PORT HTTP_PORT
    # shellcheck disable=SC2016  # nginx's own words
    nginx_configure "
    server {
        listen 127.0.0.1:$1 ssl http2;
        ssl_certificate $work/tls/localhost-ours.pem;
        ssl_certificate_key $work/tls/localhost-ours.key;
        root $cache;
        location ~ /\\.sf- { return 404; }
        location /slow/ { alias $cache/; limit_rate 2m; }
        location /down/ { return 302 http://localhost:$2\$request_uri; }
    }
    server {
        listen 127.0.0.1:$2;
        location / { return 301 https://localhost:$1\$request_uri; }
        location /plain/ { alias $cache/; limit_rate 2m; }
    }" '$server_protocol $request_method $uri $status $http_range'
}

SF_E2E_FOLDER=$cache SF_E2E_CA=$work/tls/ours.pem SF_E2E_OTHER_CA=$work/tls/other.pem
export SF_E2E_FOLDER SF_E2E_CA SF_E2E_OTHER_CA no_proxy='*'
expect 0 "$reader" --gtest_filter='Write.*'
[ "$(find "$cache" -type f | wc -l)" = 4 ] || fail 'the file backend left something beside its four objects'

# Ports that nobody has: nginx says so itself.
started() { [ -s "$work/nginx/pid" ] || grep -qF '[emerg]' "$work/nginx/error.log"; }
tries=0
until [ -s "$work/nginx/pid" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 10 ] || fail 'no free ports found'
    port=$((20000 + $(od -An -tu2 -N2 /dev/urandom) % 20000 * 2))
    configure "$port" $((port + 1))
    : >"$work/nginx/error.log"
    nginx_run
    keep_pid "$nginx"
    wait_for 20 'nginx to start' started
    [ -s "$work/nginx/pid" ] || grep -q 'Address already in use' "$work/nginx/error.log" || fail 'nginx does not start'
done
SF_E2E_HTTPS=https://localhost:$port SF_E2E_HTTP=http://localhost:$((port + 1)) SF_E2E_NGINX=$nginx
SF_E2E_WRONG_NAME=https://127.0.0.1:$port
export SF_E2E_HTTPS SF_E2E_HTTP SF_E2E_NGINX SF_E2E_WRONG_NAME
answers() { curl -sf --noproxy '*' --cacert "$SF_E2E_CA" "$SF_E2E_HTTPS/v3/layout.json"; }
wait_for 20 nginx answers

expect 0 "$reader" --gtest_filter='Read.*-*Gone*'
expect_said '\[  PASSED  \] 9 tests'
said() {  # said PATTERN WHAT: a line of nginx's access log
    grep -qE -- "$1" "$work/nginx/access.log" || fail "nginx was never asked $2"
}
said '^HTTP/2.0 GET /v3/layout.json 200' 'over HTTP/2'
said '^HTTP/2.0 HEAD /v3/layout.json 200' 'for a head alone'
said '^HTTP/2.0 GET /v3/snapshot.json 304' 'whether an object changed'
said '^HTTP/2.0 GET /slow/blobs/sha256/ab/large 206 bytes=[1-9][0-9]*-' 'to go on after a cut, over TLS'
said '^HTTP/1.1 GET /plain/blobs/sha256/ab/large 206 bytes=[1-9][0-9]*-' 'to go on after a cut'
said '^HTTP/1.1 GET /v3/layout.json 301' 'without TLS'
if grep -qE '^HTTP/1.1 GET /down/' "$work/nginx/access.log"; then fail 'a redirect from https to http was followed'; fi
say "read through nginx $(nginx -v 2>&1 | sed 's#.*/##'): $(wc -l <"$work/nginx/access.log") requests"

end_pid "$nginx"
expect 0 "$reader" --gtest_filter='Read.*Gone*'
expect_said '\[  PASSED  \] 1 test'
say 'a server that is gone is told from an object that is absent'
