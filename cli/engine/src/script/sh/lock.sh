# shellcheck shell=sh disable=SC2034
# The lock of a host: a file of `KEY VALUE` lines. It outlives its holders, so that the generation only
# ever grows. `until` is in seconds since `boot`, by the host's own clock, which nobody can set.

# read_lock FILE: into generation, nonce, until, boot, owner, since, why.
read_lock() {
    generation=0 nonce=- until=0 boot=- owner=nobody since=- why=-
    [ -e "$1" ] || return 0
    # The last line of a whole file says why.
    generation='' until='' why=''
    while IFS=' ' read -r key value; do
        case $key in
        generation) generation=$value ;;
        nonce) nonce=$value ;;
        until) until=$value ;;
        boot) boot=$value ;;
        owner) owner=$value ;;
        since) since=$value ;;
        why) why=$value ;;
        esac
    done <"$1"
    # A value that is not a number that a shell can count with may be another run's.
    for number in "$generation" "$until" "${why:+1}"; do
        case $number in
        '' | 0?* | *[!0-9]* | ????????????????*)
            fail "$1 is not a valid lock file: look at it, and remove it if no apply is running"
            ;;
        esac
    done
}

# write_lock FILE: from the same.
write_lock() {
    begin_file "$1"
    printf '%s\n' "generation $generation" "nonce $nonce" "until $until" "boot $boot" \
        "owner $owner" "since $since" "why $why" >"$work"
    end_file "$1" 600 root:root
}

booted() { cat /proc/sys/kernel/random/boot_id; }
# When this very process started, in hundredths of a second since the kernel's boot: /proc/uptime may be a
# container's own.
uptime_seconds() { echo "$(($(cut -d' ' -f22 /proc/self/stat) / 100))"; }

# alone FILE: no step runs on this host while this script does. Steps have the file open as 9, see
# fence.sh.
alone() {
    (umask 077 && mkdir -p "${1%/*}")
    exec 7>>"$1.flock"
    flock -w 20 7 || refuse "a script of another run is still running on this host"
}

# outlive FILE CHECK [WHOSE]: the same if CHECK finds that no other run has the lock: no run listens any more to what
# still runs here, a script of WHOSE. Most of it is over in a moment. What is not would hold us up; being killed
# anywhere does it no harm.
outlive() {
    (umask 077 && mkdir -p "${1%/*}")
    exec 7>>"$1.flock"
    rounds=0
    while ! flock -w 5 7; do
        [ "$rounds" -lt 4 ] || refuse "a script of ${3:-another run} is still running on this host"
        rounds=$((rounds + 1))
        # Another run may have taken the lock and started meanwhile. None takes it while we look and end.
        exec 8>>"$1.change"
        if flock -w 5 8; then
            "$2"
            end_steps "$1"
        fi
        exec 8>&-
    done
}

# changing FILE: no other run changes the lock's file meanwhile.
changing() {
    exec 8>>"$1.change"
    flock -w 20 8 || refuse "somebody else is changing the lock of this host"
}

# end_steps FILE: kills every step that runs on this host, with all that it began.
end_steps() {
    for open in /proc/[0-9]*/fd/9; do
        if [ "$(readlink "$open" || true)" = "$1.flock" ]; then
            process=${open#/proc/}
            kill -9 "${process%%/*}" || true
        fi
    done 2>/dev/null
}

# is_held: whether a run holds the lock that was read, at this moment, and for how many seconds: $left. A run
# lives on while its host reboots: it has a lease's time from the boot on to come back.
is_held() {
    here=$(booted) || fail "can't read the host's boot id"
    uptime=$(uptime_seconds) || fail "can't read the host's uptime"
    if [ "$boot" = "$here" ]; then
        left=$((until - uptime))
    elif [ "$until" != 0 ]; then
        left=$((60 - uptime))
    else
        left=0
    fi
    [ "$left" -gt 0 ]
}
