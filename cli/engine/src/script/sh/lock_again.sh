# shellcheck shell=sh
# LOCK SECONDS RUN: keeps the lock after a lost connection, under a new generation: a script of
# the lost connection that has yet to begin does nothing, and one that runs is over when this ends.
# Prints the generation.

takes 'lock seconds run' "$@"
[ -e "$lock" ] || refuse "the lock is gone"
# waits 20 s
changing "$lock"
read_lock "$lock"
[ "$nonce" = "$run" ] || refuse "$owner took the lock over: $why"
generation=$((generation + 1))
boot=$(booted)
until=$(($(uptime_seconds) + seconds))
write_lock "$lock"
# A run that takes the lock over needs both, in the other order.
exec 8>&-

wanted="$run $generation"
is_still_ours() {
    read_lock "$lock"
    [ "$nonce $generation" = "$wanted" ] || refuse "$owner took the lock over: $why"
}
# waits 45 s
outlive "$lock" is_still_ours "the lost connection"
printf 'generation %s\n' "$generation"
changed
