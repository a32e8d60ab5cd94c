# shellcheck shell=sh disable=SC2154
# The record of a restore, and what must hold before the next part of it is done.

# read_record: what $record says: `its_token`, `its_sha256`, `its_members`, `its_bump`, `phase`; all empty where there is none.
# shellcheck disable=SC2034 # Not every script writes it again.
read_record() {
    its_token='' its_sha256='' its_members='' its_bump='' phase='' lines=0
    [ -e "$record" ] || [ -L "$record" ] || return 0
    while read -r word value more; do
        lines=$((lines + 1))
        case $lines,$word,$more in
        1,quorate-restore,) [ "$value" = 1 ] || fail "$record is of format $value, which a newer quorate wrote" ;;
        2,token,) its_token=$value ;;
        3,sha256,) its_sha256=$value ;;
        4,members,) its_members=$value ;;
        5,bump,) its_bump=$value ;;
        6,phase,) phase=$value ;;
        *) fail "the record $record can't be read" ;;
        esac
    done <"$record"
    case $lines,$phase in
    6,staged | 6,set-aside | 6,placed) ;;
    *) fail "the record $record can't be read" ;;
    esac
}

# write_record PHASE: of this restore.
write_record() {
    put_text "$record" 600 "quorate-restore 1
token $token
sha256 $sha256
members $its_members
bump $its_bump
phase $1
."
}

# of_this_restore: whether what is prepared here is what the plan is about.
of_this_restore() {
    [ "$its_token" = "$token" ] && [ "$its_sha256" = "$sha256" ]
}

# prepared: reads the record, and refuses unless it is of this restore. A former member's host has none.
prepared() {
    phase=
    [ -n "$sha256" ] || return 0
    read_record
    of_this_restore || refuse "this snapshot is not staged on this host"
}

# stopped: refuses while an etcd runs on the data. What systemd does not say is no sign that nothing runs.
stopped() {
    state=$(of_unit "$unit" ActiveState)
    [ "$state" = inactive ] || [ "$state" = failed ] || refuse "$unit is not stopped: it is $state"
    running=$(etcds_of "$data" "$unit") || fail "systemd does not report which process is that of $unit"
    [ -z "$running" ] || refuse "an etcd runs on $data: process $running"
}

# gets_no_answer URL: whether the kernel still waits for the first packet back. A process that was halted takes the
# connection and says nothing, and to etcdctl that looks the same.
gets_no_answer() {
    at=${1#*://} && at=${at%%/*}
    ask_plain "$etcdctl" "$cacert" "$cert" "$key" --endpoints="$1" endpoint status >/dev/null 2>&1 &
    asking=$!
    sleep 1
    waiting=$(ss -Htn state syn-sent dst "$at") || waiting=
    wait "$asking" || true
    [ -n "$waiting" ]
}

# hear_of URL: a line that says what is there. Only a connection that nobody takes is silence: a process that takes it and
# refuses us, or hangs, may serve others.
hear_of() {
    if said=$(ask_plain "$etcdctl" "$cacert" "$cert" "$key" --endpoints="$1" endpoint status 2>&1); then
        echo "the member at $1 is not stopped: it answers"
        return 0
    fi
    case $said in
    *"dial tcp: lookup "*"no such host"*) echo silent ;;
    *"dial tcp: lookup "*) echo "the name in $1 can't be looked up, so nobody knows whether its member is stopped" ;;
    *"dial tcp "*"connection refused"* | *"dial tcp "*"no route to host"* | *"dial tcp "*"host is down"* | \
        *"dial tcp "*"network is unreachable"* | *"dial tcp "*"i/o timeout"* | *"dial tcp "*"connection timed out"*)
        echo silent
        ;;
    *"transport: Error while dialing"*)
        if gets_no_answer "$1"; then echo silent; else echo "something still takes connections at $1"; fi
        ;;
    *"transport"* | *"code = Unavailable"*) echo "something still serves at $1" ;;
    *"deadline exceeded"*)
        if gets_no_answer "$1"; then echo silent; else echo "something still takes connections at $1"; fi
        ;;
    *"endpoint"*) echo "something still serves at $1" ;;
    *) echo "can't ask $1: $(printf '%s\n' "$said" | tail -n 1)" ;;
    esac
}

# nobody_answers: refuses while any of the others does. All are asked at once: each silent one takes six seconds.
nobody_answers() {
    # A former member's host may have nothing left to ask with. A host that gets restored data asks its member once more.
    [ -n "$sha256" ] || can_ask || return 0
    for needed in "$etcdctl" "$cacert" "$cert" "$key"; do
        [ -r "$needed" ] || fail "can't ask the other members whether they are stopped: $needed can't be read"
    done
    # A member may advertise several addresses.
    others=$(printf '%s\n' "$others" | tr ',' ' ')
    # waits 15 s
    heard=$(for other in $others; do hear_of "$other" & done; wait)
    count=0
    while IFS= read -r line; do
        [ -z "$line" ] || [ "$line" = silent ] || refuse "$line"
        [ -z "$line" ] || count=$((count + 1))
    done <<HEARD
$heard
HEARD
    # shellcheck disable=SC2086
    set -- $others
    [ "$count" = "$#" ] || fail "not all of the other members could be asked whether they are stopped"
}
