# shellcheck shell=sh
# UNIT: restarts the member, and sees it through its first moments. Whether it comes back into the
# cluster is asked by the step after this one.

unit=$1
before=$(of_unit "$unit" MainPID)
[ "$before" != 0 ] || fail "$unit does not run"
systemctl reset-failed "$unit"
systemctl restart --no-block "$unit"

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
    tries=$((tries + 1))
    sleep 0.2
done
printf 'failed %s did not come back after its restart\n' "$unit"
journal_of "$unit"
exit 1
