# shellcheck shell=sh
# (PATH MODE OWNER:GROUP)…: the directories are there and are theirs alone to whom they belong.

moved=no
while [ $# -gt 0 ]; do
    path=$1 mode=$2 owner=$3
    shift 3
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
done
[ "$moved" = yes ] || already
changed
