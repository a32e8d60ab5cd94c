# shellcheck shell=sh disable=SC2154
# RECORD TOKEN SHA256 ETCDCTL CACERT CERT KEY UNIT MANIFEST DATA END KEPT OTHERS: stops the member for a restore, whatever
# runs it, unless somebody is connected to it, or one of the OTHERS answers, whom no plan stops. The unit stays enabled:
# until its data is set aside the member may run again, and is stopped again. SHA256 is empty on the host of a former member.

takes 'record token sha256 etcdctl cacert cert key unit manifest data end_seconds kept others' "$@"

prepared
state=$(of_unit "$unit" ActiveState)
running=$(etcds_of "$data" "$unit") || fail "systemd does not report which process is that of $unit"
if [ "$state" = inactive ] || [ "$state" = failed ]; then
    [ -n "$running" ] || [ -e "$manifest" ] || already
fi
# A member that quorate can't stop must be down before any other is stopped. A host that can't check this yet checks it
# before its data moves.
[ -z "$others" ] || ! can_ask || nobody_answers
main=$(of_unit "$unit" MainPID) || fail "systemd does not report which process is that of $unit"
[ "$main" = 0 ] || running="$running $main"
# waits 10 s: a question of ours ends on its own
nobody_is_connected "$running"

if [ "$state" != inactive ] && [ "$state" != failed ]; then
    # waits 90 s: systemd's own time for a stop
    systemctl stop "$unit"
fi
end_pod "$manifest" "$data" "$unit" "$end_seconds" "$kept"
stopped
changed
