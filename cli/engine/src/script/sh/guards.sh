# shellcheck shell=sh
# The guards: what must hold on this host at this moment, or the step does nothing.
#
#   nothing
#   host-is-free  FILE SITE        the file that names the owning site is absent, or names SITE
#   never-formed  MARKER WITNESS   neither exists: the member here never was in a quorum
#   file-is       PATH "DIGEST…"   the file has one of these sha256; the word `absent` is a digest too
#   has-log       WAL_DIR -        the directory holds a write-ahead log
#   others-healthy "NEEDED CLUSTER_ID ETCDCTL CACERT CERT KEY…" "ENDPOINT…"
#                                  so many of these members are healthy, see members.sh; a line of both
#                                  for each cluster
#   has-log-or-never-formed  WAL_DIR "MARKER WITNESS"

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
    *) refuse "$1 is no longer what the plan saw" ;;
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

case $1 in
nothing) ;;
others-healthy) others_healthy "$2" "$3" ;;
host-is-free) host_is_free "$2" "$3" ;;
never-formed) never_formed "$2" "$3" ;;
file-is) file_is "$2" "$3" ;;
has-log) log_in "$2" || refuse "$2 holds no write-ahead log" ;;
has-log-or-never-formed) log_in "$2" || never_formed "${3% *}" "${3#* }" ;;
*) fail "there is no guard $1" ;;
esac
shift 3
