# shellcheck shell=sh
# LOCK, OF which is look, free or a nonce: says who holds the lock; frees it, or only the lock of this nonce. Its next
# holder fences out the one before.

takes 'lock of' "$@"
read_lock "$lock"
if is_held; then
    printf 'held %s, since %s: %s\n' "$owner" "$since" "$why"
else
    already
fi
[ "$of" != look ] || already
is_of_nonce() {
    read_lock "$lock"
    [ "$nonce" = "$of" ] || already
}
if [ "$of" = free ]; then
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
[ "$of" = free ] || [ "$of" = "$nonce" ] || already
generation=$((generation + 1)) until=0 nonce=-
write_lock "$lock"
changed
