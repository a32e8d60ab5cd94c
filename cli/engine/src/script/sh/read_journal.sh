# shellcheck shell=sh
# UNIT POD: what the member said last.

takes 'unit pod' "$@"
words_of "$unit" "$pod"
already
