# shellcheck shell=sh
# RECORD TOKEN SHA256 RESTORED MARKER VOIDS: removes the record of a restore that is proven, and before it the marker, if
# that names the cluster VOIDS: one that is no more, on the host of a member that was lost.

takes 'record token sha256 restored marker voids' "$@"

[ -e "$record" ] || [ -L "$record" ] || already
prepared
[ "$phase" = placed ] || refuse "the restored data is not in its place"
if [ -d "$restored" ] && [ ! -L "$restored" ]; then
    swept "$restored/restore"
    [ ! -d "$restored/data" ] || rmdir --ignore-fail-on-non-empty "$restored/data"
    rmdir --ignore-fail-on-non-empty "$restored"
fi
if [ -n "$voids" ]; then
    its_id=$(sed -n 's/.*"cluster_id": *"\([0-9a-f]*\)".*/\1/p' "$marker" 2>/dev/null) || its_id=
    [ "$its_id" != "$voids" ] || take_away "$marker"
fi
take_away "$record"
changed
