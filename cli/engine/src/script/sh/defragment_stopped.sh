# shellcheck shell=sh disable=SC2034
# ETCDCTL CACERT CERT KEY OWN DATA_DIR TEST_KEY PERCENT BYTES TOOL WAL RUNTIME UNIT POD MANIFEST KEPT SECONDS END MOST:
# stops the member, rewrites its database with TOOL as the account that owns it, if PERCENT of it and BYTES are free
# pages, and starts the member again, even if that failed. A pod comes back from the manifest that was there, of
# which a copy is kept meanwhile. One that an earlier try of this step left stopped is finished.

takes 'etcdctl cacert cert key own data test_key percent bytes tool wal runtime unit pod manifest kept seconds end_seconds most' "$@"
tools="$etcdctl $cacert $cert $key"
db=$data/member/snap/db

# is_down: only where systemd and the list of processes both say so.
is_down() {
    main=$(of_unit "$unit" MainPID) && [ "$main" = 0 ] || return 1
    left=$(etcds_of "$data" "$unit") && [ -z "$left" ]
}

# take_down: fails where the member may still run; then `stuck` says why.
take_down() {
    case $runtime in
    systemd)
        # waits 90 s: systemd's own time for a stop
        systemctl stop "$unit"
        stuck="$unit does not stop"
        ;;
    static-pod) take_pod_away "$manifest" "$data" "$unit" "$end_seconds" "$kept" || return 1 ;;
    esac
    is_down
}

# bring_up: what ran the member before runs it again.
bring_up() {
    case $runtime in
    systemd)
        systemctl reset-failed "$unit" 2>/dev/null || true
        systemctl start --no-block "$unit"
        ;;
    static-pod)
        # A copy from before may be older than what lies there.
        [ -e "$manifest" ] || put_back "$manifest" "$kept"
        [ -e "$manifest" ] || fail "the member is stopped, and there is no manifest to start it from$back"
        ;;
    esac
}

# gone_wrong WHY: with the member's own words.
gone_wrong() {
    printf 'failed %s\n' "$1"
    words_of "$unit" "$pod"
    exit 1
}

log_in "$wal" || refuse "$wal holds no write-ahead log: the member would not start again"
[ "$runtime" != static-pod ] || kubelet_runs
if is_down; then
    [ "$runtime" != static-pod ] || [ -e "$manifest" ] || [ -e "$kept" ] ||
        refuse "the member does not run, and neither $manifest nor $kept is there to start it from"
    size=$(stat -c %s -- "$db") || refuse "$db is missing"
    in_use=$size
else
    # waits 20 s beyond
    await_service "$seconds" || fail "the member answers no linearizable read: $told"
    sizes || fail "the member does not report the size of its database"
    pays || already
    has_room || refuse "$no_room"
fi
before=$size
owner=$(stat -c '%u %g' -- "$data")

ticks
began=$tick result=0 heard=''
if ! take_down; then
    bring_up
    gone_wrong "$stuck${back:-}"
elif has_room; then
    heard=$(timeout "$most" setpriv --reuid="${owner% *}" --regid="${owner#* }" --clear-groups \
        env -i "$tool" defrag --data-dir="$data" 2>&1) || result=$?
    heard=$(printf '%s\n' "$heard" | tail -n 1)
else
    result=1 heard=$no_room
fi
# An etcd that was started meanwhile has the old file open, which has no name any more. One that starts later opens the new
# one, so that it is enough to look now; a mask of the unit would outlive a script that is killed.
# waits 90 s: the same stop once more
if ! is_down && ! take_down; then
    bring_up
    gone_wrong "somebody started the member while its database was rewritten, and $stuck: restart it${back:-}"
fi
bring_up

# waits 20 s beyond
end=$(($(now) + seconds))
until serves; do
    [ "$runtime" != systemd ] || [ "$(of_unit "$unit" ActiveState)" != failed ] ||
        gone_wrong "$unit failed: $(why_ended "$unit" "$(of_unit "$unit" Result)" "$(of_unit "$unit" ExecMainStatus)")"
    [ "$(now)" -lt "$end" ] || gone_wrong "the member is not back: it answers no linearizable read: $told"
    sleep 0.2
done
ticks
[ "$result" = 0 ] || fail "the member runs, and its database was not defragmented: ${heard:-$tool ended with status $result}"
sizes || fail "the member does not report the size of its database"
# A rule that asks for no bytes holds of any database.
[ "$bytes" = 0 ] || [ "$size" -lt "$before" ] || ! pays ||
    fail "the member runs, and its database was not defragmented: $tool ended well, and the database is as large as before"
rewritten
