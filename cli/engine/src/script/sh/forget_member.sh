# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY URL UNIT DATA_DIR TOKEN MARKER WITNESS DUE MANIFEST END KEPT OTHERS: takes a member off this
# host that was in a quorum and that the cluster no longer lists. Its data is kept in the data directory, below
# `archived`, and nothing else there is touched.

takes 'etcdctl cacert cert key url unit data token marker witness due proof manifest end_seconds kept others' "$@"
tools="$etcdctl $cacert $cert $key"

# waits 120 s: eight others, three questions each
hear || refuse "no other member says who is a member: $unheard"
refuse_listed "$(id_in "$data")"

moved=no
end_member
archive_data "$data"

# The data goes before what says that it was in a quorum: what is left of a member that was is never taken for a new
# one. And the token goes last, see discard_bootstrap.sh.
for file in "$due" "$proof" "$witness" "$marker" "$token"; do take_away "$file"; done
[ "$moved" = yes ] || already
changed
