# shellcheck shell=sh
# UNIT WAL_DIR TOKEN MARKER WITNESS RESTART_DUE: starts the unit and sees it through its first moments. It is
# ready only when the cluster has a quorum, which other hosts decide. While the cluster is being
# formed TOKEN is not empty. A process that was started with another one is stopped first, and so is one that has
# waited for the others for long: it keeps the environment and the sandbox that it was started with. RESTART_DUE says which
# start is to be followed by another one.

takes 'unit wal token marker witness restart_due' "$@"

# What has been in a quorum is not stopped because of a token.
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

# has_settled: whether its process has been running for more than 30 s, as the planner measures.
has_settled() {
    [ "$started" != 0 ] && [ $(($(uptime_seconds) - started / 1000000)) -gt 30 ]
}

# is_looping: whether systemd started it again and it may end again. One that has run for long loads its log, and
# would load it again.
is_looping() {
    [ "$state" = activating ] && [ "$restarts" != 0 ] && ! has_settled
}

# is_of_now: whether it was started with this bootstrap's token and has not waited for the others in vain.
is_of_now() {
    [ -z "$token" ] ||
        { begun_with_token "$pid" && { [ "$state" != activating ] || ! has_settled; }; }
}

# is_of_last_read: whether its process began after systemd last read its units.
is_of_last_read() {
    read=$(systemctl show --property=UnitsLoadTimestampMonotonic --value)
    [ "${read:-0}" != 0 ] && [ "$started" -gt "$read" ]
}

gone_wrong() {
    printf 'failed %s\n' "$1"
    journal_of "$unit"
    exit 1
}

# look: the state of the unit in systemd at this moment.
look() {
    said=$(systemctl show "$unit" --property=ActiveState,SubState,MainPID,NRestarts,ExecMainStartTimestampMonotonic,Result,ExecMainStatus,AssertResult,Job)
    while IFS='=' read -r property value; do
        case $property in
        ActiveState) state=$value ;;
        SubState) substate=$value ;;
        MainPID) pid=$value ;;
        NRestarts) restarts=$value ;;
        ExecMainStartTimestampMonotonic) started=$value ;;
        Result) result=$value ;;
        ExecMainStatus) status=$value ;;
        AssertResult) asserted=$value ;;
        Job) job=$value ;;
        esac
    done <<SAID
$said
SAID
}

# systemd leaves out what is not there.
state='' substate='' pid=0 restarts=0 started=0 result='' status='' asserted=yes job=''
look
if [ "$pid" != 0 ]; then
    case $state in
    active | activating | reloading)
        if ! is_looping && is_of_now; then
            if [ "$restarts" != 0 ] && [ -e "$restart_due" ] && is_of_last_read; then
                rm -f -- "$restart_due"
            fi
            already
        fi
        # waits 90 s: systemd's own time for a stop
        systemctl stop "$unit"
        ;;
    esac
fi

# systemd may have let go of a unit that is only a file.
systemctl reset-failed "$unit" 2>/dev/null || true
look
before=$restarts
rm -f -- "$restart_due"
# A unit that waits for its next start is not started by a start.
systemctl restart --no-block "$unit"

# A member that has created its log has found its place; one that has not may be about to say why.
# waits 2 s
tries=0
while [ "$tries" -lt 20 ]; do
    job=''
    look
    [ "$state" != active ] || changed
    [ "$state" != failed ] || gone_wrong "$unit failed: $(why_ended "$unit" "$result" "$status")"
    if { [ "$substate" = auto-restart ] && [ -z "$job" ]; } || [ "$restarts" != "$before" ]; then
        gone_wrong "$unit ended at once: $(why_ended "$unit" "$result" "$status")"
    fi
    if [ "$state" = inactive ] && [ "$asserted" = no ] && [ -z "$job" ]; then
        gone_wrong "$unit refuses to start without its write-ahead log"
    fi
    if [ -n "$token" ] && [ "$pid" != 0 ] && [ "$tries" -gt 1 ] && log_in "$wal"; then
        changed
    fi
    tries=$((tries + 1))
    sleep 0.1
done
[ "$state" != inactive ] || gone_wrong "$unit did not start"
changed
