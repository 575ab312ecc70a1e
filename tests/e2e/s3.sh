#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154  # what stands in single quotes is for inner shells; variables of machine.sh
# The S3 backend against a real server: Ceph's RGW, with a monitor and an OSD in memory, on a bare machine of its
# own (root, network, processes). Its root is made once, from the signed archives of Ubuntu 26.04.
#
#   s3.sh PROGRAM     PROGRAM: s3_conformance, as the build of the tests makes it
test_name=e2e.s3
SF_E2E_TOOLCHAIN=resolute
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
test_name=e2e.s3
is_root || not_run 'a machine in namespaces of its own needs root'
conformance=$1

if [ ! -e "$e2e/machines/resolute-ceph/.made" ]; then
    take_over
    if ! sf toolchain prepare "$toolchain" >"$work/prepare.log" 2>&1; then
        ! grep -q 'no address of the ubuntu archive is known' "$work/prepare.log" ||
            not_run "this machine knows no archive of $toolchain"
        cat "$work/prepare.log"
        fail "the root of $toolchain cannot be made"
    fi
fi
machine_root resolute-ceph radosgw ceph-common ceph-mon ceph-osd
machine_start resolute-ceph "$work/machine"

id=$(cat /proc/sys/kernel/random/uuid)
osd=$(cat /proc/sys/kernel/random/uuid)
show_logs_of "$machine/var/log/ceph"
mkdir -p "$machine/etc/ceph" "$machine/var/log/ceph" "$machine/var/lib/ceph/mon/ceph-a" \
    "$machine/var/lib/ceph/osd/ceph-0" "$machine/var/lib/ceph/radosgw/ceph-rgw" "$machine/run/ceph"
cat >"$machine/etc/ceph/ceph.conf" <<CONF
[global]
fsid = $id
mon_initial_members = a
mon_host = v2:127.0.0.1:13300
public_addr = 127.0.0.1
ms_bind_msgr1 = false
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = /etc/ceph/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_load_list = *
osd_class_default_list = *
rgw_frontends = beast endpoint=127.0.0.1:9106
CONF

begin=$(now_ms)
expect 0 in_machine sh -ec '
    cd /etc/ceph
    ceph-authtool -C keyring --gen-key -n mon. --cap mon "allow *"
    for name in client.admin osd.0 client.rgw; do
        ceph-authtool keyring --gen-key -n "$name" --cap mon "allow *" --cap osd "allow *" --cap mgr "allow *"
    done
    monmaptool --create --fsid "$0" --addv a "[v2:127.0.0.1:13300]" monmap
    ceph-mon --mkfs -i a --monmap monmap --keyring keyring' "$id"

# They end with the machine.
daemon() {
    x_name=$1
    shift
    in_machine "$@" >"$work/$x_name.out" 2>&1 </dev/null &
    keep_pid $!
}
ceph() { in_machine ceph --connect-timeout 5 "$@"; }

daemon mon ceph-mon -i a -f
wait_for 60 'the monitor' ceph mon stat
expect 0 ceph osd new "$osd"
expect 0 in_machine ceph-osd -i 0 --mkfs --osd-uuid "$osd"
daemon osd ceph-osd -i 0 -f
osd_is_up() { ceph osd stat | grep -q '1 up'; }
wait_for 60 'the OSD' osd_is_up
daemon rgw radosgw -n client.rgw -f
in_network() { nsenter --target "$x_inside" --net -- "$@"; }
wait_for 120 'the RGW' in_network curl -sS -o "$work/hello" --max-time 5 http://127.0.0.1:9106/
umask 077
in_machine radosgw-admin user create --uid=factory --display-name=factory --gen-access-key --gen-secret \
    >"$work/user.json" 2>"$work/err" || fail "no user is made: $(cat "$work/err")"
say "Ceph RGW $(in_machine radosgw --version | cut -d ' ' -f 3) serves after $((($(now_ms) - begin) / 1000)) s"

jq -r '.keys[0] | "[default]\naws_access_key_id = \(.access_key)\naws_secret_access_key = \(.secret_key)"' \
    "$work/user.json" >"$work/credentials"
code=0
in_network env -i PATH=/usr/bin:/bin HOME="$work" AWS_SHARED_CREDENTIALS_FILE="$work/credentials" \
    AWS_ENDPOINT_URL_S3=http://127.0.0.1:9106 AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true \
    "$conformance" --gtest_color=no || code=$?
[ "$code" = 0 ] || fail "s3_conformance exits with $code"
machine_stop
