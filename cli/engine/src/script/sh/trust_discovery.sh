# shellcheck shell=sh
# CA_FILE PASSWORD_FILE, payload: the CA and the password's line. An empty path is a file that is not
# wanted.

takes 'ca_file password_file' "$@"

ca=$(recv "$blob1" && echo .) line=$(recv "$blob2" && echo .)
arrived

moved=no
[ -z "$ca_file" ] || put_text "$ca_file" 644 "$ca"
[ -z "$password_file" ] || put_text "$password_file" 600 "$line"
[ "$moved" = yes ] || already
changed
