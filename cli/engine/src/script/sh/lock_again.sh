# shellcheck shell=sh
# LOCK SECONDS NONCE: goes on with the lock after a lost connection, under a new generation: a script of
# the lost connection that has yet to begin does nothing, and one that runs is over when this ends.
# Prints the generation.

lock=$1
[ -e "$lock" ] || refuse "the lock is gone"
# waits 20 s
changing "$lock"
read_lock "$lock"
[ "$nonce" = "$3" ] || refuse "$owner took the lock over: $why"
generation=$((generation + 1))
boot=$(booted)
until=$(($(uptime_seconds) + $2))
write_lock "$lock"
# Whoever takes the lock over needs both, in the other order.
exec 8>&-

wanted="$3 $generation"
is_still_ours() {
    read_lock "$lock"
    [ "$nonce $generation" = "$wanted" ] || refuse "$owner took the lock over: $why"
}
# waits 45 s
outlive "$lock" is_still_ours "the lost connection"
printf 'generation %s\n' "$generation"
changed
