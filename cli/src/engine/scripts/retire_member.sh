# shellcheck shell=sh
# systemd|static-pod UNIT UNIT_FILE MANIFEST DATA_DIR POD: takes the member away from a runtime: its process
# ends, and nothing is left that would start it again.

unit=$2 file=$3 manifest=$4 data=$5 pod=$6

case $1 in
systemd)
    [ "$(of_unit "$unit" LoadState)" = loaded ] || [ -e "$file" ] || already
    # First what would start it again, should the host lose its power now.
    [ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" != enabled ] ||
        systemctl disable --quiet "$unit"
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
    [ -n "$running" ] || [ -e "$manifest" ] || already
    [ -z "$running" ] || kubelet_runs
    if ! take_pod_away "$manifest" "$data" "$unit" 120; then
        printf 'failed %s\n' "$stuck"
        words_of_pod "$pod"
        exit 1
    fi
    ;;
esac
changed
