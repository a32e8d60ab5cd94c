# shellcheck shell=sh
# MOVES, a line for where from and one for where to: moves each file out of systemd's sight and makes systemd reload its units.

takes 'moves' "$@"

moved=no
while IFS= read -r from && IFS= read -r to; do
    if [ -e "$from" ] || [ -L "$from" ]; then
        parents_of "$to"
        # An earlier one of the same name is kept too.
        mv --backup=numbered -T "$from" "$to"
        # Both changes before the sync: a power cut between them would leave an empty folder permanently.
        folder=${from%/*}
        rmdir --ignore-fail-on-non-empty "$folder"
        sync "${to%/*}" "${folder%/*}"
        moved=yes
    fi
done <<MOVES
$moves
MOVES
[ "$moved" = yes ] || already
systemctl daemon-reload
changed
