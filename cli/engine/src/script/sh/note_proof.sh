# shellcheck shell=sh
# FILE VERSION: notes that the change to VERSION is not proven yet. prove_version.sh takes the note back.

takes 'file version' "$@"

moved=
put_text "$file" 600 "$version$line_end."
[ -n "$moved" ] || already
changed
