# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY OWN URL SECONDS LONGEST UNIT POD DATA_DIR OTHERS: waits until the learner at OWN, which is
# listed with the peer URL, has the log of the others, and has them make it a voter. It may take LONGEST as long as it
# gets on, and SECONDS where it does not.

takes 'etcdctl cacert cert key own url seconds longest unit pod data others' "$@"
tools="$etcdctl $cacert $cert $key"

# runs: as a unit or as a pod.
runs() {
    main=$(of_unit "$unit" MainPID) && is_number "$main" || return 1
    [ "$main" = 0 ] || return 0
    pids=$(etcds_of "$data" "$unit") && [ -n "$pids" ]
}

give_up() {
    printf 'failed the learner is not a voter yet: %s\n' "$1"
    words_of "$unit" "$pod"
    exit 1
}

# look: sets `applied` to what it has of the log, or to nothing while it does not answer; and `grew` where that, or
# meanwhile its files, are no longer what they were.
applied_before='' bytes_before=''
look() {
    applied='' grew=no
    # shellcheck disable=SC2086
    if said=$(ask $tools --endpoints="$own" endpoint status 2>/dev/null); then
        applied=$(printf '%s\n' "$said" | field RaftAppliedIndex)
        is_number "$applied" || applied=
        own_id=$(printf '%x' "$(printf '%s\n' "$said" | field MemberID)" 2>/dev/null) || own_id=unknown
    fi
    if [ -n "$applied" ]; then
        [ "$applied" = "$applied_before" ] || grew=yes
        applied_before=$applied
    else
        bytes=$(du -s -B1 -- "$data/member" 2>/dev/null | cut -f1) || bytes=
        [ "$bytes" = "$bytes_before" ] || grew=yes
        bytes_before=$bytes
    fi
}

# promote: asks the others one after the other: not every release hands it on to its leader.
promote() {
    # shellcheck disable=SC2086
    set -- $others
    for other; do
        # shellcheck disable=SC2086
        told=$(ask_plain $tools --endpoints="$other" member promote "$member_id" 2>&1) && return 0
        case $told in *"can only promote a learner"*) return 1 ;; esac
    done
    return 1
}

# waits 190 s beyond: eight others asked for their list and told, the member itself, and one asked again
began=$(now) end=$(($(now) + seconds)) down=0 answer=already
while :; do
    grew=no
    if ! hear; then
        why="no other member says who is a member: $unheard"
    elif ! find_at "$url"; then
        fail "the cluster does not list $url"
    elif [ "$learner,$state" = false,started ]; then
        "$answer"
    elif [ "$learner" = false ]; then
        why='it is listed as a voter, and has not started'
    else
        answer=changed
        if runs; then
            down=0
            look
        else
            down=$((down + 1)) applied='' why='it does not run'
            [ "$down" -lt 30 ] || give_up "$why"
        fi
        if [ "$down" -gt 0 ]; then
            :
        elif [ -z "$applied" ]; then
            why="it does not answer, and has ${bytes:-0} bytes on its disk"
        elif [ "$own_id" != "$member_id" ]; then
            why="member $own_id answers, and the cluster lists $member_id" grew=no
        elif ! is_number "$goal" || [ $((goal - applied)) -gt "$near" ]; then
            # etcd itself takes one that lacks a tenth of the log.
            why="it has applied $applied of $goal entries of the log"
        else
            promote || true
            if list_at "$heard" && find_at "$url" && [ "$learner,$state" = false,started ]; then
                changed
            fi
            told=$(printf '%s\n' "$told" | tail -n 1)
            why="it has applied $applied of ${goal:-unknown} entries of the log: $told"
            case $told in
            *"in sync with leader"*) ;;
            *) grew=no ;;
            esac
        fi
    fi
    [ "$grew" = no ] || end=$(($(now) + seconds))
    if [ "$(now)" -ge "$end" ] || [ "$(now)" -ge $((began + longest)) ]; then
        give_up "$why"
    fi
    sleep 1
done
