# shellcheck shell=sh
# systemd|static-pod UNIT UNIT_FILE MANIFEST DATA_DIR POD END KEPT PULL IMAGE: takes the member away from a
# runtime: its process ends, and nothing is left that would start it again. A manifest whose pod does not end is
# put back. IMAGE is what the member needs next; empty where it needs none.

takes 'runtime unit file manifest data pod end_seconds kept pull_seconds image' "$@"

case $runtime in
systemd)
    loaded=$(of_unit "$unit" LoadState)
    [ "$loaded" = loaded ] || [ -e "$file" ] || already
    # What the plan saw as a rest may run again: systemd starts it until it stays. Then it takes its turn.
    [ -n "$image" ] || [ "$(of_unit "$unit" ActiveState)" != active ] ||
        refuse "$unit is running again; it was not running when the plan was made"
    # waits 20 s, to see whether it is there
    [ -z "$image" ] || has_image "$image" "$pull_seconds" || fail "$missing"
    # First what would start it again, should the host lose its power now.
    [ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" != enabled ] ||
        systemctl disable --quiet "$unit"
    # waits 90 s: systemd's own time for a stop
    systemctl stop "$unit"
    state=$(of_unit "$unit" ActiveState)
    if [ "$state" != inactive ] && [ "$state" != failed ]; then
        printf 'failed %s does not stop: it is %s\n' "$unit" "$state"
        journal_of "$unit"
        exit 1
    fi
    rm -f -- "$file"
    sync "${file%/*}"
    systemctl daemon-reload
    systemctl reset-failed "$unit" 2>/dev/null || true
    ;;
static-pod)
    running=$(etcds_of "$data" "$unit")
    if [ -z "$running" ] && [ ! -e "$manifest" ]; then
        forget_kept "$kept"
        already
    fi
    [ -z "$running" ] || kubelet_runs
    if ! take_pod_away "$manifest" "$data" "$unit" "$end_seconds" "$kept"; then
        put_back "$manifest" "$kept"
        printf 'failed %s%s\n' "$stuck" "$back"
        words_of_pod "$pod"
        exit 1
    fi
    forget_kept "$kept"
    ;;
esac
changed
