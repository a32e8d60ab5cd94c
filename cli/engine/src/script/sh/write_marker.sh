# shellcheck shell=sh
# FILE DIGEST, payload: the marker's text. DIGEST is what FILE was when its text was judged.

takes 'file digest' "$@"

file_is "$file" "$digest"
begin_file "$file"
recv "$blob1" >"$work"
arrived
is_written "$file" 600 root:root && already
end_file "$file" 0600 root:root
changed
