# shellcheck shell=sh
# MANIFEST: prints it in base64. It may hold secrets: what is read is edited in memory and kept nowhere.

takes 'manifest' "$@"

if [ ! -f "$manifest" ] || [ -L "$manifest" ]; then
    refuse "$manifest is not a file"
fi
[ "$(stat -c %s "$manifest")" -le 262144 ] || refuse "$manifest has more than 256 kB"
printf '%s\n' "$(base64 -w 0 <"$manifest")"
already
