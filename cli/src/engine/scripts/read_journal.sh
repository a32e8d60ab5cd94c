# shellcheck shell=sh
# UNIT: the end of its journal.

journal_of "$1"
already
