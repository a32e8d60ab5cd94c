# shellcheck shell=sh
# NOTE UNIT DATA CLIENT CACERT CERT KEY USER ENDPOINTS TOKEN SIZE MEMBERS TOKEN_FILE ETCD SERVER_CERT
# SERVER_KEY ACCOUNT, payload: the user's password. Makes the record of a bootstrap of SIZE members, whose
# NAME=URL are MEMBERS. With UNIT not empty the service is started first, as a unit that no file holds.

takes "$service token size members token_file etcd server_cert server_key account" "$@"
forget_environment

password=$(recv "$blob1")
arrived

[ "$(cat "$token_file" 2>/dev/null)" = "$token" ] ||
    refuse "$token_file does not hold this bootstrap's token"

moved=no
known=$(cat "$note" 2>/dev/null || true)
note_down() {
    [ "$known" != "$token $endpoints" ] || return 0
    begin_file "$note"
    printf '%s %s\n' "$token" "$endpoints" >"$work"
    end_file "$note" 0600 root:root
    moved=yes
}
# The note is there before the record is, so that a record never is without one.
[ -n "$known" ] || note_down

if [ -n "$unit" ] && [ "$(of_unit "$unit" ActiveState)" != active ]; then
    # waits 150 s: systemd's own time for a stop, and the unit's for its start
    systemctl stop "$unit" 2>/dev/null || true
    systemctl reset-failed "$unit" 2>/dev/null || true
    # systemd itself fills in the socket: nothing else of the host's environment reaches etcd.
    # shellcheck disable=SC2016
    said=$(systemd-run --quiet --unit="$unit" --service-type=notify \
        --property=User="$account" --property=Group="$account" \
        --property=StateDirectory="${data##*/}" --property=StateDirectoryMode=0700 \
        --property=TimeoutStartSec=60 --property=Restart=on-failure --property=RestartSec=2 \
        --property=NoNewPrivileges=yes --property=ProtectSystem=strict --property=ProtectHome=yes \
        --property=PrivateTmp=yes --property=MemoryMax=512M \
        /usr/bin/env -i 'NOTIFY_SOCKET=${NOTIFY_SOCKET}' "$etcd" --name=discovery --data-dir="$data" \
        --listen-client-urls="$endpoints" --advertise-client-urls="$endpoints" \
        --listen-peer-urls=http://127.0.0.1:0 --log-level=warn \
        --cert-file="$server_cert" --key-file="$server_key" \
        --client-cert-auth=true --trusted-ca-file="$cacert" 2>&1) || {
        printf 'failed the discovery service did not start: %s\n' "$said"
        journal_of "$unit"
        exit 1
    }
    moved=yes
fi

# waits 45 s: etcdctl is asked three times
# A record that no member waits for any more is of a discarded bootstrap. Until it is gone the note
# is of it.
case $known in
"" | "$token "*) ;;
*) said=$(ask_service del --prefix "$(registry "${known%% *}")") || unanswered "$said" ;;
esac
note_down

record=$(registry "$token")
said=$(ask_service get --prefix "$record") || unanswered "$said"
# A line with a name, then one with its value; between them may be what etcdctl warns of.
there='' strangers='' registered=0 named=''
while read -r line; do
    case $named in
    size) there=$line ;;
    member)
        registered=$((registered + 1))
        case " $members " in
        *" $line "*) ;;
        *) strangers="$strangers $line" ;;
        esac
        ;;
    esac
    case $line in
    "$record"_config/size) named=size ;;
    "$record"members/*) named=member ;;
    *) named='' ;;
    esac
done <<SAID
$said
SAID
if [ -n "$strangers" ]; then
    state=used
    [ "$registered" -lt "$size" ] || state='full, and used'
    fail "token $token is $state by others at $endpoints:$strangers"
fi
case $there in
"$size")
    [ "$moved" = yes ] || already
    changed
    ;;
"") ;;
*) fail "token $token is used for a cluster of $there members at $endpoints" ;;
esac
said=$(ask_service put "${record}_config/size" "$size") || unanswered "$said"
changed
