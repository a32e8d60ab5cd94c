# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY ID URL SECONDS OTHERS: has the others list the member ID at the peer URL alone.

takes 'etcdctl cacert cert key id url seconds others' "$@"
tools="$etcdctl $cacert $cert $key"

# Another member at this peer URL is not ours: then etcd refuses the change.
is_listed() { find_at "$url" && [ "$member_id" = "$id" ]; }

# waits 145 s beyond: eight others asked for their list, one told and asked again
see_to is_listed "$seconds" "the cluster does not list member $id at $url" update "$id" --peer-urls="$url"
