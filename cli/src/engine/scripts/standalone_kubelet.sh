# shellcheck shell=sh
# UNIT DROP_IN CONFIG MANIFESTS, payload: the drop-in and the configuration. The kubelet runs by them, also
# after a reboot. Containers that run stay as they are.

unit=$1 drop_in=$2 config=$3 manifests=$4

# A shell drops line ends at the end of a text.
one=$(recv "$blob1" && echo .) two=$(recv "$blob2" && echo .)
arrived

moved=no
# put FILE TEXT.
put() {
    parents_of "$1"
    begin_file "$1"
    printf %s "${2%.}" >"$work"
    if is_written "$1" 644 root:root; then
        rm -f -- "$work"
        work=
    else
        end_file "$1" 0644 root:root
        moved=yes
    fi
}

(umask 022 && mkdir -p "$manifests")
put "$drop_in" "$one"
put "$config" "$two"
[ "$moved" = no ] || systemctl daemon-reload
[ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" = enabled ] || {
    systemctl enable --quiet "$unit"
    moved=yes
}
if [ "$moved" = yes ] || [ "$(of_unit "$unit" ActiveState)" != active ]; then
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl restart "$unit" || true
    moved=yes
fi
[ "$moved" = yes ] || already

# It is there at once and gone again where it can't read its configuration or reach the containers.
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
