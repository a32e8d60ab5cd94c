# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY OWN OTHERS: where the member at OWN leads, hands leadership to
# the first of the others that is healthy. Where etcd's authentication is on, our client may not ask for that:
# then the others elect a leader once this one stops.

takes 'etcdctl cacert cert key own others' "$@"
tools="$etcdctl $cacert $cert $key"

# shellcheck disable=SC2086
said=$(ask $tools --endpoints="$own" endpoint status 2>&1) || fail "the member does not answer: $said"
leader=$(printf '%s\n' "$said" | field Leader)
own_id=$(printf '%s\n' "$said" | field MemberID)
[ "$leader" = "$own_id" ] || already

# waits 130 s: eight others, asked together, and each asked and told
# shellcheck disable=SC2086
set -- $others
# shellcheck disable=SC2086
ask_together $tools "$@"
refused='' told=''
for other; do
    # shellcheck disable=SC2086
    status_of $tools "$other" || continue
    [ "$(printf '%s\n' "$said" | field Leader)" = "$own_id" ] || continue
    [ "$(printf '%s\n' "$said" | field IsLearner)" != true ] || continue
    # etcdctl wants the id in hex and shows it in decimal.
    target=$(printf '%x' "$(printf '%s\n' "$said" | field MemberID)")
    # Not in fields: etcdctl would hand over all the same, and end with an error as it has no such
    # words for it.
    # shellcheck disable=SC2086
    if told=$(ask_plain $tools --endpoints="$own" move-leader "$target" 2>&1); then
        changed
    fi
    case $told in
    *"permission denied"* | *"user name is empty"* | *"user name not found"*) refused=yes ;;
    esac
done
[ -z "$refused" ] || already
told=$(printf '%s\n' "$told" | tail -n 1)
fail "no other member is fit to lead${told:+: $told}"
