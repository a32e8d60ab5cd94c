# shellcheck shell=sh
# Runs `$@`, and answers with its exit status, its stdout and its stderr, in base64 because both
# may hold any bytes. They wait in memory, and go however this ends: keys and values may be secrets.
# Nothing of the host's environment reaches etcdctl, and it does not outlive our waiting for it.

dir=$(mktemp -d /run/quorate-etcdctl.XXXXXX) || exit 125
trap 'rm -rf "$dir"' EXIT
trap 'exit 125' HUP INT PIPE TERM
# waits 600 s: a dump of a large key space is slow; nothing that only asks takes longer
env -i timeout 600 "$@" >"$dir/out" 2>"$dir/err" </dev/null
printf '%s\n' "$?"
base64 -w 0 "$dir/out"
printf '\n'
base64 -w 0 "$dir/err"
