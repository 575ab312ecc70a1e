#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154  # what stands in single quotes is for inner shells; variables of machine.sh
# The S3 backend against a real server: Ceph's RGW, with a monitor and an OSD in memory, on a bare machine of its
# own (root, network, processes). Its root is made once, from the signed archives of Ubuntu 26.04.
#
#   s3.sh PROGRAM     PROGRAM: s3_conformance, as the build of the tests makes it
test_name=e2e.s3
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/ceph.sh"
is_root || not_run 'a machine in namespaces of its own needs root'
conformance=$1

ceph_root
ceph_start "$work/machine"
code=0
in_network env -i PATH=/usr/bin:/bin HOME="$work" AWS_SHARED_CREDENTIALS_FILE="$work/credentials" \
    AWS_ENDPOINT_URL_S3=http://127.0.0.1:9106 AWS_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true \
    "$conformance" --gtest_color=no || code=$?
[ "$code" = 0 ] || fail "s3_conformance exits with $code"
machine_stop
