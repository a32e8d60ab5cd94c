# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY ENDPOINT TOOL ETCD CLIENT FOLDER UNIT MOST: saves a snapshot of the member at ENDPOINT on this
# host, starts an etcd from it, and only then sends it to file descriptor 3. Answers as stream_snapshot.sh does, and then
# as try_snapshot.sh. ETCDCTL asks the member, and CLIENT the etcd that is started.

takes 'etcdctl cacert cert key endpoint tool etcd client folder unit most' "$@"
tools="$etcdctl $cacert $cert $key"

# shellcheck disable=SC2086
said=$(ask $tools --endpoints="$endpoint" endpoint status 2>&1) ||
    fail "the member does not answer: $(printf '%s\n' "$said" | tail -n 1)"
size=$(printf '%s\n' "$said" | field DBSize)
is_number "$size" || fail "the member does not say how large its database is"
begin_trial "$size"
# See stream_snapshot.sh.
if [ -e "${key%/current/*}" ]; then
    exec 6<"${key%/current/*}"
    # waits 20 s
    flock -s -w 20 6 || refuse "the member is being defragmented: try again when it is done"
fi
# waits 14405 s: as for a stream
env -i GOMAXPROCS=1 timeout 14400 "$etcdctl" --cacert="$cacert" --cert="$cert" --key="$key" --endpoints="$endpoint" \
    --dial-timeout=5s snapshot save "$work/db" >"$work/words" 2>&1 </dev/null 3>&- ||
    fail "etcdctl could not save a snapshot: $(tail -n 1 "$work/words")"
exec 6<&-
etcdctl=$client
try_it 3>&-
cat "$work/db" >&3 || fail "the snapshot could not be sent"
exec 3>&-
echo 'status 0'
head -c 65536 "$work/said"
already
