# shellcheck shell=sh
# LOCK look|free|NONCE: says who holds the lock; frees it, or only the lock of this nonce. Its next
# holder fences out the one before.

lock=$1
read_lock "$lock"
if is_held; then
    printf 'held %s, since %s: %s\n' "$owner" "$since" "$why"
else
    already
fi
[ "$2" != look ] || already
is_of_nonce() {
    read_lock "$lock"
    [ "$nonce" = "$wanted" ] || already
}
wanted=$2
if [ "$wanted" = free ]; then
    # Its run may be alive, and its step is not cut short.
    # waits 20 s
    alone "$lock"
else
    # waits 45 s
    outlive "$lock" is_of_nonce
fi
# waits 20 s
changing "$lock"
read_lock "$lock"
[ "$2" = free ] || [ "$2" = "$nonce" ] || already
generation=$((generation + 1)) until=0 nonce=-
write_lock "$lock"
changed
