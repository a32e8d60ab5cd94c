# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY OWN VERSION SECONDS ALARMS UNIT POD DATA_DIR IDENTITY OTHERS: waits until
# the member at OWN answers as a healthy voter of VERSION, has applied what the others had when it came
# back, and shows no alarm that is not in ALARMS. Where it runs in a pod, IDENTITY is its manifest's.

takes 'etcdctl cacert cert key own version seconds alarms unit pod data identity others' "$@"
tools="$etcdctl $cacert $cert $key"
# shellcheck disable=SC2086
set -- $others

# is_ready: as systemd or the kubelet sees it; else says why not.
is_ready() {
    if [ -n "$identity" ]; then
        why="its pod is not the new one yet"
        etcd_from "$identity" "$data" "$unit" >/dev/null
    else
        why="systemd does not see it as ready"
        [ "$(of_unit "$unit" ActiveState)" = active ]
    fi
}

# Together with this member, so many others are a quorum: one of them has every entry that counts.
enough=$((($# + 1) / 2)) goal=

# see_goal OTHER…: sets `goal` to what the others have of the log, once enough of them say so.
see_goal() {
    newest=0 said_so=0
    # waits 80 s: eight others, together and then each
    # shellcheck disable=SC2086
    ask_together $tools "$@"
    for other; do
        # shellcheck disable=SC2086
        status_of $tools "$other" || continue
        index=$(printf '%s\n' "$said" | field RaftIndex)
        is_number "$index" || continue
        said_so=$((said_so + 1))
        [ "$index" -le "$newest" ] || newest=$index
    done
    [ "$said_so" -lt "$enough" ] || goal=$newest
}

see_goal "$@"
# etcdctl waits a second before it asks again where nobody listened yet: it is not asked while the member starts.
# waits 10 s
tries=0
until is_ready || [ "$tries" = 150 ]; do
    tries=$((tries + 1))
    sleep 0.05
done

why="it does not answer"
# waits 50 s beyond: the others once more, the last question, and that for alarms
end=$(($(now) + seconds))
while :; do
    [ -n "$goal" ] || see_goal "$@"
    # shellcheck disable=SC2086
    if said=$(ask $tools --endpoints="$own" endpoint status 2>/dev/null); then
        applied=$(printf '%s\n' "$said" | field RaftAppliedIndex)
        [ -n "$applied" ] || applied=$(printf '%s\n' "$said" | field RaftIndex)
        runs=$(printf '%s\n' "$said" | field Version)
        if [ "$(printf '%s\n' "$said" | field Leader)" = 0 ]; then
            why="it knows no leader"
        elif [ "$runs" != "$version" ]; then
            fail "it runs etcd $runs, not $version"
        elif ! is_number "$applied"; then
            why="it does not report how many log entries it has applied"
        elif [ -z "$goal" ]; then
            why="too few of the other members report their position in the log"
        elif [ "$applied" -lt "$goal" ]; then
            why="it has applied $applied of $goal entries of the log"
        elif is_ready; then
            break
        fi
    fi
    if [ "$(now)" -ge "$end" ]; then
        printf 'failed the member is not back: %s\n' "$why"
        words_of "$unit" "$pod"
        exit 1
    fi
    sleep 0.1
done

# Not as fields: etcdctl 3.4 panics over alarms as fields. No answer is not the answer that there is none.
# shellcheck disable=SC2086
until said=$(ask_plain $tools --endpoints="$own" alarm list 2>&1); do
    [ "$(now)" -lt "$end" ] ||
        fail "the member does not say whether an alarm is up: $(printf '%s\n' "$said" | tail -n 1)"
    sleep 0.1
done
raised=$(printf '%s\n' "$said" | sed -n 's/.*alarm:\([A-Z]*\).*/\1/p')
for alarm in $raised; do
    case $alarms in
    *"$alarm"*) ;;
    *) fail "etcd raised a new alarm: $alarm" ;;
    esac
done
changed
