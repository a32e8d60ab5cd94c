# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY ID LEAVER URLS SECONDS OTHERS: has the others remove the member ID, which runs on another host,
# from the cluster's list. LEAVER is what the plan saw of it, of a `stray` nothing, so that it is asked first: one that `failed` answers nobody and listens nowhere, also
# not at its peer URLS; one that `serves` hands leadership over before it goes; one with `no-vote` may go.

takes 'etcdctl cacert cert key id leaver urls seconds others' "$@"
tools="$etcdctl $cacert $cert $key" own=''

# accepts URL: whether anything takes connections there. One that hangs takes them, and so does one that serves its
# peers and no client of ours. This is not for etcdctl: of a silent peer it says the same as of a host that is off.
accepts() {
    place=${1#*//}
    place=${place%%/*}
    if command -v curl >/dev/null; then
        # Plain HTTP: it is about the connection alone.
        took=$(curl -q -s --globoff --noproxy '*' -o /dev/null --max-time 3 -w '%{time_connect}' "http://$place/") &&
            return 0
        case $took in *[1-9]*) return 0 ;; esac
        return 1
    fi
    address=${place%:*}
    address=${address#[}
    # shellcheck disable=SC2016
    timeout 3 bash -c ': 3<>"/dev/tcp/$1/$2"' bash "${address%]}" "${place##*:}" 2>/dev/null
}

# who_listens: the first peer URL of the member, by the list or by the plan, where anything takes connections.
who_listens() {
    listed=
    while IFS= read -r line; do
        read_member "$line"
        [ "$member_id" != "$id" ] || listed=$peers
    done <<LIST
$list
LIST
    for url in $(printf '%s\n' "$listed,$urls" | tr ',' '\n' | sort -u); do
        if accepts "$url"; then
            printf '%s\n' "$url"
            return 0
        fi
    done
    return 1
}

# votes: whether the list has it with a vote.
votes() {
    while IFS= read -r line; do
        read_member "$line"
        [ "$member_id" != "$id" ] || [ "$learner" = true ] || return 0
    done <<LIST
$list
LIST
    return 1
}

# leads: whether the member at CLIENT leads; fails too where it does not answer.
leads() {
    # shellcheck disable=SC2086
    said=$(ask $tools --endpoints="$client" endpoint status 2>/dev/null) || return 1
    number=$(printf '%s\n' "$said" | field MemberID)
    [ "$(printf '%s\n' "$said" | field Leader)" = "$number" ]
}

# hand_over: has it make one of the others the leader, a voter that answers and follows it. Fails where nobody takes
# over, with why in `told`.
hand_over() {
    told='no other voter answers that follows it' leader=$number
    # shellcheck disable=SC2086
    set -- $others
    for other; do
        # shellcheck disable=SC2086
        said=$(ask $tools --endpoints="$other" endpoint status 2>/dev/null) || continue
        heir=$(printf '%s\n' "$said" | field MemberID)
        if [ "$heir" = "$leader" ] || [ "$(printf '%s\n' "$said" | field Leader)" != "$leader" ] ||
            [ "$(printf '%s\n' "$said" | field IsLearner)" = true ]; then
            continue
        fi
        # Only the leader itself takes this order. Not in fields, see move_leader.sh.
        # shellcheck disable=SC2086
        if told=$(ask_plain $tools --endpoints="$client" move-leader "$(printf '%x' "$heir")" 2>&1); then
            return 0
        fi
        told=$(printf '%s\n' "$told" | tail -n 1)
    done
    return 1
}

hear_patiently
if is_gone; then already; fi

if [ "$leaver" = stray ]; then
    # waits 20 s: one that is busy is asked twice
    if who_answers >/dev/null || { sleep 1 && who_answers >/dev/null; }; then leaver=serves; else leaver=failed; fi
fi

case $leaver in
failed)
    [ "$(printf '%x' "$leader" 2>/dev/null)" != "$id" ] ||
        refuse "member $id leads the cluster, as $heard says, so it has not failed: plan again"
    if client=$(who_answers); then
        refuse "member $id answers at $client, so it has not failed: plan again"
    fi
    command -v curl >/dev/null || command -v bash >/dev/null ||
        refuse "this host has neither curl nor bash, so it can't see whether member $id still listens: install one of them"
    # waits 20 s
    if url=$(who_listens); then
        # One that ends soon after each start has failed.
        sleep 5
        if url=$(who_listens); then
            refuse "something still listens at $url, the peer URL of member $id, so the member may be running: stop it or wait until it answers, then plan again"
        fi
    fi
    ;;
serves)
    # waits 20 s: one that is busy is asked twice
    if ! client=$(who_answers); then
        sleep 1
        client=$(who_answers) || refuse "member $id no longer answers; a failed member must be removed before others join: plan again"
    fi
    if leads; then
        # waits 85 s: it is asked for each of eight others, and the next one leads
        hand_over || refuse "member $id leads, and can't hand leadership over: $told"
        end=$(($(now) + seconds))
        while leads; do
            [ "$(now)" -lt "$end" ] || refuse "member $id still leads, $seconds s after it was told to hand leadership over"
            sleep 1
        done
    fi
    ;;
no-vote)
    ! votes || refuse "member $id has a vote by now: plan again"
    ;;
*) fail "a member that leaves serves, failed or has no vote, and is not $leaver" ;;
esac

# waits 145 s beyond: eight others asked for their list, one told and asked again
see_to is_gone "$seconds" "the cluster still lists member $id" remove "$id"
