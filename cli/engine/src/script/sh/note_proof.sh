# shellcheck shell=sh
# FILE: notes that a change to another minor is not proven yet. prove_version.sh takes the note back.

takes 'file' "$@"

moved=
put_text "$file" 600 "due$line_end."
[ -n "$moved" ] || already
changed
