# shellcheck shell=sh disable=SC2154
# Whether an etcd starts from a snapshot, and what it holds then. TOOL, ETCD and ETCDCTL are of the snapshot's minor,
# FOLDER is where it lies meanwhile, UNIT what runs it, MOST how many seconds that may take.
#
# That etcd belongs to no cluster of ours: it is one of its own, without certificates, in a network that has only its own loopback, under
# an account that exists only for it. Whatever the snapshot does to it, it reaches neither the members nor their files.

# begin_trial BYTES: an empty folder for a snapshot of this size, in $work. Nothing of it stays, however this ends.
begin_trial() {
    (umask 022 && mkdir -p "${folder%/*}")
    own_folder "$folder"
    cd -P -- "$folder"
    exec 7<.
    flock -n 7 || refuse "another backup is being tried on this host"
    # From here on the unit is this run's, or what a killed one left.
    trap 'systemctl stop "$unit" >/dev/null 2>&1 || true; if [ -n "$work" ]; then rm -rf -- "$work"; fi' EXIT
    trap 'exit 1' HUP INT PIPE TERM
    systemctl stop "$unit" >/dev/null 2>&1 || true
    swept ./try
    systemctl reset-failed "$unit" >/dev/null 2>&1 || true
    # The snapshot, as much again for what is restored from it, its first log; and as much again is left to the member,
    # which writes on meanwhile.
    room=$(($(stat -f -c '%a * %S' .))) needed=$((3 * $1 + 268435456))
    [ "$room" -ge "$needed" ] || refuse "this needs $needed bytes in $folder, and $room are free there"
    work=$(mktemp -d ./.quorate-try.XXXXXX)
}

# try_it: starts an etcd from $work/db, and leaves what came of it in $work/said. Only its own folder is handed to it: what
# root reads afterwards, it could not put there. In there, the tool compares the snapshot with its own checksum; leases end
# while etcd runs, and take keys with them, so all is read at the revision of before; and where etcd's own authentication is
# on, only root may ask for more than the revision. (No comment or indent inside: it is sent as it is.)
try_it() {
    cat >"$work/inside" <<'INSIDE'
tool=$1 etcd=$2 etcdctl=$3 outside=$4
tell() { printf 'failed %s\n' "$*"; exit 1; }
network=$(readlink /proc/self/ns/net) || tell "its network can't be told"
[ "$network" != "$outside" ] || tell "systemd gave it no network of its own"
cd /var/lib/quorate-trial || tell "its folder is not there"
export GOMAXPROCS=1 HOME=/
client=http://127.0.0.1:12379 peer=http://127.0.0.1:12380
ask() { "$etcdctl" --endpoints="$client" --dial-timeout=2s --command-timeout=600s "$@" </dev/null; }
said=$("$tool" snapshot restore /var/lib/quorate-snapshot.db --name=trial --initial-cluster="trial=$peer" --initial-cluster-token=trial \
--initial-advertise-peer-urls="$peer" --data-dir=data 2>&1 </dev/null) ||
tell "it could not be restored: $(printf '%s\n' "$said" | tail -n 1)"
said=$("$tool" snapshot status data/member/snap/db -w json 2>/dev/null </dev/null) || tell "its revision could not be read"
revision=$(printf '%s\n' "$said" | sed -n 's/^.*"revision":\([0-9][0-9]*\).*$/\1/p')
[ -n "$revision" ] || tell "its revision could not be read"
"$etcd" --name=trial --data-dir=data --listen-client-urls="$client" --advertise-client-urls="$client" \
--listen-peer-urls="$peer" --initial-advertise-peer-urls="$peer" --initial-cluster="trial=$peer" \
--initial-cluster-token=trial --log-level=error >log 2>&1 </dev/null &
server=$!
until ask endpoint health >/dev/null 2>&1; do
kill -0 "$server" 2>/dev/null || tell "no etcd starts from it: $(tail -n 1 log)"
sleep 1
done
printf 'revision %s\n' "$revision"
keys=$(ask get '' --from-key --keys-only --limit=1 --rev="$revision" -w fields 2>/dev/null |
sed -n 's/^"Count" : \([0-9][0-9]*\)$/\1/p')
[ -z "$keys" ] || printf 'keys %s\n' "$keys"
hash=$(ask endpoint hashkv --rev="$revision" -w json 2>/dev/null) && printf 'hash %s\n' "$hash"
kill "$server" 2>/dev/null || tell "etcd ended while its keys were read: $(tail -n 1 log)"
wait "$server"
echo whole
INSIDE
    # Only root passes the folders above, so nobody else does.
    mkdir -m 0777 "$work/trial"
    chmod 0644 "$work/db"
    its_place=$folder/${work#./}
    memory=$(($(sed -n 's/^MemAvailable: *\([0-9][0-9]*\) kB$/\1/p' /proc/meminfo) / 2))
    systemd-run --quiet --wait --pipe --collect --unit="$unit" \
        --property=DynamicUser=yes --property=PrivateNetwork=yes --property=TemporaryFileSystem=/var/lib:ro \
        --property=BindPaths="$its_place/trial:/var/lib/quorate-trial" \
        --property=BindReadOnlyPaths="$its_place/db:/var/lib/quorate-snapshot.db" --property=ProtectHome=yes \
        --property=PrivateDevices=yes --property=CapabilityBoundingSet= --property=NoNewPrivileges=yes \
        --property=Nice=19 --property=CPUWeight=1 --property=CPUQuota=100% --property=IOWeight=1 \
        --property=IOSchedulingClass=idle --property=MemoryMax="${memory}K" --property=MemorySwapMax=0 \
        --property=TasksMax=256 --property=OOMScoreAdjust=1000 --property=RuntimeMaxSec="$most" \
        /usr/bin/env -i PATH="$PATH" sh -s -- "$tool" "$etcd" "$etcdctl" "$(readlink /proc/self/ns/net)" \
        <"$work/inside" >"$work/said" 2>"$work/errors" 7>&- &
    # In the foreground it would be waited for, whoever hangs up.
    wait "$!" || ended=$?
    [ "$(tail -n 1 "$work/said")" = whole ] || {
        why=$(sed -n 's/^failed //p' "$work/said" | tail -n 1)
        [ -z "$why" ] || fail "$why"
        # Too little memory or time: another host may have more.
        refuse "the trial ended with status ${ended:-0}: $(tail -n 1 "$work/errors")"
    }
}
