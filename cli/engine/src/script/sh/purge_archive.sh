# shellcheck shell=sh
# Deletes ROOT/CLUSTER/archived/NAME. The member's account owns the folder above and could put
# a link in its place at any moment, so what is deleted is named from inside the folder that was checked.

takes 'root cluster name' "$@"
folder=$root/$cluster/archived
[ -d "$folder" ] || already
[ ! -L "$folder" ] || fail "$folder is a symlink: quorate did not make it"
cd -- "$folder"
[ "$(stat -c %u .)" = 0 ] || fail "$folder does not belong to root: quorate did not make it"
if [ ! -e "./$name" ] && [ ! -L "./$name" ]; then already; fi
# waits 120 s: a disk frees large files slowly
rm -rf --one-file-system -- "./$name"
sync .
changed
