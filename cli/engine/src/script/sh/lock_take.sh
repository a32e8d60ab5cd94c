# shellcheck shell=sh
# LOCK SECONDS RUN BY AT WHAT HISTORY: takes the lock for so long. Prints who let it expire, and the
# generation. Refuses with the holder's nonce, the seconds that its lease still lasts, and words.

takes 'lock seconds run by at what history' "$@"

refuse_if_held() {
    read_lock "$lock"
    if [ "$nonce" != "$run" ] && is_held; then
        refuse "$nonce $left $owner holds the lock since $since: $why"
    fi
}

# A step of the holder may take minutes: a run that is refused anyway need not wait for it.
refuse_if_held
# waits 45 s
outlive "$lock" refuse_if_held
# waits 20 s
changing "$lock"
refuse_if_held
if [ "$nonce" != "$run" ]; then
    [ "$until" = 0 ] || printf 'expired %s, since %s: %s\n' "$owner" "$since" "$why"
    generation=$((generation + 1))
fi
# No run writes beside the lock now: files there under our names were left by a dead run.
for stale in "${lock%/*}"/.quorate-*.??????; do
    if [ -e "$stale" ] || [ -L "$stale" ]; then
        rm -rf -- "$stale"
    fi
done
# No step appends to the journal now either, and what runs under no lock waits. One that grew long loses its oldest
# lines; if another process appends to it for that long, the next run shortens it.
if [ -f "$history" ]; then
    exec 5>>"$history.flock"
    # waits 5 s
    if flock -w 5 5 && [ "$(wc -l <"$history")" -gt 20000 ]; then
        begin_file "$history"
        tail -n 10000 "$history" >"$work"
        end_file "$history" 600 root:root
    fi
    exec 5>&-
fi
printf 'generation %s\n' "$generation"
nonce=$run owner=$by since=$at why=$what
boot=$(booted)
until=$(($(uptime_seconds) + seconds))
write_lock "$lock"
changed
