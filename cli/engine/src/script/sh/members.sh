# shellcheck shell=sh
# Asking members through etcdctl: what guards and rolls are judged by, at this very moment.

line_end='
'

# ask_plain ETCDCTL CACERT CERT KEY ARGS…: without an environment, where an ETCDCTL_… of the host
# would contradict our flags, which is fatal.
ask_plain() {
    asked=$1 cacert=$2 cert=$3 key=$4
    shift 4
    env -i GOMAXPROCS=1 GOGC=off "$asked" --cacert="$cacert" --cert="$cert" --key="$key" \
        --dial-timeout=2s --command-timeout=3s "$@"
}

# any_etcdctl: the host may have been away while the cluster got another release.
any_etcdctl() {
    for client in "$etcdctl" "${etcdctl%/*/*}"/*/etcdctl; do
        if [ -x "$client" ]; then
            etcdctl=$client
            return 0
        fi
    done
    return 1
}

# can_ask: whether what it takes to ask the others is still here.
can_ask() {
    any_etcdctl && [ -e "$cacert" ] && [ -e "$cert" ] && [ -e "$key" ]
}

# ask ETCDCTL CACERT CERT KEY ARGS…: the answer as lines that `field` reads.
ask() {
    ask_plain "$@" -w fields
}

# ask_together ETCDCTL CACERT CERT KEY ENDPOINT…: asks all of them in one etcdctl, whose start costs more than its
# questions, for `status_of` to read. What one member says could pass for another's answer if it held more lines
# than etcdctl prints, so an answer that is not exactly one for each is none.
together=
ask_together() {
    tools="$1 $2 $3 $4" together='' listed=''
    shift 4
    [ "$#" -gt 1 ] || return 0
    for endpoint; do listed="$listed,$endpoint"; done
    # shellcheck disable=SC2086
    said=$(ask $tools --endpoints="${listed#,}" endpoint status 2>/dev/null) || return 0
    [ "$(printf '%s\n' "$said" | grep -c '^"Endpoint" : ')" != "$#" ] || together=$said
}

# status_of ETCDCTL CACERT CERT KEY ENDPOINT: sets `said` to what this member says of itself; fails if it does
# not answer.
status_of() {
    said=
    while IFS= read -r line; do
        case $line in
        "\"Endpoint\" : \"$5\"") return 0 ;;
        '"Endpoint" : '*) said= ;;
        *) said="$said$line$line_end" ;;
        esac
    done <<TOGETHER
$together
TOGETHER
    said=$(ask "$1" "$2" "$3" "$4" --endpoints="$5" endpoint status 2>/dev/null)
}

# field NAME: the values of a field in what etcdctl said, one a line, without quotes.
field() {
    sed -n "s/^\"$1\" : \"*\([^\"]*\)\"*\$/\1/p"
}

# is_number TEXT: one that a shell counts with.
is_number() {
    case $1 in
    '' | *[!0-9]* | ???????????????????*) return 1 ;;
    esac
}

# How many entries of the log a member may lack and still count as caught up. A leader keeps so many for
# members that lag; one that lacks more needs a snapshot first. And one that has so many left to apply
# refuses to serve.
near=5000

# healthy_among CLUSTER_ID ETCDCTL CACERT CERT KEY ENDPOINT…: sets `healthy`, how many of the endpoints
# answer, know a leader, are voters of this cluster and have caught up with the others; and `unfit`, what is
# wrong with the rest. With `-` for the id all of them must be of one cluster.
healthy_among() {
    id=$1 tools="$2 $3 $4 $5"
    shift 5
    healthy=0 unfit='' fit='' newest=0
    # Paths of ours hold no blanks.
    # shellcheck disable=SC2086
    ask_together $tools "$@"
    for endpoint; do
        # shellcheck disable=SC2086
        if ! status_of $tools "$endpoint"; then
            unfit="$unfit; $endpoint does not answer"
            continue
        fi
        leader=$(printf '%s\n' "$said" | field Leader)
        learner=$(printf '%s\n' "$said" | field IsLearner)
        index=$(printf '%s\n' "$said" | field RaftIndex)
        applied=$(printf '%s\n' "$said" | field RaftAppliedIndex)
        # etcdctl shows ids in decimal, and everybody else in hex.
        cluster=$(printf '%s\n' "$said" | field ClusterID)
        cluster=$(printf '%x' "${cluster:-0}" 2>/dev/null) || cluster=0
        [ "$id" != - ] || id=$cluster
        if [ "${leader:-0}" = 0 ]; then
            unfit="$unfit; $endpoint knows no leader"
        elif [ "$learner" = true ]; then
            unfit="$unfit; $endpoint is a learner"
        elif [ "$cluster" != "$id" ]; then
            unfit="$unfit; $endpoint belongs to another cluster, $cluster"
        elif ! is_number "$index" || ! is_number "$applied"; then
            unfit="$unfit; $endpoint does not report how many log entries it has applied"
        else
            fit="$fit $endpoint $applied"
            [ "$index" -le "$newest" ] || newest=$index
        fi
    done
    # shellcheck disable=SC2086
    set -- $fit
    while [ "$#" -ge 2 ]; do
        if [ $((newest - $2)) -le "$near" ]; then
            healthy=$((healthy + 1))
        else
            unfit="$unfit; $1 has applied $2 of $newest entries of the log"
        fi
        shift 2
    done
    unfit=${unfit#; }
}
