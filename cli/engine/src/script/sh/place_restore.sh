# shellcheck shell=sh
# RECORD TOKEN SHA256 ETCDCTL CACERT CERT KEY UNIT DATA RESTORED OTHERS: puts the restored data in its place, if
# nothing else is there and no other member answers.

takes 'record token sha256 etcdctl cacert cert key unit data restored others' "$@"

prepared
new=$restored/data/member there=no
if [ -e "$data/member" ] || [ -L "$data/member" ]; then there=yes; fi
# The record is written first, and a run may have been killed before the move.
[ "$phase" != placed ] || { [ "$there" = no ] && [ -d "$new" ]; } || already
stopped
nobody_answers
[ "$phase" != staged ] || refuse "the old data is not set aside"
if [ "$there" = yes ]; then
    # An earlier program renamed before it wrote the record, and may have been killed between the two.
    [ ! -e "$new" ] || refuse "$data/member exists again: somebody put the archived data back, or an etcd was started"
    write_record placed
else
    if [ -L "$new" ] || [ ! -d "$new" ]; then
        fail "$new is missing: run the same command again to restore it"
    fi
    # Data that is in place may be started at once, by a boot for example. So the record is written before the move.
    write_record placed
    mv -T "$new" "$data/member"
    sync "$data" "$restored/data"
fi
changed
