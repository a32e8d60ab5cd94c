# shellcheck shell=sh disable=SC2154
# Whether members have the same data: each hashes its keys as they were at one revision. `tools` asks, and `everywhere`
# are the members' endpoints, with commas between.

# A member reads all of its keys, from a disk that gives so many bytes in a second; in seconds, what it has beside that,
# and the most.
hash_rate=20000000 hash_least=60 hash_most=600
# Rounds begin within so many seconds.
rounds_within=3600

# numbers KEY: the values of a key in etcdctl's JSON, one a line.
numbers() {
    tr ',' '\n' | sed -n "s/^\"$1\":\"*\([0-9][0-9]*\).*/\1/p" | sort -n
}

# see_limit: sets `limit` to how long a member may take to hash its keys, by the largest database of those in `told`.
see_limit() {
    largest=$(printf '%s\n' "$told" | numbers dbSize | tail -n 1)
    limit=$hash_most
    is_number "$largest" || return 0
    largest=$((hash_least + largest / hash_rate))
    [ "$largest" -ge "$limit" ] || limit=$largest
}

# hash_all: sets `hashes` to a line for each member, its hash and the revision to which it compacted, and `told` to what
# etcdctl said. Fails where not all answered.
hash_all() {
    # shellcheck disable=SC2086
    told=$(ask_plain $tools --endpoints="$everywhere" endpoint status -w json 2>&1) || return 1
    # The newest that all of them have.
    revision=$(printf '%s\n' "$told" | numbers revision | head -n 1)
    is_number "$revision" || return 1
    see_limit
    told=$(env -i GOMAXPROCS=1 GOGC=off "$etcdctl" --cacert="$cacert" --cert="$cert" --key="$key" \
        --dial-timeout=2s --command-timeout="${limit}s" --endpoints="$everywhere" \
        endpoint hashkv --rev="$revision" -w json 2>&1) || return 1
    hashes=$(printf '%s\n' "$told" | tr '{' '\n' |
        sed -n -e 's/^.*},"hash":\([0-9][0-9]*\),"compact_revision":\([-0-9]*\).*$/\1 \2/p' -e t \
            -e 's/^.*},"hash":\([0-9][0-9]*\).*$/\1 none/p')
    [ "$(printf '%s\n' "$hashes" | grep -c .)" = "$(printf '%s\n' "$everywhere" | tr ',' '\n' | grep -c .)" ]
}

# same_data: whether all members have the same. Otherwise sets `why`, and `compared`: `differ` where their data differs,
# with etcdctl's answer in `told`; `forbidden` where etcd's own authentication lets only root ask; else `unknown`.
# waits 9050 s: rounds that begin within an hour, and the last one of nine members, ten minutes each to hash its keys and
# five seconds to tell its revision
same_data() {
    rounds=0 last_round=$(($(now) + rounds_within))
    while :; do
        rounds=$((rounds + 1))
        if hash_all; then
            [ "$(printf '%s\n' "$hashes" | sort -u | grep -c .)" -gt 1 ] || return 0
            why="the members have different data at revision $revision: $(printf '%s\n' "$hashes" | tr '\n' ',')"
            why=${why%,} compared=differ
            # Each member compacts in its own time.
            [ "$(printf '%s\n' "$hashes" | cut -d ' ' -f 2 | sort -u | grep -c .)" = 1 ] || compared=unknown
        else
            compared=unknown
            case $told in
            *"permission denied"* | *"user name is empty"* | *"user name not found"*)
                compared=forbidden why="etcd's own authentication lets only root compare them"
                return 1
                ;;
            esac
            # Those that answer are among what etcdctl says.
            why=$(printf '%s\n' "$told" | sed -n -e '/^Failed/p' -e '/^Error/p' | tail -n 1)
            why=${why:-not every member answers}
        fi
        # Of one compaction that not all have finished, hashes may still differ for a moment.
        [ "$rounds" -lt 5 ] && [ "$(now)" -lt "$last_round" ] || return 1
        sleep 1
    done
}
