# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY ENDPOINTS SECONDS TEST_KEY NONCE UNIT: asks every member until all are healthy or
# the time is over, then writes, reads and removes a key, which expires if we are killed, and compares the
# members' data. Prints one section for each question:
# a line `= QUESTION STATUS`, then what etcdctl said on stdout. Others judge.

takes 'etcdctl cacert cert key endpoints seconds test_key nonce unit' "$@"

# Without an environment: an ETCDCTL_… of the host would contradict our flags, which is fatal.
ask() {
    env -i GOMAXPROCS=1 GOGC=off "$etcdctl" --cacert="$cacert" --cert="$cert" --key="$key" \
        --dial-timeout=2s --command-timeout=5s "$@"
}

# answer ARGS…: sets $answer and $status; never fails.
answer() {
    status=0
    answer=$(ask "$@" 2>&1) || status=$?
}

# section QUESTION ARGS…: what etcdctl answers.
section() {
    question=$1
    shift
    answer "$@"
    printf '= %s %s\n%s\n' "$question" "$status" "$answer"
}

# etcdctl waits a second before it asks again where nobody listened yet. So a member that is starting here is
# waited for first; all of them are ready as soon as they are a quorum.
# waits 10 s
tries=0
while [ "$tries" -lt 100 ] && [ "$(of_unit "$unit" ActiveState)" = activating ]; do
    tries=$((tries + 1))
    sleep 0.05
done

# waits 80 s beyond: nine members are asked for their status one after the other, and seven questions are for all
everywhere=$endpoints
end=$(($(now) + seconds))
while answer --endpoints="$everywhere" -w json endpoint health && [ "$status" != 0 ]; do
    [ "$(now)" -lt "$end" ] || break
    sleep 0.2
done
health=$status
printf '= health %s\n%s\n' "$health" "$answer"
section status --endpoints="$everywhere" -w json endpoint status
section alarms --endpoints="$everywhere" -w json alarm list
answer --endpoints="$everywhere" lease grant 600
case $answer in
"lease "*" granted "*)
    lease=${answer#lease }
    lease=${lease%% *}
    section put --endpoints="$everywhere" put --lease="$lease" "$test_key" "$nonce"
    ;;
*)
    lease=
    printf '= put 1\n%s\n' "$answer"
    ;;
esac
section get --endpoints="$everywhere" get "$test_key" --print-value-only --consistency=l
section del --endpoints="$everywhere" del "$test_key"
[ -z "$lease" ] || answer --endpoints="$everywhere" lease revoke "$lease"
# A member that does not answer would not be compared, and is waited for no longer.
if [ "$health" = 0 ]; then
    tools="$etcdctl $cacert $cert $key"
    if same_data; then
        printf '= data 0\nsame\n'
    else
        # A member with other data shows in the hashes.
        [ "$compared" = differ ] || told=
        printf '= data 1\n%s: %s\n= hashes 0\n%s\n' "$compared" "$why" "$told"
    fi
fi
changed
