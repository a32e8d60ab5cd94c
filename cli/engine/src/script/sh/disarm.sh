# shellcheck shell=sh disable=SC2154
# ETCDCTL CACERT CERT KEY ALARMS MEMBERS QUOTAS PERCENT TEST_KEY: clears the alarms NOSPACE of the members ALARMS, if no
# other alarm is raised and each of MEMBERS uses at most PERCENT of its quota, the one at its place in QUOTAS; then the
# cluster must take a write. etcdctl can only clear all alarms.

takes 'etcdctl cacert cert key alarms members quotas percent test_key' "$@"
tools="$etcdctl $cacert $cert $key"
everywhere=$(printf '%s' "$members" | tr ' ' ',')

read_alarms
[ -n "$raised" ] || already
all_are NOSPACE

# waits 240 s: nine members asked for their sizes, the alarms twice, and five writes tried
left=$quotas
for member in $members; do
    quota=${left%% *} left=${left#* } own=$member
    sizes || fail "$member does not report the size of its database"
    [ $((in_use * 100)) -le $((quota * percent)) ] ||
        refuse "$member uses $in_use bytes of a quota of $quota, more than $percent %: raise quota-backend-bytes, or remove keys and run quorate defrag again"
    [ "$size" -lt "$quota" ] ||
        refuse "the database of $member has $size bytes, and its quota is $quota: run quorate defrag again"
done

disarm
changed
