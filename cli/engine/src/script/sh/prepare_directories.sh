# shellcheck shell=sh
# DIRECTORIES, a line `PATH MODE OWNER:GROUP CONTENTS` for each: the directories exist and belong to exactly these owners, and so
# is what etcd made in CONTENTS, where that is a path and not `-`.

takes 'directories' "$@"

# given PATH OWNER:GROUP: all below PATH belongs to the owner. No link is followed, neither at the end of a path
# nor on the way there, and what is mounted below is left alone.
given() {
    below=$1 whose=$2
    [ -d "$below" ] && [ ! -L "$below" ] || return 0
    set -- "$below" -xdev
    while read -r _ _ _ _ mount _; do
        case $mount in
        "$below"/*[\\*?[]*) fail "a file system with special characters in its path is mounted below $below" ;;
        "$below"/*) set -- "$@" ! -path "$mount" ;;
        esac
    done </proc/self/mountinfo
    set -- "$@" '(' ! -user "${whose%:*}" -o ! -group "${whose#*:}" ')'
    others=$(find "$@" -print -quit)
    [ -n "$others" ] || return 0
    find "$@" -execdir chown -h "$whose" '{}' +
    sync "$below"
    moved=yes
}

moved=no
while read -r path mode owner contents; do
    if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then
        fail "$path is not a directory"
    fi
    if [ ! -d "$path" ]; then
        parents_of "$path"
        mkdir -m 0700 "$path"
    fi
    if [ "$(stat -c '%a %U:%G' "$path")" != "$mode $owner" ]; then
        # The owner first: nobody gets more than the mode gives them in the end.
        chown "$owner" "$path"
        chmod "$mode" "$path"
        sync "$path" "${path%/*}"
        moved=yes
    fi
    [ "$contents" = - ] || given "$contents" "$owner"
done <<DIRECTORIES
$directories
DIRECTORIES
[ "$moved" = yes ] || already
changed
