# shellcheck shell=sh disable=SC2034
# ETCDCTL CACERT CERT KEY OWN DATA_DIR TEST_KEY PERCENT BYTES RATE LEAST MOST SECONDS: has the member at OWN rewrite its
# database, if PERCENT of it and BYTES are free pages, and waits until it serves again. The client waits LEAST
# seconds and one for each RATE bytes, MOST at most. The member continues without its client, and is waited for:
# SECONDS.

takes 'etcdctl cacert cert key own data test_key percent bytes rate least most seconds' "$@"
tools="$etcdctl $cacert $cert $key"

# An earlier try of this step, whose connection was lost, may still be at work in the member.
# waits 10 s beyond, twice
await_service "$seconds" || fail "the member answers no linearizable read: $told"
sizes || fail "the member does not report the size of its database"
pays || already
has_room || refuse "$no_room"
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
