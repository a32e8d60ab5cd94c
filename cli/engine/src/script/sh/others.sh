# shellcheck shell=sh
# Reads and changes the member list through the other members. They are in `others`, and `tools`
# is how they are asked.

# list_at ENDPOINT: sets `list` to the list of members as this one has it, and `goal` to how far its log is. Fails
# where it is not to be believed, and adds to `unheard` why: only a member that has a leader knows the newest change.
# shellcheck disable=SC2034 # Not every script asks how far the log is.
list_at() {
    list='' goal=''
    # shellcheck disable=SC2086
    if ! said=$(ask $tools --endpoints="$1" endpoint status 2>/dev/null); then
        unheard="$unheard; $1 does not answer"
        return 1
    fi
    leader=$(printf '%s\n' "$said" | field Leader)
    if [ "${leader:-0}" = 0 ]; then
        unheard="$unheard; $1 knows no leader"
        return 1
    fi
    goal=$(printf '%s\n' "$said" | field RaftIndex)
    teller=$(printf '%x' "$(printf '%s\n' "$said" | field MemberID)" 2>/dev/null) || teller=
    case $(printf '%s\n' "$said" | field Version) in
    3.4.*)
        # It lists what it has applied, be it old; what it is asked for its health, it answers once it has applied
        # all that the cluster had.
        # shellcheck disable=SC2086
        if ! ask_plain $tools --endpoints="$1" endpoint health >/dev/null 2>&1; then
            unheard="$unheard; $1 is not healthy"
            return 1
        fi
        ;;
    esac
    # shellcheck disable=SC2086
    list=$(ask_plain $tools --endpoints="$1" member list 2>/dev/null) || list=
    # A member that has a list is in it.
    case $line_end$list in
    *"$line_end${teller:-?}, "*) ;;
    *)
        unheard="$unheard; $1 does not list the members"
        return 1
        ;;
    esac
}

# hear: sets `heard` to the first of the others who is to be believed, and `list` to its list. Fails where there is
# none, with why in `unheard`.
hear() {
    heard='' unheard=''
    # shellcheck disable=SC2086
    set -- $others
    for other; do
        if list_at "$other"; then
            heard=$other
            return 0
        fi
    done
    unheard=${unheard#; }
    return 1
}

# read_member LINE: what a line of the list says: `member_id`, `state`, `peers`, `clients` and `learner`.
# shellcheck disable=SC2034 # Not every script asks for all of them.
read_member() {
    member_id=${1%%, *} rest=${1#*, }
    state=${rest%%, *} rest=${rest#*, }
    # The name, which may be empty.
    rest=${rest#*, }
    peers=${rest%%, *} rest=${rest#*, }
    clients=${rest%%, *} learner=${rest##*, }
}

# find_at URL: the same of the listed member that has this peer URL and no other; fails where there is none.
find_at() {
    while IFS= read -r line; do
        read_member "$line"
        [ "$peers" != "$1" ] || return 0
    done <<LIST
$list
LIST
    return 1
}

# passes WORDS: whether etcd refuses only for now, or did not answer. A leader counts who is connected to it, and for
# some seconds after its election finds too few. What a member does not find may be news that it has yet to hear.
passes() {
    case $1 in
    *"unhealthy cluster"* | *"leader changed"* | *"no leader"* | *"timed out"* | *"deadline exceeded"*) ;;
    *"too many requests"* | *"server stopped"* | *"connection"* | *"ember not found"*) ;;
    *) return 1 ;;
    esac
}

# see_to CHECK SECONDS WHAT ARGS…: has the others do `member ARGS…` until CHECK finds the change in their list, and
# ends the script. A change that comes while another one is not settled is dropped silently: it is sent again,
# for so many seconds. WHAT is what is not so yet.
see_to() {
    check=$1 what=$3 told='' answer=already
    end=$(($(now) + $2))
    shift 3
    while :; do
        if hear; then
            if "$check"; then "$answer"; fi
            answer=changed
            # shellcheck disable=SC2086
            if told=$(ask_plain $tools --endpoints="$heard" member "$@" 2>&1); then
                told='etcd took the change, and dropped it'
            fi
            if list_at "$heard" && "$check"; then changed; fi
            told=$(printf '%s\n' "$told" | tail -n 1)
            case $told in
            "etcd took"*) ;;
            *) passes "$told" || fail "$what: $told" ;;
            esac
        fi
        if [ "$(now)" -ge "$end" ]; then
            [ "$answer" = changed ] || fail "no other member says who is a member: $unheard"
            fail "$what: $told"
        fi
        sleep 1
    done
}
