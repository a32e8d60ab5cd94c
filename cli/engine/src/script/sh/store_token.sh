# shellcheck shell=sh
# FILE, payload: the bootstrap token.

takes 'file' "$@"

begin_file "$file"
recv "$blob1" >"$work"
arrived
is_written "$file" 600 root:root && already
end_file "$file" 0600 root:root
changed
