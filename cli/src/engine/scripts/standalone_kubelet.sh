# shellcheck shell=sh
# UNIT DROP_IN CONFIG MANIFESTS, payload: the drop-in and the configuration. The kubelet runs by them, also
# after a reboot. Containers that run stay as they are.

unit=$1 drop_in=$2 config=$3 manifests=$4

one=$(recv "$blob1" && echo .) two=$(recv "$blob2" && echo .)
arrived

moved=no
(umask 022 && mkdir -p "$manifests")
parents_of "$drop_in"
put_text "$drop_in" 644 "$one"
parents_of "$config"
put_text "$config" 644 "$two"
[ "$moved" = no ] || systemctl daemon-reload
[ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" = enabled ] || {
    systemctl enable --quiet "$unit"
    moved=yes
}
if [ "$moved" = yes ] || [ "$(of_unit "$unit" ActiveState)" != active ]; then
    systemctl reset-failed "$unit" 2>/dev/null || true
    # waits 90 s: systemd's own time for a stop
    systemctl restart "$unit" || true
    moved=yes
fi
[ "$moved" = yes ] || already

# It is there at once and gone again where it can't read its configuration or reach the containers.
# waits 3 s
tries=0
while [ "$tries" -lt 15 ]; do
    tries=$((tries + 1))
    sleep 0.2
    [ "$(of_unit "$unit" ActiveState)" = active ] || break
done
if [ "$(of_unit "$unit" ActiveState)" != active ]; then
    printf 'failed %s does not run\n' "$unit"
    journal_of "$unit"
    exit 1
fi
changed
