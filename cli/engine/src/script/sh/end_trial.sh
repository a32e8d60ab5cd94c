# shellcheck shell=sh
# PKI UNTRIED HOW, which is keep or restore: ends the trial of the certificates in use. `restore` brings back the generation that was
# proven last, if it still exists, with one rename of `current`.

takes 'pki untried how' "$@"

[ -e "$untried" ] || already
if [ "$how" = restore ]; then
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
