# shellcheck shell=sh
# UNIT WAL_DIR: restarts the member, and sees it through its first moments. Whether it comes back into the
# cluster is asked by the step after this one.

unit=$1
log_in "$2" || refuse "$2 holds no write-ahead log: the member would not start again"
before=$(of_unit "$unit" MainPID)
# One that ends again and again is between two starts: it may wait for what this step brings.
[ "$before" != 0 ] || [ "$(of_unit "$unit" ActiveState)" = activating ] || fail "$unit does not run"
systemctl reset-failed "$unit"
systemctl restart --no-block "$unit"

# How long a stop may take is the unit's own affair (TimeoutStopSec), and systemd ends it: that time does not count.
# waits 270 s
tries=0
while [ "$tries" -lt 150 ]; do
    pid=$(of_unit "$unit" MainPID)
    state=$(of_unit "$unit" ActiveState)
    if [ "$pid" != 0 ] && [ "$pid" != "$before" ] && [ "$state" != deactivating ]; then
        changed
    fi
    if [ "$state" = failed ] || { [ "$state" = inactive ] && [ "$tries" -gt 5 ]; }; then
        break
    fi
    [ "$state" = deactivating ] || tries=$((tries + 1))
    sleep 0.2
done
printf 'failed %s did not come back after its restart\n' "$unit"
journal_of "$unit"
exit 1
