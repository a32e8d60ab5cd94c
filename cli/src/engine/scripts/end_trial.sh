# shellcheck shell=sh
# PKI_DIR UNTRIED keep|restore: ends the trial of the certificates in use. What failed it gives way to the generation
# that was proven last, with one rename of `current`, where that is still there.

pki=$1 untried=$2

[ -e "$untried" ] || already
if [ "$3" = restore ]; then
    proven=$(cat "$untried")
    case $proven in
    '' | */* | .*) fail "there are no certificates to put back" ;;
    esac
    [ -f "$pki/$proven/manifest" ] || fail "$pki/$proven is gone, so there is nothing to put back"
    swept "$pki/current"
    link=$(mktemp -u "$pki/.quorate-current.XXXXXX")
    ln -sT "$proven" "$link"
    mv -fT "$link" "$pki/current"
    sync "$pki"
fi
rm -f -- "$untried"
sync "$pki"
changed
