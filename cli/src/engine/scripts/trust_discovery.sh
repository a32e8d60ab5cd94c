# shellcheck shell=sh
# CA_FILE PASSWORD_FILE, payload: the CA and the password's line. An empty path is a file that is not
# wanted.

ca_file=$1 password_file=$2

# A shell drops line ends at the end of a text.
ca=$(recv "$blob1" && echo .) line=$(recv "$blob2" && echo .)
arrived

moved=no
# put FILE MODE TEXT.
put() {
    begin_file "$1"
    printf %s "${3%.}" >"$work"
    if is_written "$1" "$2" root:root; then
        rm -f -- "$work"
        work=
    else
        end_file "$1" "0$2" root:root
        moved=yes
    fi
}

[ -z "$ca_file" ] || put "$ca_file" 644 "$ca"
[ -z "$password_file" ] || put "$password_file" 600 "$line"
[ "$moved" = yes ] || already
changed
