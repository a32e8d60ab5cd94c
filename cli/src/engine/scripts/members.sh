# shellcheck shell=sh
# Asking members through etcdctl: what guards and rolls are judged by, at this very moment.

# ask_plain ETCDCTL CACERT CERT KEY ARGS…: without an environment, where an ETCDCTL_… of the host
# would contradict our flags, which is fatal.
ask_plain() {
    asked=$1 cacert=$2 cert=$3 key=$4
    shift 4
    env -i "$asked" --cacert="$cacert" --cert="$cert" --key="$key" \
        --dial-timeout=2s --command-timeout=3s "$@"
}

# ask ETCDCTL CACERT CERT KEY ARGS…: the answer as lines that `field` reads.
ask() {
    ask_plain "$@" -w fields
}

# field NAME: the values of a field in what etcdctl said, one a line, without quotes.
field() {
    sed -n "s/^\"$1\" : \"*\([^\"]*\)\"*\$/\1/p"
}

# healthy_among ETCDCTL CACERT CERT KEY ENDPOINT…: how many of the endpoints answer, know a leader
# and are voters.
healthy_among() {
    tools="$1 $2 $3 $4"
    shift 4
    healthy=0
    for endpoint; do
        # Paths of ours hold no blanks.
        # shellcheck disable=SC2086
        said=$(ask $tools --endpoints="$endpoint" endpoint status 2>/dev/null) || continue
        leader=$(printf '%s\n' "$said" | field Leader)
        learner=$(printf '%s\n' "$said" | field IsLearner)
        if [ "${leader:-0}" != 0 ] && [ "$learner" != true ]; then
            healthy=$((healthy + 1))
        fi
    done
}
