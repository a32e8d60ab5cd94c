# shellcheck shell=sh disable=SC2154
# A member's database: its size, the room for a copy of it, and whether the member serves.

# sizes: sets `size` and `in_use` to what the member says; fails where it does not. etcdctl 3.4 has no field for the
# second one, so it is asked for JSON.
sizes() {
    # shellcheck disable=SC2086
    said=$(ask_plain $tools --endpoints="$own" endpoint status -w json 2>/dev/null) || return 1
    size=$(printf '%s\n' "$said" | sed -n '1s/.*"dbSize":\([0-9]*\).*/\1/p')
    in_use=$(printf '%s\n' "$said" | sed -n '1s/.*"dbSizeInUse":\([0-9]*\).*/\1/p')
    is_number "$size" && is_number "$in_use"
}

# pays: whether the rule says that the database is worth a rewrite.
pays() {
    pages=$((size - in_use))
    [ "$pages" -ge "$bytes" ] && [ $((pages * 100)) -ge $((size * percent)) ]
}

# has_room: whether a copy of what is in use fits beside the database; else says why not in `no_room`. The copy is a bit
# larger than what it is a copy of, and the log grows meanwhile.
has_room() {
    needed=$((in_use + in_use / 10 + 134217728))
    free=$(df -B1 --output=avail -- "$data" | sed -n '2{s/ //g;p;}') || free=
    is_number "$free" || free=0
    # shellcheck disable=SC2034 # Not every script refuses.
    no_room="the copy of the database needs $needed bytes, and $free are free on the file system of $data"
    [ "$free" -ge "$needed" ]
}

# serves: whether the member answers a read that a majority confirms. etcd's own authentication refuses it after that.
serves() {
    # shellcheck disable=SC2086
    told=$(ask_plain $tools --endpoints="$own" get --consistency=l --keys-only --limit=1 "$test_key" 2>&1) && return 0
    case $told in
    *"permission denied"* | *"user name is empty"* | *"user name not found"*) return 0 ;;
    esac
    told=$(printf '%s\n' "$told" | tail -n 1)
    return 1
}

# await_service SECONDS: until it does; fails after this time.
await_service() {
    end=$(($(now) + $1))
    until serves; do
        [ "$(now)" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# rewritten: the end of a script that rewrote the database: how long the member stood still, since $began, and the
# sizes.
rewritten() {
    printf 'stood-still-ms %s\nbefore %s\nafter %s\n' "$(((tick - began) * 10))" "$before" "$size"
    changed
}
