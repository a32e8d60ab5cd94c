# shellcheck shell=sh disable=SC2034
# ETCDCTL CACERT CERT KEY OWN DATA_DIR TEST_KEY PERCENT BYTES RATE LEAST MOST SECONDS: has the member at OWN rewrite its
# database, if PERCENT of it and BYTES are free pages, and waits until it serves again. The client waits LEAST
# seconds and one for each RATE bytes, MOST at most. The member continues without its client, and is waited for:
# SECONDS.

takes 'etcdctl cacert cert key own data test_key percent bytes rate least most seconds' "$@"
tools="$etcdctl $cacert $cert $key"

# leads_others: whether the member leads a cluster of more than one. Raft continues while the database is locked, so that
# nobody else is elected, and all writes would wait.
leads_others() {
    leader=$(printf '%s\n' "$said" | sed -n '1s/.*"leader":\([0-9]*\).*/\1/p')
    own_id=$(printf '%s\n' "$said" | sed -n '1s/.*"member_id":\([0-9]*\).*/\1/p')
    [ "$leader" = "$own_id" ] || return 1
    # shellcheck disable=SC2086
    listed=$(ask_plain $tools --endpoints="$own" member list 2>&1) || fail "the member does not list the cluster's members"
    [ "$(printf '%s\n' "$listed" | grep -c .)" -gt 1 ]
}

# is_saved_by_hand: whether anybody on this host saves a snapshot from the member's port. Without an endpoint etcdctl
# asks 2379.
is_saved_by_hand() {
    for dir in /proc/[0-9]*; do
        { IFS= read -r name <"$dir/comm"; } 2>/dev/null || continue
        [ "$name" = etcdctl ] || continue
        words=" $(cat "$dir/cmdline" "$dir/environ" 2>/dev/null | tr '\000' ' ') "
        case $words in
        *--endpoints* | *ETCDCTL_ENDPOINTS=*) ;;
        *) words="$words:2379 " ;;
        esac
        case $words,$words in
        *" snapshot save "*,*":${own##*:}"[!0-9]*) return 0 ;;
        esac
    done
    return 1
}

# An earlier try of this step, whose connection was lost, may still be at work in the member.
# waits 10 s beyond, twice
await_service "$seconds" || fail "the member answers no linearizable read: $told"
sizes || fail "the member does not report the size of its database"
pays || already
has_room || refuse "$no_room"
! leads_others || refuse "the member was elected leader since the plan was made: run quorate defrag again"
# The member would not answer until the snapshot is done: its database waits for the reader.
exec 6<"${key%/current/*}"
if ! flock -n 6 || is_saved_by_hand; then
    refuse "a snapshot is being taken from this member: try again when it is done"
fi
before=$size

limit=$((least + size / rate))
[ "$limit" -le "$most" ] || limit=$most
ticks
began=$tick result=0
heard=$(env -i GOMAXPROCS=1 GOGC=off "$etcdctl" --cacert="$cacert" --cert="$cert" --key="$key" \
    --dial-timeout=2s --command-timeout="${limit}s" --endpoints="$own" defrag 2>&1) || result=$?
heard=$(printf '%s\n' "$heard" | tail -n 1)
# waits 10 s beyond, twice
await_service "$seconds" ||
    fail "the member may still be defragmenting: it has not answered a linearizable read since: $told"
ticks
sizes || fail "the member does not report the size of its database"
# A client that gave up knows nothing: the size does.
[ "$result" = 0 ] || ! pays || fail "the database was not defragmented: $heard"
rewritten
