# shellcheck shell=sh disable=SC2154
# UNIT DATA: refuses while a client is connected to the member, and changes nothing. No member stops before the hosts of
# all have been asked: a client of the last one would otherwise be found when the others are down.

takes 'unit data' "$@"

running=$(etcds_of "$data" "$unit") || fail "systemd does not report which process is that of $unit"
main=$(of_unit "$unit" MainPID) || fail "systemd does not report which process is that of $unit"
[ "${main:-0}" = 0 ] || running="$running $main"
[ -n "$running" ] || already
# waits 10 s: a question of ours ends on its own
nobody_is_connected "$running"
already
