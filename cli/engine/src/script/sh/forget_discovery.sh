# shellcheck shell=sh
# CA_FILE PASSWORD_FILE: removes them.

takes 'ca_file password_file' "$@"

moved=no
take_away "$ca_file"
take_away "$password_file"
[ "$moved" = yes ] || already
changed
