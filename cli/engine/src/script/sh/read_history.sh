# shellcheck shell=sh
# FILE LINES BYTES: its last lines, and of these the last bytes. The first line may be cut off.

takes 'file lines bytes' "$@"
[ -e "$file" ] || already
tail -n "$lines" "$file" | tail -c "$bytes"
already
