# shellcheck shell=sh
# PKI_DIR GENERATION GROUP UNTRIED at-once|tried FILES, which are NAME MODE OWNER:GROUP of each, payload: the files in that order, then
# their sha256sum lines, the manifest. All of them come into use at once, with one rename of `current`. Where they
# are to be tried, UNTRIED names the generation that was proven last, until they are.

takes 'pki generation group untried swap files' "$@"

swept "$pki/generation"
work=$(mktemp -d "$pki/.quorate-generation.XXXXXX")
# shellcheck disable=SC2086
set -- $files
index=1
while [ "$#" -gt 0 ]; do
    # The transport numbers the blobs.
    eval "length=\$blob$index"
    recv "$length" >"$work/$1"
    chmod "$2" "$work/$1"
    chown "$3" "$work/$1"
    shift 3
    index=$((index + 1))
done
eval "length=\$blob$index"
recv "$length" >"$work/manifest"
arrived
chown root:root "$work/manifest"
chmod 0644 "$work/manifest"
(cd "$work" && sha256sum --check --strict --quiet manifest) ||
    fail "the certificates did not arrive as they were sent"
sync "$work"/*
chown "root:$group" "$work"
chmod 0750 "$work"
sync "$work"
mv -T "$work" "$pki/$generation"
work=
sync "$pki"

previous=
[ ! -L "$pki/current" ] || previous=$(readlink "$pki/current")
# Before they are in use: a run that finds them also finds that they are untested. What follows an untried
# generation falls back to what was before both.
proven=
if [ "$swap" = tried ]; then
    proven=$(cat "$untried" 2>/dev/null) || proven=$previous
    begin_file "$untried"
    printf '%s\n' "$proven" >"$work"
    end_file "$untried" 0644 root:root
fi
swept "$pki/current"
link=$(mktemp -u "$pki/.quorate-current.XXXXXX")
ln -sT "$generation" "$link"
mv -fT "$link" "$pki/current"
[ "$swap" = tried ] || rm -f -- "$untried"
sync "$pki"

# The generation before this one stays: a process that reads a file at this moment finds its other half.
for entry in "$pki"/*; do
    case ${entry##*/} in
    current | "$generation" | "$previous" | "$proven") ;;
    *) [ -L "$entry" ] || [ ! -f "$entry/manifest" ] || rm -rf -- "$entry" ;;
    esac
done
changed
