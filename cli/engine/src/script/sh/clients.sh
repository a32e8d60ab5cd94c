# shellcheck shell=sh disable=SC2034,SC2154
# The clients that are connected to a member. The kernel shows the owner of a connection by the inode of its socket: a process
# can give itself any name, and a pod behind an address of the host has no socket here.

# hold PIDS: sets `sockets` to the inodes of all sockets of these processes, and `not_clients` to the ports that their
# arguments give to peers and to measurements.
hold() {
    sockets=' ' not_clients=' '
    for pid in $1; do
        # A socket may close meanwhile.
        sockets="$sockets$(find "/proc/$pid/fd/" -lname 'socket:*' -printf '%l ' 2>/dev/null || true)"
        urls=$({ tr '\000' '\n' <"/proc/$pid/cmdline"; } 2>/dev/null |
            sed -n -e 's/^--listen-peer-urls=//p' -e 's/^--listen-metrics-urls=//p' | tr ',' '\n') || urls=
        for url in $urls; do
            url=${url%/}
            not_clients="$not_clients${url##*:} "
        done
    done
}

# holds DETAILS: whether they hold the socket of which ss says this.
holds() {
    inode=${1#*ino:}
    [ "$inode" != "$1" ] || fail "ss does not report which sockets are whose"
    case $sockets in *" socket:[${inode%% *}] "*) return 0 ;; esac
    return 1
}

# plain ENDPOINT: sets `plain` to it without brackets, zone, and the prefix of mapped addresses.
plain() {
    address=${1%:*}
    address=${address%%%*}
    address=${address#[} && address=${address%]}
    plain=${address#::ffff:}:${1##*:}
}

# look_for_clients PIDS: sets `ports` to where these processes take connections of clients, and `found` to who is
# connected there: programs of this host by name, all others by address. etcd's gateway is a client of its own etcd.
look_for_clients() {
    hold "$1"
    listening=$(ss -Htne state listening) || fail "ss does not report who listens"
    established=$(ss -Htne state established) || fail "ss does not report who is connected"
    ports=' '
    while read -r _ _ near _ details; do
        if [ -n "$near" ] && holds "$details"; then
            case "$not_clients$ports" in *" ${near##*:} "*) ;; *) ports="$ports${near##*:} " ;; esac
        fi
    done <<LISTENING
$listening
LISTENING
    own=' '
    while read -r _ _ near far details; do
        if [ -n "$near" ] && holds "$details"; then
            plain "$near" && from=$plain
            plain "$far" && own="$own$from>$plain "
        fi
    done <<OWN
$established
OWN
    found=' '
    while read -r _ _ near far details; do
        [ -n "$near" ] || continue
        case $ports in *" ${near##*:} "*) ;; *) continue ;; esac
        plain "$near" && to=$plain
        plain "$far"
        case $own in *" $plain>$to "*) continue ;; esac
        note_client "$plain" "$to"
    done <<ESTABLISHED
$established
ESTABLISHED
    found=${found# } && found=${found%, }
    ports=${ports# } && ports=$(printf '%s' "${ports% }" | sed 's/ /, /g')
}

# note_client FROM TO: each once, by the name of its program where this host has its end of the connection.
note_client() {
    who=${1%:*} ends=$(ss -Htnp state established) || ends=
    while read -r _ _ near far users; do
        [ -n "$near" ] || continue
        plain "$near" && from=$plain
        plain "$far"
        if [ "$from>$plain" = "$1>$2" ]; then
            who=${users#*\"} && who=${who%%\"*}
            who="${who:-a program} on this host"
        fi
    done <<ENDS
$ends
ENDS
    case "$found" in
    *" $who, "*) ;;
    *) found="$found$who, " ;;
    esac
}

# nobody_is_connected PIDS: refuses while clients are. The caller waits up to 10 s: a question of ours ends on its own.
nobody_is_connected() {
    end=$(($(now) + 10))
    look_for_clients "$1"
    while [ -n "$found" ] && [ "$(now)" -lt "$end" ]; do
        sleep 1
        look_for_clients "$1"
    done
    [ -z "$found" ] || refuse "clients are still connected to port $ports: $found. Stop them first: what they write now would be lost"
}
