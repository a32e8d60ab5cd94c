# shellcheck shell=sh
# UNIT FILE: notes which start of the unit is to be followed by another one. A process that was started
# later is not meant, whoever started it, so nobody has to take the note back.

unit=$1 file=$2

start=$(of_unit "$unit" InvocationID)
[ -n "$start" ] || already
begin_file "$file"
printf '%s\n' "$start" >"$work"
is_written "$file" 600 root:root && already
end_file "$file" 0600 root:root
changed
