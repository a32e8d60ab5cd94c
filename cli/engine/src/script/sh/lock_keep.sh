# shellcheck shell=sh
# LOCK SECONDS NONCE: keeps the lock for so much longer; 0 gives it back.

lock=$1
[ -e "$lock" ] || refuse "the lock is gone"
is_quiet=yes
if [ "$2" = 0 ]; then
    # Our run is over. What it gave up on this host may be nearly done.
    # waits 5 s
    flock -w 5 "$lock.flock" true || is_quiet=
fi
# Not `alone`: a step of ours may be running for minutes.
# waits 20 s
changing "$lock"
read_lock "$lock"
[ "$nonce" = "$3" ] || refuse "$owner took the lock over: $why"
[ -n "$is_quiet" ] || end_steps "$lock"
[ "$until" != 0 ] || [ "$2" = 0 ] || refuse "the lock was given back"
if [ "$2" = 0 ]; then
    until=0
else
    # The host may have rebooted since, and a lease of another boot ends soon.
    boot=$(booted)
    until=$(($(uptime_seconds) + $2))
fi
write_lock "$lock"
changed
