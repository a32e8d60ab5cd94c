# shellcheck shell=sh
# RECORD TOKEN SHA256 ETCDCTL CACERT CERT KEY UNIT DATA RESTORED OTHERS: archives the data of a stopped member, if no other
# member answers. SHA256 is empty on the host of a former member: what a restore prepared there goes.

takes 'record token sha256 etcdctl cacert cert key unit data restored others' "$@"

prepared
[ "$phase" != placed ] || already
stopped
nobody_answers
moved=no
# Before the data goes: a host without data then says why.
[ -z "$sha256" ] || write_record set-aside
archive_data "$data"
if [ -z "$sha256" ]; then
    if [ -e "$restored" ] || [ -L "$restored" ]; then
        moved=yes
        rm -rf -- "$restored"
    fi
    take_away "$record"
fi
[ "$moved" = yes ] || already
changed
