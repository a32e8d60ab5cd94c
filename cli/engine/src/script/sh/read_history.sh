# shellcheck shell=sh
# JOURNAL LINES BYTES: its last lines, and of these the last bytes. The first line may be cut off.

[ -e "$1" ] || already
tail -n "$2" "$1" | tail -c "$3"
already
