# shellcheck shell=sh
# TOOL SHA256 BYTES NAME PEER_URL INITIAL_CLUSTER TOKEN BUMP ACCOUNT DATA RESTORED RECORD MOST, payload: the opened
# snapshot. Restores it beside the data that the member has, while that may run. The record is written last: what lies
# there without it is of nobody, is swept, and is done again.

takes 'tool sha256 bytes name peer_url initial_cluster token bump account data restored record most' "$@"

# The plaintext goes however this ends. It is not left to a closed connection.
trap 'exit 1' HUP INT PIPE TERM

read_record
if of_this_restore; then
    case $phase in
    placed) already ;;
    staged) [ ! -d "$restored/data/member" ] || already ;;
    # It may have been renamed before its record was written.
    set-aside) { [ ! -d "$restored/data/member" ] && [ ! -d "$data/member" ]; } || already ;;
    esac
fi
its_members=$initial_cluster its_bump=${bump:-none}
take_away "$record"

own_folder "$restored"
cd -P -- "$restored"
# The account owns the folder above, and could put another one in its place at any moment.
[ "$(stat -c '%u %d:%i' .)" = "0 $(stat -c %d:%i -- "$restored")" ] || fail "$restored does not belong to root, or was exchanged: remove it"
swept ./restore
rm -rf -- ./data

# The opened snapshot, as much again for the restored one, and its first log. A member that runs writes on meanwhile.
room=$(($(stat -f -c '%a * %S' .))) needed=$((2 * bytes + 268435456))
[ "$room" -ge "$needed" ] ||
    refuse "a restore needs $needed bytes in $data, and $room are free there: delete earlier data that nobody needs (quorate archives list), or give $data more room"

work=$(mktemp -d ./.quorate-restore.XXXXXX)
recv "$blob1" >"$work/db"
arrived
[ "$(stat -c %s "$work/db")" = "$bytes" ] || fail "the snapshot that arrived does not have $bytes bytes"
# waits 300 s: all of it is read once more
digest=$(sha256sum <"$work/db")
[ "${digest%% *}" = "$sha256" ] || fail "the snapshot that arrived has sha256 ${digest%% *}, and not $sha256"

set -- snapshot restore "$work/db" --name="$name" --initial-cluster="$initial_cluster" \
    --initial-cluster-token="$token" --initial-advertise-peer-urls="$peer_url" --data-dir="$work/data"
[ -z "$bump" ] || set -- "$@" --bump-revision="$bump" --mark-compacted
# The tool compares the snapshot with its own checksum. One that fails may leave a folder that etcd would start from.
status=0
said=$(timeout "$most" nice -n 10 env -i GOMAXPROCS=1 "$tool" "$@" 2>&1 </dev/null) || status=$?
[ "$status" = 0 ] ||
    fail "the snapshot could not be restored: $(printf '%s\n' "$said" | tail -n 1) (${tool##*/} ended with status $status)"
log_in "$work/data/member/wal" || fail "${tool##*/} restored no write-ahead log"
[ -f "$work/data/member/snap/db" ] || fail "${tool##*/} restored no database"
rm -f -- "$work/db"
chown -hR "$account:$account" "$work/data/member"
chmod -R u=rwX,go= "$work/data/member"
find "$work/data" -exec sync '{}' +
mv -T "$work/data" ./data
rmdir "$work"
work=
sync . ..
write_record staged
changed
