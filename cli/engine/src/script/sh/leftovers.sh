# shellcheck shell=sh disable=SC2154
# What is on a host of a member that its cluster no longer lists: whether it may go, and how it is stopped.

# refuse_listed ID: ends the script where the others list the member ID, whose data is here, or a started one in its
# place. Without an ID the place alone counts.
refuse_listed() {
    while IFS= read -r line; do
        read_member "$line"
        [ -z "$1" ] || [ "$member_id" != "$1" ] ||
            refuse "the cluster still lists member $1, whose data is on this host"
        case $state,$peers, in
        unstarted,*) ;;
        *",$url,"*) refuse "the cluster still lists a started member at $url" ;;
        esac
    done <<LIST
$list
LIST
}

# end_member: nothing of it runs after this, and nothing starts it again. Says in $moved whether anything was there.
end_member() {
    # No answer from systemd does not mean that nothing runs.
    state=$(of_unit "$unit" ActiveState)
    if [ "$state" != inactive ] && [ "$state" != failed ]; then
        # waits 90 s: systemd's own time for a stop
        systemctl stop "$unit"
        moved=yes
    fi
    # A reboot before the next step must not begin the old member again.
    if [ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" = enabled ]; then
        systemctl disable --quiet "$unit"
        moved=yes
    fi
    end_pod "$manifest" "$data" "$unit" "$end_seconds" "$kept"
}
