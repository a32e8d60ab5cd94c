# shellcheck shell=sh
# Looks at a host and changes nothing: no file is written, not even a temporary one.
#
# The arguments are words KEY=VALUE, `format=1` first; request.rs makes them and says what each
# means. No value holds a blank, a comma or a character that a shell globs, so lists of them are
# strings with blanks between.
#
# The reply is records, `KEY LENGTH`, newline, LENGTH bytes, newline. What is in a file is data of a
# record, whatever it looks like. A missing record means nothing; it does not mean "absent".
#
# This runs often and on many hosts: each command is run once for everything that it must answer, and
# what the shell can read itself costs no command at all.

exec </dev/null 2>/dev/null
set -f
nl='
'

say() { printf '%s %s\n%s\n' "$1" "${#2}" "$2"; }

say clock-first "$(date +%s.%N)"

# The largest file whose text is shown, and the largest that is hashed without a reason.
text_limit=131072
# The longest answer of an etcdctl that is read: one that is cut off lacks its exit status and does not count.
answer_limit=131072
hash_limit=1048576

accounts='' releases='' records='' boot='' kubelet=''
callers='' looked=' ' directories='' above='' hashed=' ' shown=' ' versions='' members='' room='' routes='' addresses='' names='' processes='' tools=''
[ "$1" = format=1 ] || exit 64
shift
for word do
    value=${word#*=}
    case $word in
    account=*) accounts="$accounts $value" ;;
    directory=*) looked="$looked$value " directories="$directories $value" ;;
    above=*) looked="$looked$value " directories="$directories $value" above="$above $value" ;;
    link=*) looked="$looked$value " ;;
    secret=*) looked="$looked$value " hashed="$hashed$value " ;;
    text=*) looked="$looked$value " hashed="$hashed$value " shown="$shown$value " ;;
    releases=*) releases=$value ;;
    release=*) versions="$versions $value" ;;
    records=*) records=$value ;;
    boot=*) boot=$value ;;
    kubelet=*) kubelet=$value ;;
    member=*) members="$members $value" ;;
    room=*) room="$room $value" ;;
    route=*) routes="${routes}route get $value$nl" ;;
    address=*) addresses="${addresses}route get $value$nl" ;;
    callers=*) callers="$callers${callers:+ or }sport = :$value" ;;
    name=*) names="$names $value" ;;
    process=*) processes="$processes $value" ;;
    tool=*) tools="$tools $value" ;;
    *) exit 64 ;;
    esac
done

# Sets the fields of a member word.
member() {
    IFS=,
    # shellcheck disable=SC2086
    set -- $1
    unset IFS
    name=$1 unit=$2 data=$3 wal=$4 marker=$5 witness=$6 url=$7 etcdctl=$8
    shift 8
    # shellcheck disable=SC2034 # drop_ins.sh, which stands before this, asks for it.
    cacert=$1 cert=$2 key=$3 folder=$4 drop_in_dir=$5 ports="$6 $7 $8"
}

# The library that every part of systemd loads is named after the version; asking systemctl for it
# would cost more than all other questions about the machine.
systemd_version() {
    set +f
    for file in /usr/lib/systemd/libsystemd-shared-*.so /usr/lib/*/systemd/libsystemd-shared-*.so; do
        [ -e "$file" ] || continue
        file=${file##*/libsystemd-shared-}
        echo "systemd ${file%.so}"
        return
    done
    systemctl --version
}

# The number in a file of the kernel's; nothing where there is none.
kernel_says() {
    line=
    if [ ! -e "$2" ]; then
        say "$1" ''
    elif IFS= read -r line <"$2" || [ -n "$line" ]; then
        say "$1" "$line"
    fi
}

# The kernel's settings that allow no namespace of their kind.
closed_namespaces() {
    found=
    for kind in mnt ipc uts pid net cgroup; do
        line=
        IFS= read -r line 2>/dev/null </proc/sys/user/max_${kind}_namespaces || continue
        [ "$line" != 0 ] || found="$found user.max_${kind}_namespaces"
    done
    say closed-namespaces "$found"
}

