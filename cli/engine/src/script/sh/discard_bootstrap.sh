# shellcheck shell=sh
# UNIT DATA_DIR TOKEN MARKER WITNESS MANIFEST END KEPT: takes a bootstrap that never had a quorum off this host.
# Its data is kept in the data directory, below `archived`, and nothing else there is touched.

takes 'unit data token marker witness manifest end_seconds kept' "$@"

moved=no
# No answer from systemd does not mean that nothing runs.
loaded=$(of_unit "$unit" LoadState)
if [ "$loaded" = loaded ]; then
    state=$(of_unit "$unit" ActiveState)
    if [ "$state" != inactive ] && [ "$state" != failed ]; then
        # waits 90 s: systemd's own time for a stop
        systemctl stop "$unit"
        moved=yes
    fi
    # It may have found its quorum until it stopped.
    if [ -e "$marker" ] || [ -e "$witness" ]; then
        [ "$moved" = no ] || systemctl start --no-block "$unit"
        never_formed "$marker" "$witness"
    fi
    # A reboot before the next step must not begin the old bootstrap again.
    [ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" != enabled ] ||
        systemctl disable --quiet "$unit"
fi

end_pod "$manifest" "$data" "$unit" "$end_seconds" "$kept"
archive_data "$data"
# The token goes last: as long as it is there, what is left of the data is known to be ours.
take_away "$token"
[ "$moved" = yes ] || already
changed
