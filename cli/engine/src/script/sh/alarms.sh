# shellcheck shell=sh disable=SC2154
# The alarms of a cluster: which are raised, and how they go. `tools` asks, `everywhere` are all endpoints, `alarms` the
# members whose alarms the plan is about.

# read_alarms: sets `raised` to a line `ID KIND` for each alarm. No answer is not the answer that there is none.
read_alarms() {
    # shellcheck disable=SC2086
    listed=$(ask_plain $tools --endpoints="$everywhere" alarm list 2>&1) ||
        fail "no member says which alarms are raised: $(printf '%s\n' "$listed" | tail -n 1)"
    raised=$(printf '%s\n' "$listed" | sed -n 's/^memberID:\([0-9]*\)  *alarm:\([A-Z]*\).*$/\1 \2/p')
    [ "$(printf '%s\n' "$listed" | grep -c .)" = "$(printf '%s\n' "$raised" | grep -c .)" ] ||
        fail "the list of alarms can't be read: $(printf '%s\n' "$listed" | tail -n 1)"
}

# takes_writes: writes a key, which expires if we are killed.
takes_writes() {
    # shellcheck disable=SC2086
    told=$(ask_plain $tools --endpoints="$everywhere" lease grant 60 2>&1) || return 1
    case $told in
    "lease "*" granted "*) lease=${told#lease } lease=${lease%% *} ;;
    *) return 1 ;;
    esac
    # shellcheck disable=SC2086
    told=$(ask_plain $tools --endpoints="$everywhere" put --lease="$lease" "$test_key" room 2>&1) || return 1
    # shellcheck disable=SC2086
    ask_plain $tools --endpoints="$everywhere" lease revoke "$lease" >/dev/null 2>&1 || true
}

# all_are KIND: refuses where any other alarm is raised: etcdctl can only clear all of them.
all_are() {
    while read -r id kind; do
        id=$(printf '%x' "$id")
        case "$kind $alarms " in
        "$1 "*" $id "* | "$1 $id "*) ;;
        *) refuse "member $id raised the alarm $kind, which is not in the plan, and etcdctl clears all alarms at once" ;;
        esac
    done <<RAISED
$raised
RAISED
}

# disarm: clears them, and fails unless the cluster takes a write and none is raised again.
disarm() {
    # shellcheck disable=SC2086
    told=$(ask_plain $tools --endpoints="$everywhere" alarm disarm 2>&1) ||
        fail "the alarm was not cleared: $(printf '%s\n' "$told" | tail -n 1)"
    tries=0
    until takes_writes; do
        tries=$((tries + 1))
        [ "$tries" -lt 5 ] || fail "the alarm was cleared, but the cluster still refuses writes: $(printf '%s\n' "$told" | tail -n 1)"
        sleep 0.5
    done
    read_alarms
    [ -z "$raised" ] || fail "etcd raised an alarm again after the alarm was cleared: run quorate plan"
}
