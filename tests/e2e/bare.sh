#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154  # for inner shells; variables of machine.sh
# A cache published here is installed on bare machines of its distribution, which have nothing of ours and, but for
# GnuPG, nothing but what the distribution cannot do without: the portable program is unpacked there, the site's trust
# folder is put there, `install` takes Slurm from a folder, from a real S3 server, and from a web server over HTTP and
# over HTTPS with a CA of the site's own, a new machine for each; slurm_install.sh of what was installed brings a node
# up, and jobs run. SF_E2E_BARE='bookworm noble': on machines of both, from one cache, which two machines that build have
# published to, each with a key of its own.
test_name=e2e.bare${SF_E2E_BARE:+.both}
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/ceph.sh"
. "$(dirname "$0")/nginx.sh"
. "$(dirname "$0")/tls.sh"
is_root || not_run 'a machine in namespaces of its own needs root'
toolchains=${SF_E2E_BARE:-$toolchain}
# mean TOOLCHAIN: its machines, and what was built for it
mean() {
    of_toolchain "$1"
    own=$work/state-$toolchain
    version='' key=''
    # shellcheck source=/dev/null
    . "$facts"
}
PATH=$PATH:/usr/sbin

say '== the program, to be taken along'
sh "$repository/tools/portable.sh" "$work/portable" >"$work/portable.log" 2>&1 ||
    { cat "$work/portable.log"; fail 'the portable program is not made'; }
