# shellcheck shell=sh
# UNIT DATA_DIR TOKEN MARKER WITNESS MANIFEST END KEPT: takes a bootstrap that never had a quorum off this host.
# Its data is kept in the data directory, below `archived`, and nothing else there is touched.

takes 'unit data token marker witness manifest end_seconds kept' "$@"

moved=no
# What systemd does not say is no sign that nothing runs.
loaded=$(of_unit "$unit" LoadState)
if [ "$loaded" = loaded ]; then
    state=$(of_unit "$unit" ActiveState)
    if [ "$state" != inactive ] && [ "$state" != failed ]; then
        # waits 90 s: systemd's own time for a stop
        systemctl stop "$unit"
        moved=yes
    fi
    # It may have found its quorum until it stopped.
    if [ -e "$marker" ] || [ -e "$witness" ]; then
        [ "$moved" = no ] || systemctl start --no-block "$unit"
        never_formed "$marker" "$witness"
    fi
    # A reboot before the next step must not begin the old bootstrap again.
    [ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" != enabled ] ||
        systemctl disable --quiet "$unit"
fi

running=$(etcds_of "$data" "$unit")
if [ -e "$manifest" ] || [ -n "$running" ]; then
    kubelet_runs
    if ! take_pod_away "$manifest" "$data" "$unit" "$end_seconds" "$kept"; then
        put_back "$manifest" "$kept"
        fail "$stuck$back"
    fi
    forget_kept "$kept"
    moved=yes
fi

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

# member_of LOG: the id of the member that began the log, which its second record tells: after its length come
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

# The directory itself may be a mount point, and can't be moved.
member=$data/member archive=$data/archived
if [ -e "$member" ] || [ -L "$member" ]; then
    if [ -L "$member" ] || [ ! -d "$member" ]; then
        fail "$member is not a directory"
    fi
    # A mount would go along, and at the next boot be missing where it belongs.
    for dir in "$member" "$member/wal" "$member/snap"; do
        [ ! -d "$dir" ] || [ "$(stat -c %m "$dir")" != "$dir" ] ||
            fail "$dir is a mount point, so $member can't be moved to $archive: empty it yourself"
    done
    if [ -L "$archive" ] || { [ -e "$archive" ] && [ ! -d "$archive" ]; }; then
        fail "$archive is not a directory"
    fi
    [ -d "$archive" ] || mkdir -m 0700 "$archive"
    chown root:root "$archive"
    chmod 0700 "$archive"
    id=
    for log in "$member/wal"/*.wal; do
        [ ! -f "$log" ] || id=$(member_of "$log")
        break
    done
    mv -T "$member" "$archive/$(date -u +%Y%m%dT%H%M%SZ)-${id:-unknown}"
    sync "$archive" "$data"
    moved=yes
fi
# The token goes last: as long as it is there, what is left of the data is known to be ours.
if [ -e "$token" ]; then
    rm -f -- "$token"
    sync "${token%/*}"
    moved=yes
fi
[ "$moved" = yes ] || already
changed
