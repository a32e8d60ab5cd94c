# shellcheck shell=sh
# ROOT: prints the name of each folder in ROOT that has an etcdctl.

for etcdctl in "$1"/*/etcdctl; do
    [ ! -x "$etcdctl" ] || basename "$(dirname "$etcdctl")"
done