portable=$(tail -n 1 "$work/portable.log")
say "$(basename "$portable"): $(du -k "$portable" | cut -f 1) KiB"
(cd "$work/portable" && sha256sum --check --quiet ./*.sha256) || fail 'its digest is wrong'

say '== publish to a folder and to S3'
# Signatures are judged by GnuPG, the one thing that has to be there.
for each in $toolchains; do
    mean "$each"
    machine_root "$toolchain-gpg" gpg gpg-agent gpgconf gpgv
done
ceph_root
machine_network
ceph_start "$work/ceph" ceph 10.9.9.20
publish() {
    env SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
        "$vulnerable" --allow-older --publish-vulnerable --signing-key "$key" --publish all --publish-to "$1"
}
cache=$work/cache
# A bucket is the site's to make. No client of S3 is in these roots, and curl's own signature of version 4 is not what
# RGW wants: this one is of version 2.
jq -r '.keys[0].access_key' "$work/user.json" >"$work/id"
date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
signature=$(printf 'PUT\n\n\n%s\n/slurm' "$date" |
    openssl dgst -sha1 -hmac "$(jq -r '.keys[0].secret_key' "$work/user.json")" -binary | base64)
expect 0 in_network curl -sS --fail --request PUT --noproxy '*' --header "Date: $date" \
    --header "Authorization: AWS $(cat "$work/id"):$signature" http://10.9.9.20:9106/slurm
s3_environment="AWS_ENDPOINT_URL_S3=http://10.9.9.20:9106 AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true"
# shellcheck disable=SC2086  # words
publish_to_s3() {
    in_network env -u http_proxy -u https_proxy -u all_proxy $s3_environment "AWS_SHARED_CREDENTIALS_FILE=$work/credentials" \
        SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
        "$vulnerable" --allow-older --publish-vulnerable --signing-key "$key" --publish all --publish-to s3://slurm/site
}
mkdir "$work/trust"
echo '[]' >"$work/keys"
keys=
for each in $toolchains; do
    mean "$each"
    mkdir "$own"
    for folder in roots sources store packages keys; do ln -s "$state/$folder" "$own/$folder"; done
    expect 0 publish "$cache"
    expect 0 publish_to_s3
    cat "$work/out"
    sf key export "$key" --output "$work/trust/$key.asc"
    jq --arg key "$key" --arg title "builds of $toolchain" '. + [{fingerprint: $key, label: $title}]' \
        "$work/keys" >"$work/more"
    mv "$work/more" "$work/keys"
    keys="$keys --key $key"
done
jq '{trust: 1, keys: .}' "$work/keys" >"$work/trust/trust.json"

# Of the site's own CA, which no machine knows; only under its name is the server the one that is meant.
secure=https://cache.example:8443
site_ca=/etc/slurm-factory/ca.pem
tls_refuses() {  # tls_refuses CA ADDRESS REASON HINT: what is said of it, and no more is asked
    expect 1 in_machine env "SSL_CERT_FILE=$1" "$tool" install "slurm@${version%.*}" --cache "$2" --prefix "$site"
    expect_said "^slurm-factory: error: (.*: )?asking $2/[^ ]*: $3" "^  next: .*$4"
    say "refused: $(sed -n 's/^slurm-factory: error: //p' "$work/err")"
}
# Before anything of it is installed.
tls_is_judged() {
    [ ! -e "$machine/etc/ssl/certs/ca-certificates.crt" ] || fail 'the machine has CA certificates'
    cp "$work/tls/site.pem" "$machine$site_ca"
    cp "$work/tls/other.pem" "$machine/etc/slurm-factory/other.pem"
    echo '10.9.9.20 cache.example' >>"$machine/etc/hosts"
    tls_refuses '' "$secure" 'error setting certificate' 'install ca-certificates, .*SSL_CERT_FILE=FILE'
    tls_refuses /etc/none.pem "$secure" 'error setting certificate.* /etc/none.pem' 'CA certificates in /etc/none.pem'
    tls_refuses /etc/slurm-factory/other.pem "$secure" 'SSL certificate problem: ' \
        'CA certificates in /etc/slurm-factory/other.pem .*SSL_CERT_FILE=FILE'
    tls_refuses "$site_ca" https://10.9.9.20:8443 'SSL: .*10.9.9.20' "the name that the server's certificate is for"
    [ ! -e "$machine$site" ] || fail 'something was installed of a server that is not who it should be'
    if grep -F 'HTTP/2' "$work/nginx/access.log"; then fail 'a server that is not who it should be was asked'; fi
}
# A cache by its name, looked at and copied.
tls_verbs() {
    secured() { in_machine env "SSL_CERT_FILE=$site_ca" "$tool" "$@"; }
    # shellcheck disable=SC2086  # words
    expect 0 in_machine "$tool" cache add site "$secure" $keys
    expect 1 in_machine "$tool" cache verify site
    expect_said "^slurm-factory: error: (.*: )?asking $secure/[^ ]*: error setting certificate" \
        'install ca-certificates'
    expect 0 secured cache verify site
    expect_said "^$secure/$toolchain/slurm/deps: good\$" "^$secure/$toolchain/slurm/${version%.*}: good\$"
    expect 0 secured install "slurm@$version" --cache site --prefix "$site" --dry-run
    expect 0 secured cache mirror site /srv/part --versions "$version" --no-sources
    expect 0 in_machine "$tool" cache verify /srv/part
    expect_said 'good, and a part'
}

# bare_install WAY PLACE [ENVIRONMENT...]: a machine of its own, by its name, from PLACE; into the folder $site, or
# without --prefix where root's software is then.
number=1
bare_install() {
    way=$1
    place=$2
    shift 2
    say "== $way: $place"
    number=$((number + 1))
    host=$toolchain$way
    mkdir "$work/$host"
    machine_start "$toolchain-gpg" "$work/$host" "$host" "10.9.9.$number"
    echo "10.9.9.$number $host" >>"$machine/etc/hosts"
    tar -xzf "$portable" -C "$machine/opt"
    tool=$(echo "$machine"/opt/slurm-factory-*/bin/slurm-factory)
    tool=${tool#"$machine"}
    in_machine sh -c 'for tool in curl wget python3 jq zstd ssh; do if command -v "$tool"; then exit 1; fi; done' ||
        fail 'the machine is not bare'
    # What a site's configuration management puts there.
    mkdir "$machine/etc/slurm-factory"
    cp -R "$work/trust" "$machine/etc/slurm-factory/trust"
    if [ "$way" = folder ]; then cp -a "$cache" "$machine/srv/cache"; fi
    if [ "$way" = s3 ]; then
        mkdir -m 700 "$machine/root/.aws"
        install -m 600 "$work/credentials" "$machine/root/.aws/credentials"
    fi
    if [ "$way" = https ]; then tls_is_judged; fi
    begin=$(now_ms)
    there=${site:-/opt/slurm-factory}
    # shellcheck disable=SC2086  # two words or none
    expect 0 in_machine env "$@" "$tool" install "slurm@${version%.*}" --cache "$place" ${site:+--prefix $site}
    cat "$work/out"
    expect_said "slurm $version is in $there: [0-9]+ packages installed, 0 kept" \
        "as root: $there/data/slurm_assets/$version/slurm_install.sh --full-init --dry-run\$"
    say "$way: installed after $(($(now_ms) - begin)) ms"
    # shellcheck disable=SC2086  # two words or none
    expect 0 in_machine env "$@" "$tool" install "slurm@${version%.*}" --cache "$place" ${site:+--prefix $site}
    expect_said 'already'
    # shellcheck disable=SC2086  # two words or none
    expect 0 in_machine "$tool" list ${site:+--prefix $site}
    expect_said "^\* +1 +slurm $version"
    if [ "$way" = https ]; then tls_verbs; fi
    (cd "$machine$there/store" && find . -type f -exec sha256sum {} +) | sort >"$work/$host.list"
    diff "$work/${toolchain}folder.list" "$work/$host.list" || fail "what came by $way differs from what came from the folder"
    expect 0 in_machine "$there/data/slurm_assets/slurm_install.sh" --full-init --without-accounting
    expect_said 'proved: munge' 'proved: srun hostname, as nobody: ' 'proved: sbatch --array'
    machine_stop
}
new_ca site
new_ca other
certificate site cache.example
nginx_configure "$(nginx_serving "$cache" 10.9.9.20:8080)
    $(nginx_serving "$cache" 10.9.9.20:8443 "$work/tls/cache.example-site")"
show_logs_of "$work/nginx"
machine_use ceph
nginx_run in_network
keep_pid "$nginx"
wait_for 20 'nginx to start' nginx_answers

for each in $toolchains; do
    mean "$each"
    : >"$work/nginx/access.log"
    site=
    bare_install folder /srv/cache
    site=/opt/site
    # shellcheck disable=SC2086  # words
    bare_install s3 s3://slurm/site $s3_environment
    bare_install http http://10.9.9.20:8080
    grep -q ' 200 ' "$work/nginx/access.log" || fail 'nothing came through nginx'
    bare_install https "$secure" "SSL_CERT_FILE=$site_ca"
    grep -q '/blobs/[^ ]* HTTP/2.0" 200 ' "$work/nginx/access.log" || fail 'no archive came over HTTP/2'
done
