#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154  # variables of machine.sh
# How a cache in a bucket is kept, on a real S3 server (Ceph's RGW): copied there from a folder and back, verified, signed
# afresh, its index made anew, pruned, mended; each by the name that the bucket has here. One file for a machine
# without a network is made of it. Many publishers write to one place at once, and some of them are killed. The
# secret that opens the bucket stays in the file that it is read from.
#
#   cache_s3.sh PUBLISHER     PUBLISHER: small_publisher, as the build of the tests makes it
test_name=e2e.cache_s3
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/ceph.sh"
is_root || not_run 'a machine in namespaces of its own needs root'
publisher=$1
version='' key=''
# shellcheck source=/dev/null
. "$facts"
own=$work/state
cache=$work/cache
mkdir "$own" "$work/client"
for folder in roots sources store packages keys; do ln -s "$state/$folder" "$own/$folder"; done

ceph_root
ceph_start "$work/machine"
endpoint=http://127.0.0.1:9106
# No client of S3 is here, and curl's own signature of version 4 is not what RGW wants: this one is of version 2.
s3() {  # s3 METHOD /BUCKET/KEY [CURL'S OPTION...]
    method=$1 path=$2
    shift 2
    date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
    signature=$(printf '%s\n\n\n%s\n%s' "$method" "$date" "$path" |
        openssl dgst -sha1 -hmac "$(jq -r '.keys[0].secret_key' "$work/user.json")" -binary | base64)
    in_network curl -sS --fail --request "$method" --noproxy '*' --header "Date: $date" --header 'Content-Type:' \
        --header "Authorization: AWS $(jq -r '.keys[0].access_key' "$work/user.json"):$signature" "$@" "$endpoint$path"
}
expect 0 s3 PUT /slurm
in_s3() {
    in_network env -u http_proxy -u https_proxy -u all_proxy "AWS_ENDPOINT_URL_S3=$endpoint" AWS_REGION=us-east-1 \
        AWS_EC2_METADATA_DISABLED=true "AWS_SHARED_CREDENTIALS_FILE=$work/credentials" "$@"
}
client() { in_s3 env SLURM_FACTORY_CACHE_DIR="$work/client" "$program" "$@"; }
keeper() { in_s3 env SLURM_FACTORY_CACHE_DIR="$own" "$program" "$@"; }
told() { jq -s -c "map(select(.event == \"$1\"))" "$work/out"; }
# keep_said NAME: what the last expect said, for secret_is_nowhere.
keep_said() { cp "$work/out" "$work/said.$1.out" && cp "$work/err" "$work/said.$1.err"; }
# The keys are lasting ones: no session token belongs to them.
secret=$(jq -r '.keys[0].secret_key' "$work/user.json")
# The files that hold it; but for where it belongs: what Ceph printed when it made the user, the file that was written
# of that for the program to read, and Ceph itself, whose machine and daemons' words are no business of ours.
holding_secret() {
    LC_ALL=C find "$work" "$state/keys" -ignore_readdir_race \
        \( -path "$work/user.json" -o -path "$work/credentials" -o -path "$work/machine" \
        -o -path "$work/mon.out" -o -path "$work/osd.out" -o -path "$work/rgw.out" \) -prune \
        -o -type f -exec grep -qF -e "$secret" {} \; -print
}
# In no output that was kept, in nothing that was published or copied, in no state folder: but for two copies that are
# laid into state folders here, so that it shows that it would be found.
secret_is_nowhere() {
    grep -qF -e "$secret" "$work/credentials" || fail 'what is looked for is not what the file of credentials holds'
    cp "$work/credentials" "$work/client/laid-there"
    cp "$work/credentials" "$own/laid-there"
    holding_secret >"$work/holding" || fail 'it is not known which files hold the secret access key'
    rm "$work/client/laid-there" "$own/laid-there"
    for x_folder in "$work/client" "$own"; do
        grep -qxF -e "$x_folder/laid-there" "$work/holding" ||
            fail "the secret that was laid into $x_folder is not found"
    done
    if grep -v '/laid-there$' "$work/holding"; then fail 'these files hold the secret access key'; fi
}
bucket=s3://slurm/site
below=/slurm/site/$toolchain/slurm/deps

say '== from a folder to the bucket'
expect 0 env SLURM_FACTORY_CACHE_DIR="$own" "$program" build-slurm --slurm-version "$version" --toolchain "$toolchain" \
    "$vulnerable" --allow-older --publish-vulnerable --signing-key "$key" --publish all --publish-to "$cache"
sf key export "$key" --output "$work/public.asc"
expect 0 client key import "$work/public.asc"
expect 0 client key trust "$key"
expect 0 client cache add folder "$cache" --key "$key"
expect 0 client cache add bucket "$bucket" --key "$key"
expect 2 client cache mirror folder buckt
expect_said "no cache is called 'buckt'" 'there is: folder, bucket'
begin=$(now_ms)
expect 0 client -v --json cache mirror folder bucket
expect_said '^look$' "^copying .* to $bucket/"
keep_said mirror
say "sent after $(($(now_ms) - begin)) ms: $(told mirrored | jq -c 'map({sent, bytes})')"
expect 0 client --json cache mirror folder bucket
[ "$(told mirrored | jq -c 'map(.changed, .bytes) | unique')" = '[false,0]' ] || fail "sent again: $(told mirrored)"
expect 0 client --json cache verify bucket --deep
[ "$(told mirror_verified | jq -c 'map(.defects, .unnamed) | unique')" = '[0]' ] || fail "$(told mirror_verified)"