machine() {
    [ -d /run/systemd/system ] && say systemd "$(systemd_version)"
    say arch "$(uname -m)"
    IFS= read -r line </sys/devices/system/cpu/online && say cpus "$line"
    IFS= read -r line </proc/meminfo && say memory "$line"
    IFS= read -r line </proc/sys/kernel/random/boot_id && say boot-id "$line"
    IFS= read -r line </etc/machine-id && say machine-id "$line"
    kernel_says user-namespaces /proc/sys/user/max_user_namespaces
    closed_namespaces
    kernel_says selinux /sys/fs/selinux/enforce
    # When this shell started, as lock.sh counts: /proc/uptime may be a container's own.
    if IFS= read -r line </proc/self/stat; then
        # shellcheck disable=SC2086
        set -- ${line##*)}
        [ "$#" -lt 20 ] || say uptime "$((${20} / 100))"
    fi
    while IFS= read -r line; do
        case $line in PRETTY_NAME=*) say distribution "${line#*=}" ;; esac
    done </etc/os-release
    found=
    for tool in $tools; do
        command -v "$tool" >/dev/null && found="$found $tool"
    done
    say tools "$found"
}

accounts() {
    for account in $accounts; do
        entry=$(getent passwd "$account")
        say "account:$account" "$? $entry"
        gid=${entry#*:*:*:}
        [ -z "$entry" ] || say "group:$account" "$(getent group "${gid%%:*}")"
    done
}

# Each path that is there, or the nearest above it, with the bytes that a user may still write and the kind of its
# file system.
room() {
    set --
    for path in $room; do
        while [ -n "$path" ] && [ ! -e "$path" ]; do path=${path%/*}; done
        set -- "$@" "${path:-/}"
    done
    [ "$#" -eq 0 ] || say room "$(df -B1 --output=avail,fstype,file -- "$@")"
}

# Processes of the names that are asked for, each with its cgroups. Those that have a member's data are
# kept in mind: a pod's process is one of the host's. So is whose process has all the ports that its member is to
# have.
processes() {
    found='' holders='' placed=' '
    set +f
    for dir in /proc/[0-9]*; do
        IFS= read -r comm <"$dir/comm" || continue
        case " $processes " in
        *" $comm "*)
            # A process that only prints its version serves nobody: what a killed run left behind checks a
            # release that it has unpacked.
            # The shell leaves out the NUL between the arguments.
            words=
            IFS= read -r words <"$dir/cmdline"
            case $words in *--version) continue ;; esac
            found="$found${dir#/proc/} $comm$nl"
            while IFS= read -r line; do found="$found$line$nl"; done <"$dir/cgroup"
            found="$found$nl"
            [ "$comm" = etcd ] || continue
            for word in $members; do
                member "$word"
                case $words in
                *"--data-dir=$data--"*)
                    # The name of another directory may begin with this one's and a dash or two.
                    set -- "$data"--*
                    [ ! -e "$1" ] ||
                        tr '\000' '\n' <"$dir/cmdline" | grep -qxF -- "--data-dir=$data" || continue
                    holders="$holders $name=${dir#/proc/}"
                    lacks=
                    for port in $ports; do
                        case $words in *":$port--"* | *":$port,"* | *":$port") ;; *) lacks=$port ;; esac
                    done
                    [ -n "$lacks" ] || placed="$placed$name "
                    ;;
                esac
            done
            ;;
        esac
    done
    set -f
    say processes "$found"
}

# Other processes of the host: ports matter while a member does not have all of its own. The source address towards peers
# matters always, and which of the members' addresses are the host's: the kernel has a local route to each of those.
network() {
    said=
    [ -z "$routes$addresses" ] ||
        said=$(printf %s "$routes$addresses" | ip -oneline -force -batch - 2>&1)
    own=
    IFS=$nl
    for line in $said; do
        case $line in
        "local "*)
            line=${line#local }
            own="$own ${line%% *}"
            ;;
        esac
    done
    unset IFS
    case $said in *' dev '* | *'Command failed'*) say addresses "$own" ;; esac
    forming='' unplaced=''
    for word in $members; do
        member "$word"
        [ -e "$marker" ] || [ -e "$witness" ] || forming=yes
        case $placed in *" $name "*) ;; *) unplaced=yes ;; esac
    done
    say forming "$forming$unplaced"
    [ -z "$forming$unplaced" ] || { listeners=$(ss -Hltnp) && say listeners "$listeners"; }
    [ -z "$routes" ] || say routes "$said"
    [ -z "$callers" ] || callers
    [ -n "$forming" ] || return 0
    [ -z "$names" ] || names
}

# Who is connected to members' ports: "LOCAL PEER" lines, without the peers' own ports. A client has many connections.
callers() {
    connected=$(ss -Htn state established "( $callers )" && echo .) || return 0
    say callers "$(printf '%s\n' "${connected%.}" |
        sed -n 's/^[0-9]* *[0-9]* *\([^ ]*\) *\([^ ]*\):[0-9]* *$/\1 \2/p' | sort -u)"
}

# What names resolve to, and who is asked: "NAMESERVER ADDRESS" lines as the resolver reads them.
names() {
    servers=
    while read -r word value _; do
        [ "$word" != nameserver ] || servers="$servers$value$nl"
    done </etc/resolv.conf
    say nameservers "$servers"
    for name in $names; do
        found=$(timeout 5 getent ahosts "$name")
        say "name:$name" "$? $found"
    done
}

# The files that a release's manifest names: "PATH STAT" a line.
manifests() {
    binaries='' installed=$nl
    for version in $versions; do
        while read -r kind file _ stamp _; do
            [ "$kind" = file ] || continue
            case $file in '' | .* | *[!a-z0-9._-]*) continue ;; esac
            binaries="$binaries $releases/$version/$file"
            installed="$installed$releases/$version/$file $stamp$nl"
        done <"$releases/$version/manifest"
    done
}

# Whether a directory holds a match of a glob, said as a word. Directories of the names in $3 don't count.
# shellcheck disable=SC2086
holds() {
    set +f
    for entry in $1; do
        case " ${3-} " in
        *" ${entry##*/} "*) [ -L "$entry" ] || [ ! -d "$entry" ] || continue ;;
        esac
        if [ -e "$entry" ] || [ -L "$entry" ]; then
            set -f
            answer=yes
            return
        fi
    done
    set -f
    # A directory that can't be read looks like an empty one to a glob.
    if ls -A -- "$2" >/dev/null; then answer=no; else answer=unreadable; fi
}

data() {
    logs=
    for word in $members; do
        member "$word"
        [ -d "$data" ] || continue
        # A file system has `lost+found` at its root, and what was set aside or is prepared is nobody's data.
        holds "$data/* $data/.[!.]* $data/..?*" "$data" "archived lost+found restored"
        full=$answer answer=no
        [ ! -d "$wal" ] || holds "$wal/*.wal" "$wal"
        say "data:$name" "$full $answer"
        # Those of each file that etcd made there: whose it is matters, and how much room it takes.
        made=${wal%/*}
        for log in "$made" "$made/snap"; do
            [ ! -d "$log" ] || logs="$logs $log"
        done
        set +f
        first=
        for log in "$wal"/* "$made/snap"/*; do
            case ${log##*/} in *[!0-9a-z.-]*) continue ;; esac
            [ -f "$log" ] || continue
            logs="$logs $log"
            case $first,$log in ,*.wal) first=$log ;; esac
        done
        [ ! -d "$data/restored/data/member" ] || say "restored:$name" yes
        if [ -d "$data/archived" ] && [ ! -L "$data/archived" ]; then
            say "archived:$name" "$(du -s -B1 -- "$data/archived"/*)"
        fi
        set -f
        # Where data is from matters as long as nothing says that it was in a quorum.
        [ -e "$marker" ] || [ -e "$witness" ] ||
            say "born:$name" "$([ -z "$first" ] || head -c 96 -- "$first" | base64 -w 0)"
    done
}

