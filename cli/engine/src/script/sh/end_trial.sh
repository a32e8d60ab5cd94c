# shellcheck shell=sh
# PKI_DIR UNTRIED keep|restore: ends the trial of the certificates in use. `restore` brings back the generation that was
# proven last, if it still exists, with one rename of `current`.

pki=$1 untried=$2

[ -e "$untried" ] || already
if [ "$3" = restore ]; then
    proven=$(cat "$untried")
    case $proven in
    '' | */* | .*) fail "there are no earlier certificates to restore" ;;
    esac
    [ -f "$pki/$proven/manifest" ] || fail "$pki/$proven is gone, so there is nothing to restore"
    swept "$pki/current"
    link=$(mktemp -u "$pki/.quorate-current.XXXXXX")
    ln -sT "$proven" "$link"
    mv -fT "$link" "$pki/current"
    sync "$pki"
fi
rm -f -- "$untried"
sync "$pki"
changed
