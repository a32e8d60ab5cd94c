# shellcheck shell=sh
# UNIT FILE: notes which start of the unit is to be followed by another one. A process that was started
# later is not affected, so the note never has to be removed.

takes 'unit file' "$@"

start=$(of_unit "$unit" InvocationID)
[ -n "$start" ] || already
# systemd may start one that ends again and again at any moment, before its settings are right: that start is
# meant too. start_member.sh takes such a note back.
case $(of_unit "$unit" SubState) in
auto-restart*) start="$start $(of_unit "$unit" NRestarts)" ;;
esac
begin_file "$file"
printf '%s\n' "$start" >"$work"
is_written "$file" 600 root:root && already
end_file "$file" 0600 root:root
changed
