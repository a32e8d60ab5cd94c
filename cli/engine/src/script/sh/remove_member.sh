# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY ID SECONDS OTHERS: has the others remove the member ID from the cluster's list. One that
# answers where clients find it has not failed, whatever this host shows: a login may lead to another machine.

takes 'etcdctl cacert cert key id seconds others' "$@"
tools="$etcdctl $cacert $cert $key"

# who_answers: the client URL at which the member itself answers; fails where it answers nowhere.
who_answers() {
    while IFS= read -r line; do
        read_member "$line"
        [ "$member_id" = "$id" ] || continue
        # shellcheck disable=SC2046
        set -- $(printf '%s\n' "$clients" | tr ',' ' ')
        for client; do
            # shellcheck disable=SC2086
            said=$(ask $tools --endpoints="$client" endpoint status 2>/dev/null) || continue
            number=$(printf '%s\n' "$said" | field MemberID)
            if [ "$(printf '%x' "$number" 2>/dev/null)" = "$id" ]; then
                printf '%s\n' "$client"
                return 0
            fi
        done
    done <<LIST
$list
LIST
    return 1
}

# waits 130 s: eight others asked for their list, and the member itself
if hear && client=$(who_answers); then
    refuse "member $id answers at $client, so it has not failed"
fi

is_gone() {
    case $line_end$list in *"$line_end$id, "*) return 1 ;; esac
}

# waits 145 s beyond: eight others asked for their list, one told and asked again
see_to is_gone "$seconds" "the cluster still lists member $id" remove "$id"
