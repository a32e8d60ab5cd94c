# shellcheck shell=sh
# TOOL ETCD ETCDCTL SHA256 BYTES FOLDER UNIT MOST, payload: the opened snapshot. Starts an etcd from it, and answers with
# the revision, with the number of keys, and with what etcd makes of them.

takes 'tool etcd etcdctl sha256 bytes folder unit most' "$@"

begin_trial "$bytes"
recv "$blob1" >"$work/db"
arrived
[ "$(stat -c %s "$work/db")" = "$bytes" ] || fail "the snapshot that arrived does not have $bytes bytes"
# waits 300 s: all of it is read once more
digest=$(sha256sum <"$work/db")
[ "${digest%% *}" = "$sha256" ] || fail "the snapshot that arrived has sha256 ${digest%% *}, and not $sha256"
try_it
head -c 65536 "$work/said"
already
