# shellcheck shell=sh
# CA_FILE PASSWORD_FILE: removes them.

takes 'ca_file password_file' "$@"

moved=no
for file in "$ca_file" "$password_file"; do
    if [ -e "$file" ]; then
        rm -f -- "$file"
        sync "${file%/*}"
        moved=yes
    fi
done
[ "$moved" = yes ] || already
changed
