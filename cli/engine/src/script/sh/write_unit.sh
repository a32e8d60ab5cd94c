# shellcheck shell=sh
# UNIT FILE, payload: the unit's text. systemd has read it, and starts it at boot.

takes 'unit file' "$@"

moved=no
begin_file "$file"
recv "$blob1" >"$work"
arrived
if ! is_written "$file" 644 root:root; then
    end_file "$file" 0644 root:root
    moved=yes
fi
# To enable it would have systemd read all units once more: one reading is for both.
if [ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" != enabled ]; then
    systemctl enable --quiet --no-reload "$unit"
    moved=yes
fi
if [ "$moved" = yes ] || [ "$(of_unit "$unit" NeedDaemonReload)" = yes ] ||
    [ "$(of_unit "$unit" LoadState)" != loaded ]; then
    systemctl daemon-reload
    moved=yes
fi
[ "$moved" = yes ] || already
changed
