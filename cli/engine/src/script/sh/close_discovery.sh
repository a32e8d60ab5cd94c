# shellcheck shell=sh
# NOTE UNIT DATA CLIENT CACERT CERT KEY USER ENDPOINTS, payload: the user's password. Removes the record
# that NOTE is of; with UNIT not empty the service and all that it knew.

takes "$service" "$@"
forget_environment

password=$(recv "$blob1")
arrived

known=$(cat "$note" 2>/dev/null || true)
moved=no
if [ -n "$unit" ]; then
    if [ "$(of_unit "$unit" ActiveState)" != inactive ]; then
        # waits 90 s: systemd's own time for a stop
        systemctl stop "$unit"
        systemctl reset-failed "$unit" 2>/dev/null || true
        moved=yes
    fi
    # What the service made there, and the directory only if it holds nothing else.
    if [ -e "$data/member" ]; then
        rm -rf -- "$data/member"
        moved=yes
    fi
    [ ! -d "$data" ] || rmdir --ignore-fail-on-non-empty -- "$data"
elif [ -n "$known" ]; then
    # waits 15 s
    said=$(ask_service del --prefix "$(registry "${known%% *}")") || unanswered "$said"
    moved=yes
fi
take_away "$note"
[ "$moved" = yes ] || already
changed
