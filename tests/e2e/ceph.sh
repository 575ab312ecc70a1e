# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2016,SC2034,SC2154  # for inner shells; variables of machine.sh, and for who sources this
# A real S3 server: Ceph's RGW, with a monitor and an OSD in memory, on a bare machine of its own (root, network,
# processes), whose root is made once, from the signed archives of Ubuntu 26.04. Sourced after machine.sh.
#
#   ceph_root                          makes the root
#   ceph_start FOLDER [HOST ADDRESS]   the machine, and all that runs on it, until the RGW answers at port 9106 of
#                                      ADDRESS (127.0.0.1); the keys of its one user are in $work/credentials

ceph_root() {
    x_here=$toolchain x_here_state=$state
    toolchain=resolute state=$e2e/state-resolute
    if [ ! -e "$e2e/machines/resolute-ceph/.made" ]; then
        take_over
        if ! SLURM_FACTORY_CACHE_DIR=$state "$launcher" toolchain prepare "$toolchain" >"$work/prepare.log" 2>&1; then
            ! grep -q 'no address of the ubuntu archive is known' "$work/prepare.log" ||
                not_run "this machine knows no archive of $toolchain"
            cat "$work/prepare.log"
            fail "the root of $toolchain cannot be made"
        fi
    fi
    machine_root resolute-ceph radosgw ceph-common ceph-mon ceph-osd
    toolchain=$x_here state=$x_here_state
}

# They end with the machine.
daemon() {
    x_name=$1
    shift
    in_machine "$@" >"$work/$x_name.out" 2>&1 </dev/null &
    keep_pid $!
}
ceph() { in_machine ceph --connect-timeout 5 "$@"; }

osd_is_up() { ceph osd stat | grep -q '1 up'; }
in_network() { nsenter --target "$x_inside" --net -- "$@"; }

ceph_start() {
    machine_start resolute-ceph "$@"
    x_ceph_address=${3:-127.0.0.1}

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
rgw_frontends = beast endpoint=$x_ceph_address:9106
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

    daemon mon ceph-mon -i a -f
    wait_for 60 'the monitor' ceph mon stat
    expect 0 ceph osd new "$osd"
    expect 0 in_machine ceph-osd -i 0 --mkfs --osd-uuid "$osd"
    daemon osd ceph-osd -i 0 -f
    wait_for 60 'the OSD' osd_is_up
    daemon rgw radosgw -n client.rgw -f
    wait_for 120 'the RGW' in_network curl -sS -o "$work/hello" --max-time 5 "http://$x_ceph_address:9106/"
    umask 077
    in_machine radosgw-admin user create --uid=factory --display-name=factory --gen-access-key --gen-secret \
        >"$work/user.json" 2>"$work/err" || fail "no user is made: $(cat "$work/err")"
    say "Ceph RGW $(in_machine radosgw --version | cut -d ' ' -f 3) serves after $((($(now_ms) - begin) / 1000)) s"

    jq -r '.keys[0] | "[default]\naws_access_key_id = \(.access_key)\naws_secret_access_key = \(.secret_key)"' \
        "$work/user.json" >"$work/credentials"
    umask 022
}
