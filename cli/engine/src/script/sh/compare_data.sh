# shellcheck shell=sh disable=SC2154
# ETCDCTL CACERT CERT KEY MEMBERS ALARMS TEST_KEY: refuses unless all of MEMBERS have the same data. Then it clears the
# CORRUPT alarms of ALARMS, where there are any, if no other alarm is raised.

takes 'etcdctl cacert cert key members alarms test_key' "$@"
tools="$etcdctl $cacert $cert $key"
everywhere=$(printf '%s' "$members" | tr ' ' ',')

if ! same_data; then
    [ "$compared" != differ ] || refuse "$why: if no majority agrees, quorate restore"
    fail "the members' data could not be compared: $why"
fi
[ -n "$alarms" ] || changed

# waits 100 s: the alarms are read twice and cleared, and five writes tried
read_alarms
[ -n "$raised" ] || already
all_are CORRUPT
disarm
changed
