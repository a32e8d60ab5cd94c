# shellcheck shell=sh
# LOCK look|free: says who holds the lock, or frees it. Its next holder fences out the one before.

lock=$1
read_lock "$lock"
if is_held; then
    printf 'held %s, since %s: %s\n' "$owner" "$since" "$why"
else
    already
fi
[ "$2" = free ] || already
alone "$lock"
changing "$lock"
read_lock "$lock"
generation=$((generation + 1)) until=0 nonce=-
write_lock "$lock"
changed
