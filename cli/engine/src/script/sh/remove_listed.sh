# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY ID LEAVER URLS SECONDS OTHERS: to be written.

takes 'etcdctl cacert cert key id leaver urls seconds others' "$@"