# The directories that a symlink above a member's leads through: etcd must pass them too.
passed() {
    passed=
    for path in $directories; do
        [ -L "$path" ] && [ -d "$path" ] || continue
        real=$(readlink -f -- "$path")
        while [ -n "$real" ]; do
            case $real in *[!A-Za-z0-9/._-]*) break ;; esac
            case "$looked$passed " in
            *" $real "*) ;;
            *) passed="$passed $real" ;;
            esac
            real=${real%/*}
        done
    done
    say passed "$passed"
}

# What each file is, then the digests and texts of those that are small regular files.
# shellcheck disable=SC2086
files() {
    passed
    say files "$looked$passed$binaries$logs"
    # A path that is not there has its line too, in its place: the order tells whose it is.
    stats=$(stat -c '%f %i.%s.%Y.%Z %s %U/%u %G/%g %b %B %N' -- $looked$passed$binaries$logs 2>&1)
    say stat "$stats"
    set -- $looked$passed$binaries$logs
    hash='' show='' total=0 closed='' by_group=''
    IFS=$nl
    for line in $stats; do
        path=$1
        shift
        mode=${line%% *} line=${line#* }
        stamp=${line%% *} line=${line#* }
        size=${line%% *}
        case $mode in
        8???) ;;
        4???)
            case "$above$passed " in
            *" $path "*)
                # Not everybody may enter it: an access control list may still let etcd in.
                case $mode in *[02468ace]) closed="$closed $path" ;; esac
                # Of its group and of everybody, one alone may.
                case $mode in *[13578ace]) by_group=yes ;; esac
                ;;
            esac
            continue
            ;;
        *) continue ;;
        esac
        case $size in '' | *[!0-9]*) continue ;; esac
        case $hashed in
        *" $path "*)
            [ "$size" -gt "$hash_limit" ] || hash="$hash $path"
            ;;
        esac
        case $shown in
        *" $path "*)
            [ "$size" -gt "$text_limit" ] || show="$show $path" total=$((total + size))
            ;;
        esac
        case " $binaries " in
        *" $path "*)
            case $installed in
            *"$nl$path $stamp$nl"*) ;;
            *) hash="$hash $path" ;;
            esac
            ;;
        esac
    done
    unset IFS
    [ -z "$closed" ] || { listed=$(getfacl -pE -- $closed) && say acls "$listed"; }
    # systemd gives a process all groups of its account.
    [ -z "$by_group" ] || for account in $accounts; do say "groups:$account" "$(id -Gn -- "$account")"; done
    [ -z "$hash" ] || say sha256 "$(sha256sum -- $hash)"
    [ -n "$show" ] || return 0
    texts=$(cat -- $show && echo .)
    # A shell drops NUL, and every text after it would begin too early.
    if [ "${#texts}" -ne $((total + 1)) ]; then
        texts=$(cat -- $show | tr '\0' '\1' && echo .)
    fi
    say shown "$show"
    say texts "${texts%.}"
}

# Clusters that are formed here, or may be: by our marker, by the witness of a quorum, by a unit that joins one, or by
# a log that no unit is about to witness one for.
markers() {
    IFS=,
    # shellcheck disable=SC2086
    set -- $records
    unset IFS
    found=
    set +f
    for dir in "$1"/*/; do
        dir=${dir%/}
        cluster=${dir##*/}
        if [ ! -e "$dir/marker" ] && [ ! -e "$dir/quorum-seen" ]; then
            if [ -e "$3/etcd-$cluster.service" ]; then
                grep -q -e '--initial-cluster-state=existing' "$3/etcd-$cluster.service" || continue
            else
                for log in "$2/$cluster/member/wal"/*.wal; do [ ! -e "$log" ] || break; done
                [ -e "$log" ] || continue
            fi
        fi
        found="$found$cluster$nl"
    done
    set -f
    say marked "$found"
}

# shellcheck disable=SC2086
units() {
    set --
    for word in $members; do
        member "$word"
        set -- "$@" "$unit"
    done
    [ -z "$kubelet" ] || set -- "$@" "$kubelet"
    [ "$#" -gt 0 ] || return 0
    units=$(systemctl show \
        -p Id,LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,DropInPaths,MainPID,InvocationID,NRestarts,ExecMainStartTimestampMonotonic \
        -- "$@" 2>&1)
    say units "$? $units"
}

# An etcd without a quorum does not answer, so each question has its time; both at once take it once.
# A program that ends at once needs neither threads nor its garbage collected.
ask() {
    exec env -i GOMAXPROCS=1 GOGC=off timeout 5 "$etcdctl" --endpoints="$url" --cacert="$cacert" --cert="$cert" --key="$key" \
        --dial-timeout=2s --command-timeout=3s "$@" -w json 2>&1
}

# Where the process listens, which is not where it is wanted after a change in the inventory: $url becomes its
# address on the loopback interface, or else its first. The shell leaves out the NUL between the arguments.
listens() {
    words=
    IFS= read -r words <"/proc/$pid/cmdline"
    case $words in *--listen-client-urls=*) ;; *) return ;; esac
    urls=${words#*--listen-client-urls=}
    urls=${urls%%--*}
    case $urls in '' | *[!][0-9A-Fa-f.:htps/,]*) return ;; esac
    case ,$urls, in
    *",$url,"*) return ;;
    *,https://127.0.0.1:*)
        urls=${urls#*https://127.0.0.1:}
        url=https://127.0.0.1:${urls%%,*}
        ;;
    ,https://*) url=${urls%%,*} ;;
    esac
}

# Whether the host still has the address at which the process listens for peers, where the inventory has another one.
stays() {
    case $words in *--listen-peer-urls=https://*) ;; *) return ;; esac
    at=${words#*--listen-peer-urls=https://}
    at=${at%%--*}
    at=${at%:*} at=${at#[}
    at=${at%]}
    case $at in '' | *[!0-9A-Fa-f.:]*) return ;; esac
    case " $own " in *" $at "*) return ;; esac
    case $(ip -oneline route get "$at" 2>/dev/null) in "local "*) say "stays:$name" "$at" ;; esac
}

etcd() {
    if [ ! -x "$etcdctl" ]; then
        set +f
        for etcdctl in "$releases"/*/etcdctl; do :; done
        set -f
    fi
    [ -x "$etcdctl" ] || return 0
    { (ask endpoint status); printf '\n%s\n' "$?"; } | {
        listed=$({ (ask member list); printf '\n%s\n' "$?"; } | head -c "$answer_limit")
        status=$(head -c "$answer_limit")
        say "status:$name" "$status"
        say "members:$name" "$listed"
        # etcd 3.4 shows whether its authentication is on only at a login. No user has this name.
        if is_of_3_4; then
            say "stranger:$name" "$({ (ask --user=quorate-asks-whether-authentication-is-on:none \
                get /quorate/proof --consistency=s --keys-only); printf '\n%s\n' "$?"; } | head -c "$answer_limit")"
        fi
        # Whether etcd's own authentication lets us read concerns the whole cluster, so the leader alone is
        # asked. It answers by itself, without a quorum.
        leads || return 0
        say "read:$name" "$({ (ask get /quorate/proof --consistency=s --keys-only); printf '\n%s\n' "$?"; } |
            head -c "$answer_limit")"
    }
}

