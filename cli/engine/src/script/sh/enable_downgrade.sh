# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY TARGET SECONDS ENDPOINTS: tells etcd that the cluster goes to the minor TARGET, unless it was
# told, and waits until each of ENDPOINTS has brought its database to that minor. An etcd of TARGET starts on no other.

takes 'etcdctl cacert cert key target seconds endpoints' "$@"
tools="$etcdctl $cacert $cert $key"

# is_ready ENDPOINT: else says why not.
is_ready() {
    # shellcheck disable=SC2086
    if ! said=$(ask $tools --endpoints="$1" endpoint status 2>/dev/null); then
        why="$1 does not answer"
        return 1
    fi
    at=$(printf '%s\n' "$said" | field StorageVersion)
    why="$1 has the database of etcd ${at:-of an unknown version}"
    case $at in
    "$target".*) ;;
    *) return 1 ;;
    esac
}

all_ready() {
    for endpoint in $endpoints; do
        is_ready "$endpoint" || return 1
    done
}

# is_told: etcd knows the target. Else says why not.
is_told() {
    # shellcheck disable=SC2086
    ! told=$(ask_plain $tools --endpoints="${endpoints%% *}" downgrade enable "$target" 2>&1) || return 0
    # A second time etcd counts the cluster as being there already.
    case $(printf '%s\n' "$said" | field DowngradeTargetVersion) in
    "$target".*) return ;;
    esac
    told=$(printf '%s\n' "$told" | tail -n 1)
    return 1
}

! all_ready || already
# waits 80 s beyond: the last round of nine members
end=$(($(now) + seconds))
until is_told; do
    # etcd itself ends a downgrade to the minor that all members run, within seconds.
    case $told in
    *'downgrade job in progress'*) [ "$(now)" -lt "$end" ] || fail "etcd did not end its former downgrade: $told" ;;
    *) fail "etcd refused the downgrade to $target: $told" ;;
    esac
    sleep 0.5
    ! all_ready || already
done
until all_ready; do
    [ "$(now)" -lt "$end" ] || fail "the downgrade to $target is enabled, but $why"
    sleep 0.5
done
changed
