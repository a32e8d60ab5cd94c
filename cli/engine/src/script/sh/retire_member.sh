# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY URL UNIT UNIT_FILE CONFIG DATA TOKEN MARKER WITNESS DUE MANIFEST END KEPT OTHERS: to be written.

takes 'etcdctl cacert cert key url unit unit_file config data token marker witness due manifest end_seconds kept others' "$@"