# Whether $status is of a member of etcd 3.4.
is_of_3_4() {
    [ "${#status}" -le 4096 ] || return 1
    case $status in
    *'"version":"3.4.'*) ;;
    *) return 1 ;;
    esac
}

# Whether $status names its own member as the leader. A shell searches long texts slowly, and no status is long.
leads() {
    [ "${#status}" -le 4096 ] || return 1
    own=${status#*'"member_id":'}
    own=${own%%[!0-9]*}
    case $own,$status in
    ,*) return 1 ;;
    *'"leader":'"$own"[!0-9]*) ;;
    *) return 1 ;;
    esac
}

# The last words of a pod that should run and does not, from the kubelet's log of its container.
words_of_pod() {
    case $block in *"${nl}LoadState=loaded"*) return 0 ;; esac
    logs=${boot%%,*} logs=${logs%/etc/systemd/system}/var/log/pods
    [ -f "${boot##*,}/etcd-$name.yaml" ] && [ -d "$logs" ] || return 0
    name_pod "$logs" "etcd-$name"
    log=$(newest_pod_log "$logs")
    [ -n "$log" ] || return 0
    said=$(tail -n 30 -- "$log" | sed 's/^[^ ]* std[a-z]* [FP] //')
    say "words:$name" "$(printf %s "$said" | tail -c 16384)"
}

