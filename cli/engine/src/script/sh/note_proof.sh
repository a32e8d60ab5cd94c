# shellcheck shell=sh
# FILE MINOR: notes that the change to MINOR is not proven yet. prove_version.sh takes the note back.

takes 'file minor' "$@"

moved=
put_text "$file" 600 "$minor$line_end."
[ -n "$moved" ] || already
changed
