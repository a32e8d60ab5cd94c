# shellcheck shell=sh
# How long a synced write takes on this host, and how far its members are from their peers. Asked
# where a cluster is about to be formed, or by name; a look at formed clusters never runs this.
#
# The arguments are words KEY=VALUE, `format=1` first; cost.rs makes them. The reply is records, as
# those of facts.sh.
#
#   writes=N bytes=N seconds=N   how many writes of which size, and when to be content with fewer
#   member=CLUSTER,DATA,METRICS  a member of this host
#   disk=CLUSTER                 time the disk of that member; all members come before
#   peers=PORT                   round trips of the connections with this port at one end
#
# A disk on which an etcd runs is not written to: the synced writes of a stranger would wait in the
# member's way. What such a member counted itself is read instead.

exec </dev/null 2>/dev/null
set -f
nl='
'

say() { printf '%s %s\n%s\n' "$1" "${#2}" "$2"; }

writes='' bytes='' seconds='' members='' disks='' peers=''
[ "$1" = format=1 ] || exit 64
shift
for word do
    value=${word#*=}
    case $word in
    writes=*) writes=$value ;;
    bytes=*) bytes=$value ;;
    seconds=*) seconds=$value ;;
    member=*) members="$members $value" ;;
    disk=*) disks="$disks $value" ;;
    peers=*) peers="$peers $value" ;;
    *) exit 64 ;;
    esac
done

file=
trap '[ -z "$file" ] || rm -f -- "$file"' EXIT
trap 'exit 1' HUP INT TERM

# Sets the fields of a member word.
member() {
    name=${1%%,*} url=${1##*,}
    data=${1#*,}
    data=${data%,*}
}

# Sets $place to a path, or to the nearest above it that is there.
nearest() {
    place=$1
    while [ -n "$place" ] && [ ! -e "$place" ]; do place=${place%/*}; done
    place=${place:-/}
}

# Where every etcd of this host has its data: " DEVICE:PATH", or " ?" where that is unknown.
running() {
    taken=
    set +f
    for dir in /proc/[0-9]*; do
        IFS= read -r comm <"$dir/comm" || continue
        [ "$comm" = etcd ] || continue
        arguments=$(tr '\0' "$nl" <"$dir/cmdline")
        # A process that only prints its version serves nobody.
        case $arguments in *"$nl"--version) continue ;; esac
        path=${arguments##*"$nl"--data-dir=}
        [ "$path" != "$arguments" ] || path=
        path=${path%%"$nl"*}
        case $path in /*[!a-zA-Z0-9./_-]* | [!/]*) path= ;; esac
        # It may run in a container, where the path is another.
        if [ -n "$path" ] && [ -e "$dir/root/" ]; then
            nearest "$dir/root$path"
            taken="$taken $(stat -L -c %d -- "$place"):$path"
        else
            taken="$taken ?"
        fi
    done
    set -f
}

# A member's metrics are plain HTTP on loopback. Not every host has a program for that.
page() {
    if command -v curl >/dev/null; then
        curl -q -sf --noproxy '*' --max-time 5 "$1/metrics"
    elif command -v wget >/dev/null; then
        wget --no-config -q -O - --no-proxy -T 5 -t 1 "$1/metrics"
    elif command -v bash >/dev/null; then
        address=${1#*//}
        # shellcheck disable=SC2016
        timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET /metrics HTTP/1.0\r\n\r\n" >&3 && cat <&3' \
            bash "${address%:*}" "${address##*:}"
    fi
}

# What the member on this disk counted, of its lines only those that are asked for.
counted() {
    counts=$(page "$2" | while IFS= read -r line; do
        case $line in etcd_disk_wal_fsync_duration_seconds_*) printf '%s\n' "$line" ;; esac
    done)
    say "disk:$1" "member $3$nl$counts"
}

# Times single writes in a directory. dd's own clock runs from after it has opened the file to the
# end of the write, so what it costs to start a program is not in it.
written() {
    set +f
    for stale in "$2"/.quorate-disk.??????; do
        # A locked one is in use by another run right now.
        [ ! -f "$stale" ] || [ -L "$stale" ] || flock -n "$stale" rm -f -- "$stale"
    done
    set -f
    if ! file=$(mktemp "$2/.quorate-disk.XXXXXX" 2>&1); then
        said=$file file=
        say "disk:$1" "failed $said"
        return
    fi
    exec 9<"$file"
    flock -n 9
    read -r began _ </proc/uptime
    # Each write is appended, so that it costs what a new one in etcd's log costs. The first also
    # pays for the new file, and is not counted.
    times=$(
        count=0
        while [ "$count" -le "$writes" ]; do
            dd if=/dev/zero of="$file" bs="$bytes" count=1 seek="$count" \
                oflag=dsync,nofollow conv=notrunc,nocreat 2>&1 || break
            read -r now _ </proc/uptime
            [ $((${now%.*} - ${began%.*})) -lt "$seconds" ] || break
            count=$((count + 1))
        done
    )
    exec 9<&-
    rm -f -- "$file"
    file=
    say "disk:$1" "written$nl$times"
}

# Sets $word to the member word of a cluster.
word_of() {
    for word in $members; do
        case $word in "$1",*) return ;; esac
    done
    exit 64
}

# The etcd that runs on a device: one of our members before any other.
tenant() {
    owner=''
    for at in $taken; do
        case $at in "?" | "$1":*) ;; *) continue ;; esac
        owner=${owner:-another}
        for word in $members; do
            member "$word"
            [ "${at#*:}" != "$data" ] || owner=$name
        done
    done
}

disks() {
    running
    timed=' '
    for disk in $disks; do
        word_of "$disk"
        member "$word"
        nearest "$data"
        device=$(stat -L -c %d -- "$place")
        case $timed in
        *" $device="*)
            same=${timed##*" $device="}
            say "disk:$disk" "as ${same%% *}"
            continue
            ;;
        esac
        # A file in the data directory itself would make it one that is not empty.
        above=${place%/*}
        [ "$place" != "$data" ] || [ "$(stat -L -c %d -- "${above:-/}")" != "$device" ] ||
            place=${above:-/}
        where=$place
        timed="$timed$device=$disk "
        tenant "$device"
        case $owner in
        '') written "$disk" "$where" ;;
        another) say "disk:$disk" busy ;;
        *)
            word_of "$owner"
            member "$word"
            counted "$disk" "$url" "$owner"
            ;;
        esac
    done
}

[ -z "$disks" ] || disks
for port in $peers; do
    say "peers:$port" "$(ss -Htin state established "( dport = :$port or sport = :$port )")"
done
