# shellcheck shell=sh
# The guards: what must hold on this host at this moment, or the step does nothing. `guard` says which, and its own
# arguments what it looks at; without one nothing is looked at.
#
#   host-is-free    guard_file guard_site      the file that names the owning site is absent, or names this one
#   never-formed    guard_marker guard_witness neither exists: the member here never was in a quorum
#   file-is         guard_file guard_digests   the file has one of these sha256; the word `absent` is a digest too
#   has-log         guard_log                  the directory holds a write-ahead log
#   others-healthy  guard_asked guard_places   so many of these members are healthy, see members.sh; for each cluster
#                                              a line "NEEDED CLUSTER_ID ETCDCTL CACERT CERT KEY" and one "ENDPOINT…"
#   has-log-or-never-formed                    guard_log, guard_marker and guard_witness

host_is_free() {
    [ -e "$1" ] || return 0
    owner=$(head -c 256 "$1")
    [ "$owner" = "$2" ] || refuse "the host belongs to site $owner"
}

never_formed() {
    [ ! -e "$1" ] || refuse "$1 says that the cluster is formed"
    [ ! -e "$2" ] || refuse "$2 says that the member has been in a quorum"
}

file_is() {
    if [ -e "$1" ] || [ -L "$1" ]; then
        found=$(sha256sum <"$1")
        found=${found%% *}
    else
        found=absent
    fi
    case " $2 " in
    *" $found "*) ;;
    *) refuse "$1 has changed since the plan was made" ;;
    esac
}

# log_in WAL_DIR: whether it holds a write-ahead log.
log_in() {
    for log in "$1"/*.wal; do
        [ -e "$log" ] && return 0
    done
    return 1
}

# others_healthy LINES LINES: no path or URL of ours holds a blank.
others_healthy() {
    lines=$1 places=$2
    while [ -n "$lines" ]; do
        # shellcheck disable=SC2086
        set -- ${lines%%"$line_end"*}
        needed=$1
        shift
        # waits 80 s: eight others, together and then each, with etcdctl's own five seconds
        # shellcheck disable=SC2086
        healthy_among "$@" ${places%%"$line_end"*}
        [ "$healthy" -ge "$needed" ] ||
            refuse "$healthy of the other members are healthy, but $needed must be: $unfit"
        case $lines in
        *"$line_end"*) lines=${lines#*"$line_end"} places=${places#*"$line_end"} ;;
        *) lines= ;;
        esac
    done
}

check_guard() {
    case $guard in
    '') ;;
    others-healthy) others_healthy "$guard_asked" "$guard_places" ;;
    host-is-free) host_is_free "$guard_file" "$guard_site" ;;
    never-formed) never_formed "$guard_marker" "$guard_witness" ;;
    file-is) file_is "$guard_file" "$guard_digests" ;;
    has-log) log_in "$guard_log" || refuse "$guard_log holds no write-ahead log" ;;
    has-log-or-never-formed) log_in "$guard_log" || never_formed "$guard_marker" "$guard_witness" ;;
    *) fail "there is no guard $guard" ;;
    esac
}
