# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY URL UNIT DATA_DIR TOKEN MARKER WITNESS DUE MANIFEST END KEPT OTHERS: takes a member off this
# host that was in a quorum and that the cluster no longer lists. Its data is kept in the data directory, below
# `archived`, and nothing else there is touched.

takes 'etcdctl cacert cert key url unit data token marker witness due manifest end_seconds kept others' "$@"
tools="$etcdctl $cacert $cert $key"

# waits 120 s: eight others, three questions each
hear || refuse "no other member says who is a member: $unheard"
its_id=$(id_in "$data")
while IFS= read -r line; do
    read_member "$line"
    [ -z "$its_id" ] || [ "$member_id" != "$its_id" ] ||
        refuse "the cluster still lists member $its_id, whose data is on this host"
    case $state,$peers, in
    unstarted,*) ;;
    *",$url,"*) refuse "the cluster still lists a started member at $url" ;;
    esac
done <<LIST
$list
LIST

moved=no
# What systemd does not say is no sign that nothing runs.
state=$(of_unit "$unit" ActiveState)
if [ "$state" != inactive ] && [ "$state" != failed ]; then
    # waits 90 s: systemd's own time for a stop
    systemctl stop "$unit"
    moved=yes
fi
# A reboot before the next step must not begin the old member again.
if [ "$(systemctl is-enabled "$unit" 2>/dev/null || true)" = enabled ]; then
    systemctl disable --quiet "$unit"
    moved=yes
fi
end_pod "$manifest" "$data" "$unit" "$end_seconds" "$kept"
archive_data "$data"

# The data goes before what says that it was in a quorum: what is left of a member that was is never taken for a new
# one. And the token goes last, see discard_bootstrap.sh.
for file in "$due" "$witness" "$marker" "$token"; do take_away "$file"; done
[ "$moved" = yes ] || already
changed
