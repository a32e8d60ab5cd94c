# shellcheck shell=sh
# UNIT POD: what the member said last.

words_of "$1" "$2"
already
