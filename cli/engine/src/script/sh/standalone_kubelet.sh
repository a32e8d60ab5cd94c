# shellcheck shell=sh
# UNIT DROP_IN CONFIG MANIFESTS, payload: the drop-in and the configuration. The kubelet runs by them, also
# after a reboot. With another cgroup driver it ends every pod of the host.

takes 'unit drop_in config manifests' "$@"

one=$(recv "$blob1" && echo .) two=$(recv "$blob2" && echo .)
arrived

# is_so PATH TEXT: whether PATH is root's file of TEXT, whose last character is not of it.
is_so() {
    [ -f "$1" ] && [ ! -L "$1" ] && [ "$(stat -c '%a %U:%G' "$1")" = '644 root:root' ] &&
        [ "$(cat "$1" && echo .)" = "$2" ]
}

moved=no
(umask 022 && mkdir -p "$manifests")
if ! is_so "$drop_in" "$one" || ! is_so "$config" "$two"; then
    # A run that is killed between the files and the start leaves a kubelet that is seen to be down, and not
    # one that runs by what the files no longer say. Its containers continue without it.
    # waits 90 s: systemd's own time for a stop
    systemctl stop "$unit"
    parents_of "$drop_in"
    put_text "$drop_in" 644 "$one"
    parents_of "$config"
    put_text "$config" 644 "$two"
    systemctl daemon-reload
    moved=yes
fi
if [ "$(of_unit "$unit" NeedDaemonReload)" = yes ]; then
    systemctl daemon-reload
    moved=yes
fi
[ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" = enabled ] || {
    systemctl enable --quiet "$unit"
    moved=yes
}
pid=$(of_unit "$unit" MainPID)
if [ "$(of_unit "$unit" ActiveState)" != active ] ||
    ! tr '\000' '\n' <"/proc/$pid/cmdline" | grep -qxF -- "--config=$config"; then
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
