# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY ENDPOINT MARKER: prints the digest of the marker, or `absent`, its text on
# one line, then what the member says of itself.

takes 'etcdctl cacert cert key endpoint marker' "$@"

if [ -e "$marker" ]; then
    digest=$(sha256sum <"$marker")
    printf '%s\n%s\n' "${digest%% *}" "$(tr '\n' ' ' <"$marker")"
else
    printf 'absent\n\n'
fi
# waits 7 s
said=$(env -i "$etcdctl" --cacert="$cacert" --cert="$cert" --key="$key" --endpoints="$endpoint" \
    --dial-timeout=2s --command-timeout=5s -w json endpoint status 2>&1) ||
    { printf 'failed the member does not report its cluster id\n%s\n' "$said"; exit 1; }
printf '%s\n' "$said"
already
