# shellcheck shell=sh
# UNIT WAL_DIR TOKEN MARKER WITNESS: starts the unit and sees it through its first moments. It is
# ready only when the cluster has a quorum, which other hosts decide. While the cluster is being
# formed TOKEN is not empty, and a process that was begun with another one is stopped first.

unit=$1 wal=$2 token=$3 marker=$4 witness=$5

# What has been in a quorum is never stopped by a start.
if [ -e "$marker" ] || [ -e "$witness" ]; then
    token=
fi

# begun_with_token PID: whether the process is of this bootstrap.
begun_with_token() {
    case "$(tr '\000' '\n' <"/proc/$1/cmdline" 2>/dev/null || true)" in
    *"--initial-cluster-token=$token"*) return 0 ;;
    *) return 1 ;;
    esac
}

gone_wrong() {
    printf 'failed %s\n' "$1"
    journal_of "$unit"
    exit 1
}

state=$(of_unit "$unit" ActiveState)
pid=$(of_unit "$unit" MainPID)
if [ "$pid" != 0 ]; then
    case $state in
    active | activating | reloading)
        if [ -z "$token" ] || begun_with_token "$pid"; then
            already
        fi
        systemctl stop "$unit"
        ;;
    esac
fi

systemctl reset-failed "$unit"
restarts=$(of_unit "$unit" NRestarts)
systemctl start --no-block "$unit"

# A member that has begun its log has found its place; one that has not may be about to say why.
tries=0
while [ "$tries" -lt 10 ]; do
    state=$(of_unit "$unit" ActiveState)
    pid=$(of_unit "$unit" MainPID)
    [ "$state" != active ] || changed
    [ "$state" != failed ] || gone_wrong "$unit failed: $(of_unit "$unit" Result)"
    if [ "$(of_unit "$unit" SubState)" = auto-restart ] || [ "$(of_unit "$unit" NRestarts)" != "$restarts" ]; then
        gone_wrong "$unit ended at once: $(of_unit "$unit" Result)"
    fi
    if [ "$state" = inactive ] && [ "$(of_unit "$unit" AssertResult)" = no ] &&
        [ "$(of_unit "$unit" Job)" = 0 ]; then
        gone_wrong "$unit refuses to start without its write-ahead log"
    fi
    if [ -n "$token" ] && [ "$pid" != 0 ] && [ "$tries" -gt 1 ] && log_in "$wal"; then
        changed
    fi
    tries=$((tries + 1))
    sleep 0.2
done
[ "$state" != inactive ] || gone_wrong "$unit did not start"
changed
