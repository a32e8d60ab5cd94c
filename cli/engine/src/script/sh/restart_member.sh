# shellcheck shell=sh
# UNIT WAL_DIR: restarts the member, and sees it through its first moments. Whether it comes back into the
# cluster is asked by the step after this one.

takes 'unit wal' "$@"
log_in "$wal" || refuse "$wal holds no write-ahead log: the member would not start again"
before=$(of_unit "$unit" MainPID)
# One that ends again and again is between two starts: it may wait for what this step brings.
[ "$before" != 0 ] || [ "$(of_unit "$unit" ActiveState)" = activating ] || fail "$unit does not run"
systemctl reset-failed "$unit"
systemctl restart --no-block "$unit"

# How long a stop may take is the unit's own affair (TimeoutStopSec), and systemd ends it: that time does not count.
# A look takes some milliseconds, and the next member waits for what is slept here.
# waits 270 s
tries=0
while [ "$tries" -lt 600 ]; do
    said=$(systemctl show --property=MainPID,ActiveState "$unit")
    pid=${said##*MainPID=} state=${said##*ActiveState=}
    pid=${pid%%"$line_end"*} state=${state%%"$line_end"*}
    if [ "$pid" != 0 ] && [ "$pid" != "$before" ] && [ "$state" != deactivating ]; then
        changed
    fi
    if [ "$state" = failed ] || { [ "$state" = inactive ] && [ "$tries" -gt 20 ]; }; then
        break
    fi
    [ "$state" = deactivating ] || tries=$((tries + 1))
    sleep 0.05
done
printf 'failed %s did not come back after its restart: %s\n' "$unit" \
    "$(why_ended "$unit" "$(of_unit "$unit" Result)" "$(of_unit "$unit" ExecMainStatus)")"
journal_of "$unit"
exit 1
