# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154  # sourced after lib.sh, or with $work set and a wait_for
# A real nginx that serves a cache's folder; what it keeps and logs is in $work/nginx.
PATH=$PATH:/usr/sbin

# nginx_configure SERVERS [LOG_FORMAT]: server blocks; each line of access.log as LOG_FORMAT says, else combined.
nginx_configure() {
    mkdir -p "$work/nginx"
    x_format=${2:+"log_format asked '$2';"}
    cat >"$work/nginx/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events {}
http {
    $x_format
    access_log $work/nginx/access.log ${2:+asked};
    default_type application/octet-stream;
    client_body_temp_path $work/nginx/body; proxy_temp_path $work/nginx/proxy; fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi; scgi_temp_path $work/nginx/scgi;
    $1
}
CONF
}
# nginx_serving FOLDER ADDRESS:PORT [FILE]: a server block, without what a publisher has not finished; over TLS and
# HTTP/2 with the certificate FILE.pem and its FILE.key.
nginx_serving() {
    x_tls=${3:+" ssl http2; ssl_certificate $3.pem; ssl_certificate_key $3.key"}
    printf 'server { listen %s%s; root %s; location ~ /\\.sf- { return 404; } }\n' "$2" "$x_tls" "$1"
}
# nginx_run [COMMAND...]: in the background, after COMMAND's words; its number is $nginx.
nginx_run() {
    "$@" nginx -c "$work/nginx/nginx.conf" -e "$work/nginx/error.log" >"$work/nginx/out.log" 2>&1 &
    nginx=$!
}
# In a network of its own: the port is free there, and nothing else is. For nginx_run: it becomes nginx.
# shellcheck disable=SC2016  # for the inner shell
nginx_apart() { exec unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$@"; }
nginx_near() { nsenter --target "$nginx" --net -- env -u http_proxy -u https_proxy "$@"; }
nginx_answers() { [ -s "$work/nginx/pid" ]; }
# nginx_start FOLDER [LOG_FORMAT]: at http://127.0.0.1:8080, for what is run by nginx_near.
nginx_start() {
    nginx_configure "$(nginx_serving "$1" 127.0.0.1:8080)" "${2:-}"
    nginx_run nginx_apart
    keep_pid "$nginx"
    wait_for 20 'nginx to start' nginx_answers
}
