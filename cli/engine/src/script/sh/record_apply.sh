# shellcheck shell=sh
# LOCK RUN FILE HISTORY LINE, payload: what this host is to remember of the apply that holds its lock; nothing of
# any, where it is empty. LINE goes to the journal HISTORY.

takes 'lock run file history line' "$@"
# waits 20 s
changing "$lock"
read_lock "$lock"
[ "$nonce" = "$run" ] || refuse "$owner took the lock over: $why"
begin_file "$file"
recv "$blob1" >"$work"
arrived
if [ -s "$work" ]; then
    end_file "$file" 600 root:root
else
    rm -f -- "$file" "$work"
    work=
    sync "${file%/*}"
fi
printf '%s\n' "$line" >>"$history"
changed