say '== what is lost, or left, in the bucket'
blob=$(cd "$cache/$toolchain/slurm/deps" && find blobs -type f -size +1M | sort | head -n 1)
expect 0 s3 DELETE "$below/$blob"
expect 0 s3 DELETE "$below/v3/manifests/index/index.manifest.json"
expect 1 client cache verify bucket
expect_said "$(basename "$blob")" 'Spack sees no package'
expect 0 client --json cache mirror folder bucket
[ "$(told mirrored | jq 'map(.sent) | add')" = 1 ] || fail "of what was lost: $(told mirrored)"
expect 0 client cache verify bucket --deep
expect 0 s3 DELETE "$below/v3/manifests/index/index.manifest.json"
expect 0 keeper cache index "$bucket"
expect_said 'deps: what Spack reads was made anew'
expect 0 client cache verify bucket
echo litter >"$work/litter"
litter=blobs/sha256/00/$(printf '0%.0s' $(seq 64))
expect 0 s3 PUT "$below/$litter" --data-binary "@$work/litter"
expect 0 client --json cache prune bucket
[ "$(told pruned | jq -c 'map(.removed) | add')" = '[]' ] || fail "what is young was removed: $(told pruned)"
expect 0 client --json cache prune bucket --keep-days 0
[ "$(told pruned | jq -r 'map(.removed) | add | join(" ")')" = "$litter" ] || fail "removed: $(told pruned)"

say '== signed afresh there'
expect 0 keeper --json cache refresh "$bucket" --signing-key "$key"
[ "$(told refreshed | jq -c 'map(.changed) | unique')" = '[false]' ] || fail "too early: $(told refreshed)"
expect 0 keeper -v --json cache refresh "$bucket" --signing-key "$key" --force
keep_said refresh
[ "$(told refreshed | jq -c 'map(.changed) | unique')" = '[true]' ] || fail "not signed: $(told refreshed)"
expect 1 client cache mirror folder bucket
expect_said 'already, .* only number'
keep_said refused
secret_is_nowhere

say '== from the bucket to a folder, and into one file'
expect 0 client cache mirror bucket "$work/copy"
expect 0 client --json cache verify "$work/copy" --deep
[ "$(told mirror_verified | jq -c 'map(.defects, .unnamed) | unique')" = '[0]' ] || fail "$(told mirror_verified)"
expect 0 client bundle create --offline "slurm@$version" --toolchain "$toolchain" --cache bucket -o "$work/slurm.tar"
expect 0 client bundle verify "$work/slurm.tar"

say '== many publishers at once'
# Each with a home and a version of its own; every third is killed on its way, if it has not ended by then.
small=$work/small
many=s3://slurm/many
last=$((100 + ${SF_E2E_PUBLISHERS:-6}))
expect 0 "$publisher" make "$small"
expect 0 client key import "$small/release.asc"
expect 0 client key trust "$(cat "$small/fingerprint")"
expect 0 client cache add many "$many" --key "$(cat "$small/fingerprint")"
publish_small() {  # publish_small NUMBER SECONDS: killed after so many
    in_s3 timeout --signal=KILL "$2" "$publisher" publish "$small" "$small/machine-$1" "25.11.$1" "$many"
}
are_named() {  # are_named NUMBER...: asked for what is not there, the program says what is
    expect 1 client install slurm@25.11.999999 --toolchain bookworm --cache many --prefix "$work/never" --dry-run
    for number; do expect_said "there is: (.* )?25[.]11[.]$number(,|\$)"; done
}
begin=$(now_ms)
started='' living='' dead=''
for number in $(seq 101 "$last"); do
    patience=600
    [ $((number % 3)) != 0 ] || patience=0.$((number % 7 + 2))
    publish_small "$number" "$patience" >"$small/$number.log" 2>&1 &
    keep_pid $!
    started="$started $!:$number"
done
for each in $started; do
    number=${each#*:} code=0
    wait "${each%:*}" || code=$?
    case $code in
        0) living="$living $number" ;;
        137) dead="$dead $number" ;;
        *)
            cat "$small/$number.log"
            fail "the publisher of 25.11.$number exits with $code"
            ;;
    esac
done
say "published at once after $(($(now_ms) - begin)) ms:$living; killed:${dead:- none}"
# shellcheck disable=SC2086  # words
are_named $living
for number in $dead; do expect 0 publish_small "$number" 600; done
# shellcheck disable=SC2046  # words
are_named $(seq 101 "$last")
expect 0 client --json cache verify many --deep
[ "$(told mirror_verified | jq -c 'map(.defects) | unique')" = '[0]' ] || fail "$(told mirror_verified)"
for number in 101 "$last"; do
    expect 0 client install "slurm@25.11.$number" --toolchain bookworm --cache many --prefix "$work/small-prefix"
    grep -q "^srun 25.11.$number" "$work/small-prefix/view/bin/srun" || fail "25.11.$number is not what was published"
done
secret_is_nowhere
machine_stop
