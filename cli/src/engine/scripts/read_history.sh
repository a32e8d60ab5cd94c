# shellcheck shell=sh
# JOURNAL LINES: its last lines.

[ -e "$1" ] || already
tail -n "$2" "$1"
already
