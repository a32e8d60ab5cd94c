# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY ID OWN UNIT DATA_DIR SECONDS OTHERS: has the others remove the member ID from the cluster's
# list. One that answers where clients find it, or that runs on this host, has not failed: it may have come up since the
# plan, and a login may lead to another machine.

takes 'etcdctl cacert cert key id own unit data seconds others' "$@"
tools="$etcdctl $cacert $cert $key"

hear_patiently
if is_gone; then already; fi
if client=$(who_answers); then
    refuse "member $id answers at $client, so it has not failed"
fi

# runs: its processes on this host.
runs() {
    main=$(of_unit "$unit" MainPID) || fail "systemd does not say whether $unit runs"
    pods=$(etcds_of "$data" "$unit") || fail "systemd does not say what runs of $unit"
    [ "${main:-0}" = 0 ] || printf '%s\n' "$main"
    [ -z "$pods" ] || printf '%s\n' "$pods"
}

pids=$(runs)
if [ -n "$pids" ]; then
    # One that ends soon after each start has failed.
    # waits 5 s
    sleep 5
    [ "$(runs)" != "$pids" ] || refuse "the member runs here again, so it has not failed"
fi

# waits 145 s beyond: eight others asked for their list, one told and asked again
see_to is_gone "$seconds" "the cluster still lists member $id" remove "$id"
