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
alone "$lock"
changing "$lock"
read_lock "$lock"
[ "$2" = free ] || [ "$2" = "$nonce" ] || already
generation=$((generation + 1)) until=0 nonce=-
write_lock "$lock"
changed
