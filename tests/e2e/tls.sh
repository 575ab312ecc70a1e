# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154  # sourced after lib.sh
# CAs of a site's own, and certificates of servers by them, made with openssl in $work/tls.
#
#   new_ca NAME             the CA NAME: NAME.pem, NAME.key
#   certificate NAME HOST   one for the name HOST by it: HOST-NAME.pem, HOST-NAME.key
mkdir "$work/tls"

openssl_quietly() { openssl "$@" 2>"$work/openssl" || fail "openssl: $(cat "$work/openssl")"; }
new_ca() {
    openssl_quietly req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$work/tls/$1.key" -out "$work/tls/$1.pem"
}
certificate() {
    openssl_quietly req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
        -keyout "$work/tls/$2-$1.key" -out "$work/tls/$2-$1.csr"
    echo "subjectAltName=DNS:$2" >"$work/tls/names"
    openssl_quietly x509 -req -days 2 -in "$work/tls/$2-$1.csr" -CA "$work/tls/$1.pem" -CAkey "$work/tls/$1.key" \
        -CAcreateserial -extfile "$work/tls/names" -out "$work/tls/$2-$1.pem"
}
