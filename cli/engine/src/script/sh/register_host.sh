# shellcheck shell=sh
# FILE SITE: writes the name of the site that owns this host.

takes 'file site' "$@"

root=${file%/*}
parents_of "$root"
[ -d "$root" ] || mkdir -m 0700 "$root"
# A run that was killed after the link left the other name of the file.
swept "$file"
[ ! -e "$file" ] || already

begin_file "$file"
printf '%s\n' "$site" >"$work"
chmod 0600 "$work"
sync "$work"
# Of two sites that register at once, only one can create the link.
if ! said=$(ln -T "$work" "$file" 2>&1); then
    [ -e "$file" ] || fail "can't link $file: $said"
    host_is_free "$file" "$site"
    already
fi
lasts "$file"
changed
