# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY OWN DATA KIND SECONDS: saves a snapshot of what the member at OWN has, below `archived` in its data
# directory. It counts once it has its name, which it gets when it is whole and on the disk; then earlier ones of its kind
# go: KIND is empty, or `before-MINOR-`, with a dash for the minor's dot.

takes 'etcdctl cacert cert key own data kind seconds' "$@"
tools="$etcdctl $cacert $cert $key"
umask 077

# room_for BYTES: the log keeps growing while the snapshot is written, and needs room too.
margin=128
room_for() {
    room=$(($(stat -f -c '%a * %S' "$data") / 1048576)) needed=$(($1 / 1048576 + 1 + margin))
    [ "$room" -ge "$needed" ] ||
        refuse "a snapshot needs $needed MiB in $data, and $room MiB are free there: delete earlier data that nobody needs (quorate archives list), or give $data more room, and plan again"
}

# is_whole FILE: whether it ends as a snapshot does, with the sha256 of all that precedes: an odd end after whole pages.
is_whole() {
    size=$(stat -c %s "$1")
    [ $((size % 512)) = 32 ] || return 1
    digest=$(head -c $((size - 32)) "$1" | sha256sum)
    [ "${digest%% *}" = "$(tail -c 32 "$1" | od -An -v -tx1 | tr -d ' \n')" ]
}

# shellcheck disable=SC2086
said=$(ask $tools --endpoints="$own" endpoint status 2>&1) ||
    fail "the member does not answer: $(printf '%s\n' "$said" | tail -n 1)"
size=$(printf '%s\n' "$said" | field DBSize)
is_number "$size" || fail "the member does not say how large its database is"

make_archive "$data"
# The member's account owns the folder above, and could put a link in its place: all else is named from inside.
cd -- "$data/archived"
[ "$(stat -c %u .)" = 0 ] || fail "$data/archived does not belong to root"
swept ./snapshot
room_for "$size"

# See stream_snapshot.sh.
if [ -e "${key%/current/*}" ]; then
    exec 6<"${key%/current/*}"
    # waits 20 s
    flock -s -w 20 6 || refuse "the member is being defragmented: try again when it is done"
fi
work=$(mktemp -d ./.quorate-snapshot.XXXXXX)
# Not as `ask_plain` asks: etcdctl keeps its memory small while all of the database passes through it.
# waits 10 s
told=$(env -i GOMAXPROCS=1 "$etcdctl" --cacert="$cacert" --cert="$cert" --key="$key" --dial-timeout=5s \
    --command-timeout="${seconds}s" --endpoints="$own" snapshot save "$work/db" 2>&1) ||
    fail "etcdctl could not save a snapshot: $(printf '%s\n' "$told" | tail -n 1)"
# waits 300 s: all of it is read and written once more
is_whole "$work/db" || fail "the snapshot that etcdctl wrote is damaged: its checksum does not match"
name=$(date -u +%Y%m%dT%H%M%SZ)-${kind}snapshot.db
chown root:root "$work/db"
chmod 0600 "$work/db"
sync "$work/db"
mv -fT "$work/db" "./$name"
lasts "./$name"
# A way back goes with the next one, whatever its minor.
case $kind in
'') set -- ./????????T??????Z-snapshot.db ;;
*) set -- ./????????T??????Z-before-?-?-snapshot.db ;;
esac
for earlier; do
    [ "$earlier" = "./$name" ] || rm -f -- "$earlier"
done
changed
