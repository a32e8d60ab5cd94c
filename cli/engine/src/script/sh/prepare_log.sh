# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY OWN ETCDUTL DATA MINOR ENTRIES MOST SECONDS PATIENCE TEST_KEY: sees that the minor after MINOR can read
# the log of the member at OWN: behind its newest snapshot lies nothing of a minor before MINOR, whose records a later
# one panics at. Where something does, entries are written until etcd takes a newer snapshot, as it does after ENTRIES:
# removals of TEST_KEY, which is not there, so that no data changes. Above MOST they are too many to write.

takes 'etcdctl cacert cert key own etcdutl data minor entries most seconds patience test_key' "$@"
tools="$etcdctl $cacert $cert $key"

# The files belong to the account of etcd, which may put anything in their place.
# regular FILE: whether it is a file, and no link.
regular() {
    [ -f "$1" ] && [ ! -L "$1" ]
}

# search ARGS…: grep, which keeps a line in memory whole, within bounds.
search() {
    LC_ALL=C timeout 30 prlimit --as=1073741824 grep -a "$@"
}

# newest_snapshot: sets `snapshot` to the file of the newest one; empty where there is none.
newest_snapshot() {
    snapshot=
    for file in "$data"/member/snap/*.snap; do
        ! regular "$file" || snapshot=$file
    done
}

# is_of_minor: whether the newest snapshot was taken after the cluster had reached MINOR: it names the cluster's version.
is_of_minor() {
    newest_snapshot
    named=''
    [ -n "$snapshot" ] || return 1
    # waits 30 s
    named=$(search -o '"Path":"/0/version"[^{}]*' "$snapshot" |
        LC_ALL=C sed -n 's/.*"Value":"\([0-9.]*\)".*/\1/p' | head -n 1)
    case $named in
    "$minor".*) ;;
    *) return 1 ;;
    esac
}

# has_old_records: whether the log holds what only 3.5 and before write, member attributes and cluster versions by path;
# or could not be read.
has_old_records() {
    for file in "$data"/member/wal/*.wal; do
        regular "$file" || return 0
    done
    found=0
    # waits 30 s
    search -qF -e /0/version -e /0/members/ "$data"/member/wal/*.wal 2>/dev/null || found=$?
    [ "$found" != 1 ]
}

# check_log: whether etcdutl finds nothing of the v2 API; else `why` has its words. The member writes to the log while it
# is read: an answer that is none of etcdutl's own may be about half a record, and is not the last one.
check_log() {
    # waits 604 s: all of the log is read, at most five times
    for pause in 1 1 1 1 0; do
        if told=$(env -i timeout 120 "$etcdutl" check v2store --data-dir "$data" 2>&1); then
            return 0
        fi
        why=$(printf '%s\n' "$told" | tail -n 1)
        why=${why#Error: }
        case $why in
        *" in WAL records" | *v2store*) return 1 ;;
        esac
        sleep "$pause"
    done
    return 1
}

# is_readable: whether the next minor can read the log; else `why` says what is in the way.
is_readable() {
    if [ "$minor" != 3.5 ]; then
        ! is_of_minor || return 0
        why="the log still holds records that etcd 3.5 wrote, and its newest snapshot is of cluster version ${named:-unknown}"
        has_old_records || return 0
        return 1
    fi
    ! check_log || return 0
    case $why in
    *" in WAL records") return 1 ;;
    *v2store*)
        fail "the member still holds data of the v2 API, with which etcd 3.6 does not start: go back to version 3.5, set enable-v2 = true and apply, delete the data through the v2 API, remove enable-v2 and apply, then upgrade"
        ;;
    *) fail "etcdutl can't check the member's log: $why" ;;
    esac
}

# bide: `told` says why no write was taken. An election ends; fails where the member refuses for good, or has taken none
# for PATIENCE seconds.
bide() {
    refused_since=${refused_since:-$(now)}
    case $told in
    *"permission denied"* | *"user name "* | *"space exceeded"*) ;;
    *)
        if [ "$(now)" -lt $((refused_since + patience)) ]; then
            sleep 1
            return
        fi
        ;;
    esac
    fail "$why, and the member takes no write: $(printf '%s\n' "$told" | tail -n 1)"
}

# write_entries NUMBER
write_entries() {
    written=0
    while [ "$written" -lt "$1" ]; do
        started='' lost=0
        for _ in 1 2 3; do
            # shellcheck disable=SC2086
            ask_plain $tools --endpoints="$own" del "$test_key" >/dev/null 2>&1 &
            started="$started $!"
        done
        # shellcheck disable=SC2086
        told=$(ask_plain $tools --endpoints="$own" del "$test_key" 2>&1) || lost=1
        for one in $started; do
            wait "$one" || lost=$((lost + 1))
        done
        if [ "$lost" -lt 4 ]; then
            written=$((written + 4)) refused_since=''
        else
            [ "$(now)" -lt "$end" ] || return 0
            bide
        fi
    done
}

! is_readable || already
[ "$entries" -le "$most" ] ||
    fail "$why until the member's next snapshot of the log, which is $entries entries away at most: set snapshot-count = 10000 in the cluster's etcd settings with the running version, apply, and plan again"
refused_since=''
# waits 5 s beyond PATIENCE
# shellcheck disable=SC2086
until told=$(ask_plain $tools --endpoints="$own" del "$test_key" 2>&1); do bide; done
# waits 300 s beyond: the last entries where each of them has its time
end=$(($(now) + seconds)) left=$((entries + 400))
until is_readable; do
    [ "$(now)" -lt "$end" ] || fail "$why, and etcd took no snapshot of its log in $seconds s"
    [ "$left" -gt 0 ] || fail "$why, although $((entries + 400)) entries were written"
    write_entries 200
    left=$((left - 200))
done
changed
