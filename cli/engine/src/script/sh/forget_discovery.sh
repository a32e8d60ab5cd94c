# shellcheck shell=sh
# FILE…: removes them.

moved=no
for file in "$@"; do
    if [ -e "$file" ]; then
        rm -f -- "$file"
        sync "${file%/*}"
        moved=yes
    fi
done
[ "$moved" = yes ] || already
changed
