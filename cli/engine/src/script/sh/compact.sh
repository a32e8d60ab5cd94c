# shellcheck shell=sh disable=SC2154
# ETCDCTL CACERT CERT KEY MEMBERS TO REVISION_KEY SECONDS: removes old revisions on each of MEMBERS. TO is `newest`, or
# `api-servers`: then the revision is the one that API servers keep at REVISION_KEY. A member has removed them when
# its answer comes; one that is asked after another was has only to finish.

takes 'etcdctl cacert cert key members to revision_key seconds' "$@"
tools="$etcdctl $cacert $cert $key"
first=${members%% *}

# waits 60 s beyond: two questions, and what connecting takes
# shellcheck disable=SC2086
said=$(ask_plain $tools --endpoints="$first" endpoint status -w json 2>&1) ||
    fail "$first does not answer: $(printf '%s\n' "$said" | tail -n 1)"
newest=$(printf '%s\n' "$said" | sed -n '1s/.*"revision":\([0-9]*\).*/\1/p')
is_number "$newest" || fail "$first does not say at which revision it is"
case $to in
newest) revision=$newest ;;
api-servers)
    # shellcheck disable=SC2086
    revision=$(ask_plain $tools --endpoints="$first" get --print-value-only "$revision_key" 2>&1) ||
        fail "$first does not answer: $(printf '%s\n' "$revision" | tail -n 1)"
    # No API server has ever compacted this cluster.
    [ -n "$revision" ] || already
    if ! is_number "$revision" || [ "$revision" -gt "$newest" ]; then
        refuse "the key $revision_key does not hold a revision of this cluster: quorate compacts nothing on its word"
    fi
    [ "$revision" -gt 0 ] || already
    ;;
esac

end=already
for member in $members; do
    # Physical: not before the pages are free.
    told=$(env -i GOMAXPROCS=1 GOGC=off "$etcdctl" --cacert="$cacert" --cert="$cert" --key="$key" \
        --dial-timeout=2s --command-timeout="${seconds}s" --endpoints="$member" \
        compact --physical=true "$revision" 2>&1) && end=changed && continue
    told=$(printf '%s\n' "$told" | tail -n 1)
    case $told in
    *"has been compacted"*) ;;
    *) fail "$member did not compact to revision $revision: $told" ;;
    esac
done
"$end"
