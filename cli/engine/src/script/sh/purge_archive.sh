# shellcheck shell=sh
# Deletes ROOT/CLUSTER/archived/NAME, unless RECORD says that a restore is not finished. The member's account owns the folder above and could put
# a link in its place at any moment, so what is deleted is named from inside the folder that was checked.

takes 'root cluster name record' "$@"
if [ -e "$record" ] || [ -L "$record" ]; then
    refuse "a restore of cluster $cluster is not finished, and this may be the only copy: quorate plan says how to finish it"
fi
folder=$root/$cluster/archived
[ -d "$folder" ] || already
[ ! -L "$folder" ] || fail "$folder is a symlink: quorate did not make it"
cd -- "$folder"
[ "$(stat -c %u .)" = 0 ] || fail "$folder does not belong to root: quorate did not make it"
if [ ! -e "./$name" ] && [ ! -L "./$name" ]; then already; fi
# waits 130 s: a disk frees large files slowly, and the journal may be in use
rm -rf --one-file-system -- "./$name"
sync .
changed
