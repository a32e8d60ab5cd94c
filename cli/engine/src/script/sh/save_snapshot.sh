# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY OWN DATA SECONDS: to be written.

takes 'etcdctl cacert cert key own data seconds' "$@"
