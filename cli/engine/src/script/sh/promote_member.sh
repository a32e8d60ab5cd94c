# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY OWN URL SECONDS LONGEST UNIT POD DATA_DIR OTHERS: waits until the learner at OWN, which is
# listed with the peer URL, has the log of the others, and has them make it a voter. In each SECONDS it must get so much
# closer that at this rate it is there within LONGEST; while it receives a snapshot it is waited for. A learner that
# falls short is removed again.

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

# look: sets `applied` to what it has of the log, or to nothing while it does not answer; and `receives` where its files
# change: all of them until it answers, and then a snapshot that comes because it fell too far behind.
bytes_before='' snapshot='' snapshots=0
look() {
    applied='' receives=no files="$data/member"
    # shellcheck disable=SC2086
    if said=$(ask $tools --endpoints="$own" endpoint status 2>/dev/null); then
        applied=$(printf '%s\n' "$said" | field RaftAppliedIndex)
        is_number "$applied" || applied=
        own_id=$(printf '%x' "$(printf '%s\n' "$said" | field MemberID)" 2>/dev/null) || own_id=unknown
    fi
    if [ -n "$applied" ]; then
        for files in "$data/member/snap"/tmp*; do break; done
        if [ -e "$files" ] && [ "$files" != "$snapshot" ]; then
            snapshot=$files snapshots=$((snapshots + 1))
        fi
    fi
    bytes=$(du -s -B1 -- "$files" 2>/dev/null | cut -f1) || bytes=
    # One that needs a snapshot again after each is no closer for it.
    if [ "$bytes" != "$bytes_before" ] && [ "$snapshots" -le 2 ]; then receives=yes; fi
    bytes_before=$bytes
}

# is_closer: whether the `span` seconds that it had brought it closer, fast enough to be there within `longest`.
is_closer() {
    [ -n "$from" ] && is_number "$lacks" && [ "$lacks" -lt "$from" ] &&
        [ $((lacks * span)) -le $(((from - lacks) * longest)) ]
}

# take_off: removes the learner again, unless it has a vote by now.
take_off() {
    away='it stays listed, without a vote'
    if hear && find_at "$url" && [ "$learner" = true ]; then
        # shellcheck disable=SC2086
        told=$(ask_plain $tools --endpoints="$heard" member remove "$member_id" 2>&1) || true
        if list_at "$heard" && ! find_at "$url"; then
            away='it is removed again'
        else
            away="$away, because etcd does not remove it: $(printf '%s\n' "$told" | tail -n 1)"
        fi
    fi
    printf 'failed the learner does not catch up, and %s: %s\n' "$away" "$why"
    words_of "$unit" "$pod"
    exit 1
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

# waits 240 s beyond: eight others asked for their list and told, the member itself, and those that remove it
began=$(now) since=$began from='' down=0 answer=already
while :; do
    receives=no lacks='' is_behind=no
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
        if [ -n "$applied" ] && is_number "$goal"; then
            lacks=$((goal > applied ? goal - applied : 0))
            [ -n "$from" ] || from=$lacks since=$(now)
        fi
        if [ "$down" -gt 0 ]; then
            :
        elif [ -z "$applied" ]; then
            why="it does not answer, and has ${bytes:-0} bytes on its disk" is_behind=yes
        elif [ "$own_id" != "$member_id" ]; then
            why="member $own_id answers, and the cluster lists $member_id" receives=no
        elif [ -z "$lacks" ]; then
            why="no other member reports how many entries the log has"
        elif [ "$lacks" -gt "$near" ]; then
            # etcd itself takes one that lacks a tenth of the log.
            why="it has applied $applied of $goal entries of the log" is_behind=yes
        else
            promote || true
            if list_at "$heard" && find_at "$url" && [ "$learner,$state" = false,started ]; then
                changed
            fi
            told=$(printf '%s\n' "$told" | tail -n 1)
            why="it has applied $applied of ${goal:-unknown} entries of the log: $told"
            case $lacks,$told in
            0,*) ;;
            *"in sync with leader"*) is_behind=yes ;;
            esac
        fi
    fi
    [ "$receives" = no ] || since=$(now)
    span=$(($(now) - since))
    if [ "$span" -ge "$seconds" ]; then
        if is_closer; then
            from=$lacks since=$(now)
        elif [ "$is_behind" = yes ]; then
            why="$why${from:+; $span s before it lacked $from}"
            take_off
        else
            give_up "$why"
        fi
    fi
    if [ "$(now)" -ge $((began + longest)) ]; then give_up "$why"; fi
    sleep 1
done
