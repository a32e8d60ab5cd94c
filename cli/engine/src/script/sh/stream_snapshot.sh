# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY ENDPOINT: sends a snapshot of the member at ENDPOINT to file descriptor 3 and answers with
# etcdctl's exit status and its last words.
#
# It goes through a pipe, so that nothing of it touches a disk. etcdctl writes NAME.part and renames that, which is
# why NAME must never be /dev/stdout. A pipe can't be fsynced, so etcdctl fails with status 5 after it has written
# everything. Its checksum tells the reader whether it is whole.

takes 'etcdctl cacert cert key endpoint' "$@"
# A member that is defragmented under the stream does not answer until it ends: defragment.sh needs this to run alone.
if [ -e "${key%/current/*}" ]; then
    exec 6<"${key%/current/*}"
    # waits 20 s
    flock -s -w 20 6 || refuse "the member is being defragmented: try again when it is done"
fi
trap 'exit 1' HUP INT PIPE TERM
work=$(mktemp -d /run/quorate-snapshot.XXXXXX)
mkfifo "$work/s.part"
cat <"$work/s.part" >&3 &
reader=$!
# Held open for writing: the reader sees the end only below, even if etcdctl dies before it opens the pipe. Not for
# reading: if the reader dies, etcdctl must not wait for it.
exec 4>"$work/s.part"
status=0
# waits 14400 s: a large database over a slow line; a member that falls silent ends etcdctl within seconds
env -i timeout 14400 "$etcdctl" --cacert="$cacert" --cert="$cert" --key="$key" --endpoints="$endpoint" \
    --dial-timeout=5s snapshot save "$work/s" >"$work/said" 2>&1 </dev/null 3>&- 4>&- || status=$?
exec 4>&- 3>&-
wait "$reader" || fail "the snapshot could not be sent"
printf 'status %s\n' "$status"
tail -c 4000 "$work/said"
echo
already
