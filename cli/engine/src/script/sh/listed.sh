# shellcheck shell=sh
# The member that is to be removed, `id`: what the others' list says of it, and whether it answers.

# hear_patiently: as `hear`, for `seconds`; then it has failed.
hear_patiently() {
    # waits 130 s: eight others asked for their list, and the member itself
    end=$(($(now) + seconds))
    until hear; do
        [ "$(now)" -lt "$end" ] || fail "no other member says who is a member: $unheard"
        sleep 1
    done
}

# is_gone: whether the list does not have it any more.
is_gone() {
    case $line_end$list in *"$line_end$id, "*) return 1 ;; esac
}

# who_answers: the client URL at which the member itself answers; fails where it answers nowhere. `own` is one more of
# its URLs, where there is one.
who_answers() {
    while IFS= read -r line; do
        read_member "$line"
        [ "$member_id" = "$id" ] || continue
        # shellcheck disable=SC2046
        set -- $(printf '%s\n' "$clients" | tr ',' ' ') ${own:+"$own"}
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
