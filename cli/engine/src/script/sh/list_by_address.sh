# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY OWN URL: has the cluster list the member at OWN with the peer URL
# URL alone.

takes 'etcdctl cacert cert key own url' "$@"
tools="$etcdctl $cacert $cert $key"

# listed: the member's line of the list.
listed() {
    # shellcheck disable=SC2086
    ask_plain $tools --endpoints="$own" member list 2>&1 | sed -n "/^$id, /p"
}

# shellcheck disable=SC2086
said=$(ask $tools --endpoints="$own" endpoint status 2>&1) || fail "the member does not answer: $said"
id=$(printf '%x' "$(printf '%s\n' "$said" | field MemberID)")
case $(listed) in *", $url, "*) already ;; esac
# waits 45 s: nine questions
# A change that comes while another one is not settled is dropped silently.
for try in 1 2 3; do
    # shellcheck disable=SC2086
    said=$(ask_plain $tools --endpoints="$own" member update "$id" --peer-urls="$url" 2>&1) || true
    case $(listed) in *", $url, "*) changed ;; esac
    [ "$try" = 3 ] || sleep 1
done
fail "the cluster does not list the member at its address: $said"
