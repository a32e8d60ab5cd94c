# shellcheck shell=sh
# LOCK SECONDS NONCE OWNER SINCE WHY JOURNAL: takes the lock for so long. Prints who let it expire, and the
# generation. Refuses with the holder's nonce, the seconds that its lease still lasts, and words.

lock=$1

mine=$3
refuse_if_held() {
    read_lock "$lock"
    if [ "$nonce" != "$mine" ] && is_held; then
        refuse "$nonce $left $owner holds the lock since $since: $why"
    fi
}

# A step of the holder may take minutes: whoever is refused anyway need not wait for it.
refuse_if_held
# waits 45 s
outlive "$lock" refuse_if_held
# waits 20 s
changing "$lock"
refuse_if_held
if [ "$nonce" != "$3" ]; then
    [ "$until" = 0 ] || printf 'expired %s, since %s: %s\n' "$owner" "$since" "$why"
    generation=$((generation + 1))
fi
# Nobody writes beside the lock now: what is there under a name of ours was left by a run that is no more.
for stale in "${lock%/*}"/.quorate-*.??????; do
    if [ -e "$stale" ] || [ -L "$stale" ]; then
        rm -rf -- "$stale"
    fi
done
# Nobody appends to the journal now either. One that grew long loses its oldest lines.
if [ -f "$7" ] && [ "$(wc -l <"$7")" -gt 20000 ]; then
    begin_file "$7"
    tail -n 10000 "$7" >"$work"
    end_file "$7" 600 root:root
fi
printf 'generation %s\n' "$generation"
nonce=$3 owner=$4 since=$5 why=$6
boot=$(booted)
until=$(($(uptime_seconds) + $2))
write_lock "$lock"
changed
