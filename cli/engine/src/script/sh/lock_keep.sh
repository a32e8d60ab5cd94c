# shellcheck shell=sh
# LOCK SECONDS RUN: keeps the lock for so much longer; 0 gives it back.

takes 'lock seconds run' "$@"
[ -e "$lock" ] || refuse "the lock is gone"
is_quiet=yes
if [ "$seconds" = 0 ]; then
    # Our run is over. What it gave up on this host may be nearly done.
    # waits 5 s
    flock -w 5 "$lock.flock" true || is_quiet=
fi
# Not `alone`: a step of ours may be running for minutes.
# waits 20 s
changing "$lock"
read_lock "$lock"
[ "$nonce" = "$run" ] || refuse "$owner took the lock over: $why"
[ -n "$is_quiet" ] || end_steps "$lock"
[ "$until" != 0 ] || [ "$seconds" = 0 ] || refuse "the lock was released"
if [ "$seconds" = 0 ]; then
    until=0
else
    # The host may have rebooted since, and a lease of another boot ends soon.
    boot=$(booted)
    until=$(($(uptime_seconds) + seconds))
fi
write_lock "$lock"
changed
