# shellcheck shell=sh
# MANIFEST USER GROUP, payload: the manifest of a pod that stays as it is.

takes 'manifest user group' "$@"

uid=$(id -u "$user")
gid=$(getent group "$group") || fail "the host has no group $group"
gid=${gid#*:*:}
gid=${gid%%:*}

folder=${manifest%/*}
begin_file "${folder%/*}/${manifest##*/}"
recv "$blob1" |
    sed -e "s/^\( *runAsUser: \)[^ ]*@UID_OF_ETCD@[^ ]*\$/\1$uid/" \
        -e "s/^\( *runAsGroup: \)[^ ]*@GID_OF_ETCD@[^ ]*\$/\1$gid/" >"$work"
arrived
is_written "$manifest" 600 root:root && already
is_same_pod "$manifest" "$work" || refuse "the pod in $manifest has changed since the plan was made"
end_file "$manifest" 0600 root:root
changed
