# shellcheck shell=sh
# MANIFEST STATE, payload: the manifest of an API server as it is to be. The one that is there is kept in STATE first, with
# its name, and so is which process runs: the one that must be another afterwards.
#
# The kubelet reads every file of the manifest's folder whose name has no dot in front. So nothing else may appear there,
# and what is new takes its place with one rename.

takes 'manifest state' "$@"

if [ ! -f "$manifest" ] || [ -L "$manifest" ]; then
    refuse "$manifest is not a file"
fi
begin_file "$manifest"
recv "$blob1" >"$work"
arrived
found=$(sha256sum <"$manifest")
if [ "$found" = "$(sha256sum <"$work")" ]; then
    already
fi
found=${found%% *}

parents_of "$state"
own_folder "$state"
kept="$state/manifest-$found"
if [ ! -e "$kept" ]; then
    cp -- "$manifest" "$state/.kept"
    chown root:root "$state/.kept"
    chmod 0600 "$state/.kept"
    sync "$state/.kept"
    mv -fT "$state/.kept" "$kept"
fi
printf '%s\n' "$kept" >"$state/.before"
api_servers >"$state/.replaced"
sync "$state/.before" "$state/.replaced"
mv -fT "$state/.before" "$state/before"
mv -fT "$state/.replaced" "$state/replaced"
sync "$state"

chown --reference="$manifest" "$work"
chmod --reference="$manifest" "$work"
sync "$work"
mv -fT "$work" "$manifest"
work=
lasts "$manifest"
changed
