# shellcheck shell=sh
# What a member leaves on its host is kept in its data directory, below `archived`. Both say in $moved whether
# something was there.

# end_pod MANIFEST DATA_DIR UNIT SECONDS KEPT: takes its pod away, as `take_pod_away` does, or puts it back and fails.
end_pod() {
    running=$(etcds_of "$2" "$3")
    if [ -e "$1" ] || [ -n "$running" ]; then
        kubelet_runs
        if ! take_pod_away "$@"; then
            put_back "$1" "$5"
            fail "$stuck$back"
        fi
        forget_kept "$5"
        moved=yes
    fi
}

# varint BYTE…: a number of a protobuf message, in $number; $left is how many bytes follow it.
varint() {
    number=0 bits=0
    while [ "$#" -gt 0 ]; do
        number=$((number | ($1 & 127) << bits)) bits=$((bits + 7))
        if [ "$1" -lt 128 ]; then
            left=$(($# - 1))
            return 0
        fi
        shift
    done
    return 1
}

# member_of LOG: the id of the member that started the log, from its second record: after its length come
# type 1, a checksum, and as data (26) the ids. What can't be read has no id.
member_of() {
    # shellcheck disable=SC2046
    set -- $(od -An -v -tu1 -j 24 -N 64 "$1")
    [ "$#" -gt 3 ] && [ "$1 $2 $3" = '8 1 16' ] || return 0
    shift 3
    varint "$@" || return 0
    shift $(($# - left))
    [ "$#" -gt 3 ] && [ "$1 $3" = '26 8' ] || return 0
    shift 3
    varint "$@" || return 0
    printf '%x' "$number"
}

# id_in DATA_DIR: the id of the member whose data it is, or nothing.
id_in() {
    for log in "$1/member/wal"/*.wal; do
        [ ! -f "$log" ] || member_of "$log"
        return 0
    done
}

# make_archive DATA_DIR: the folder for what is kept, for root alone.
make_archive() {
    archive=$1/archived
    own_folder "$archive"
}

# archive_data DATA_DIR: sets aside what etcd has there.
archive_data() {
    # The directory itself may be a mount point, and can't be moved.
    member=$1/member archive=$1/archived
    if [ -e "$member" ] || [ -L "$member" ]; then
        if [ -L "$member" ] || [ ! -d "$member" ]; then
            fail "$member is not a directory"
        fi
        # A mount would go along, and at the next boot be missing where it belongs.
        for dir in "$member" "$member/wal" "$member/snap"; do
            [ ! -d "$dir" ] || [ "$(stat -c %m "$dir")" != "$dir" ] ||
                fail "$dir is a mount point, so $member can't be moved to $archive: empty it yourself"
        done
        make_archive "$1"
        id=$(id_in "$1")
        mv -T "$member" "$archive/$(date -u +%Y%m%dT%H%M%SZ)-${id:-unknown}"
        sync "$archive" "$1"
        # shellcheck disable=SC2034 # A snapshot sets nothing aside.
        moved=yes
    fi
}
