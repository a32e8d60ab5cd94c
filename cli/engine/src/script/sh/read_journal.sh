# shellcheck shell=sh
# UNIT POD: the last log lines of the member.

takes 'unit pod' "$@"
words_of "$unit" "$pod"
already
