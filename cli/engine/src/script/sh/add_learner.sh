# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY NAME URL SECONDS OTHERS: has the others list the member NAME with the peer URL, as a
# learner. One that is listed with it stays what it is.

takes 'etcdctl cacert cert key name url seconds others' "$@"
tools="$etcdctl $cacert $cert $key"

is_listed() { find_at "$url"; }

# waits 145 s beyond: eight others asked for their list, one told and asked again
see_to is_listed "$seconds" "the cluster does not list $url" add "$name" --learner --peer-urls="$url"
