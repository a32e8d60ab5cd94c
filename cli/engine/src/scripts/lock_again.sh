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

# Most steps are over in a moment. One that waits for bytes that will not come, or for other hosts, would
# hold us up; being killed anywhere does it no harm.
exec 7>>"$lock.flock"
rounds=0
# waits 25 s
while ! flock -w 5 7; do
    [ "$rounds" -lt 4 ] || refuse "a script of the lost connection is still running on this host"
    rounds=$((rounds + 1))
    end_steps "$lock"
done
printf 'generation %s\n' "$generation"
changed