# What runs: its arguments, and what it says itself.
running() {
    rest="$units$nl$nl"
    for word in $members; do
        member "$word"
        block="$nl${rest%%"$nl$nl"*}" rest=${rest#*"$nl$nl"}
        case $block in
        *"${nl}ActiveState=activating"* | *"${nl}ActiveState=failed"*)
            # A journal of many gigabytes is read backwards through all of its files.
            said=$(timeout 2 journalctl -u "$unit" -n 30 -o cat --no-pager)
            [ "$?" != 124 ] || say "words-cut:$name" yes
            say "words:$name" "$(printf %s "$said" | tail -c 16384)"
            ;;
        esac
        pid=${block##*"$nl"MainPID=}
        pid=${pid%%"$nl"*}
        pod=
        for holder in $holders; do
            case $holder in
            "$name=$pid") ;;
            "$name="*) pod=${holder#*=} ;;
            esac
        done
        if [ -n "$pod" ]; then
            say "pod:$name" "$pod $(tr '\000' '\n' <"/proc/$pod/environ" | sed -n 's/^QUORATE_MANIFEST=//p')"
            # Names alone: a value may be secret.
            say "pod-settings:$name" "$(tr '\000' '\n' <"/proc/$pod/environ" | sed -n 's/^\(ETCD_[A-Z0-9_]*\)=.*/\1/p')"
        else
            say "pod:$name" ''
        fi
        case $pid in
        0 | '' | *[!0-9]*)
            pid=$pod
            if [ -z "$pid" ]; then
                words_of_pod
                continue
            fi
            ;;
        esac
        say "argv:$name" "$(base64 -w 0 "/proc/$pid/cmdline")"
        listens
        stays
        while IFS= read -r line; do
            case $line in Uid:*) say "uid:$name" "${line#Uid:}" ;; esac
        done <"/proc/$pid/status"
        # The process may see the folder that was there when it started.
        # shellcheck disable=SC3013 # dash and bash have it.
        if [ -d "/proc/$pid/root$folder" ] && [ ! "/proc/$pid/root$folder" -ef "$folder" ]; then
            say "folder:$name" replaced
        fi
        etcd
    done
    [ -z "$kubelet" ] || who_runs_pods
}

# Where the kubelet is, and the folder whose pods it runs: from its command line, or from the file that
# is named there.
who_runs_pods() {
    say kubelet-program "$(command -v kubelet)"
    block="$nl$rest"
    pid=${block##*"$nl"MainPID=}
    pid=${pid%%"$nl"*}
    case $pid in 0 | '' | *[!0-9]*) return ;; esac
    folder='' config='' before=''
    IFS=$nl
    for line in $(tr '\000' '\n' <"/proc/$pid/cmdline"); do
        case $before in
        --config) config=$line ;;
        --pod-manifest-path) folder=$line ;;
        esac
        case $line in
        --config=*) config=${line#*=} ;;
        --pod-manifest-path=*) folder=${line#*=} ;;
        esac
        before=$line
    done
    unset IFS
    if [ -z "$folder" ] && [ -n "$config" ]; then
        folder=$(sed -n "s/^staticPodPath: *[\"']*\([^\"' ]*\).*/\1/p" "$config")
    fi
    say kubelet-folder "$folder"
}

machine
accounts
units
drop_ins
room
processes
network
markers
at_boot
manifests
# Before the data: a member that answers has its log, and one that is just starting may not yet.
running
data
files
say clock-last "$(date +%s.%N)"
