# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY VERSION STORAGE DUE SECONDS ENDPOINTS: waits until each of ENDPOINTS runs VERSION and has the
# database of the cluster version STORAGE; empty where that minor does not tell. Then all must have the same data, where we
# may ask for it. The note DUE of this proof goes in the end.

takes 'etcdctl cacert cert key version storage due seconds endpoints' "$@"
tools="$etcdctl $cacert $cert $key"
# waits 80 s beyond: the last round of nine members
end=$(($(now) + seconds))

# cancel_downgrade: one that was turned around would keep the cluster at the version that it was to go to.
cancel_downgrade() {
    target=$(printf '%s\n' "$said" | field DowngradeTargetVersion)
    case $target in
    '' | "$storage".*) return ;;
    esac
    # shellcheck disable=SC2086
    ask_plain $tools --endpoints="$1" downgrade cancel >/dev/null 2>&1 || true
}

# has_arrived ENDPOINT: else says why not.
has_arrived() {
    # shellcheck disable=SC2086
    if ! said=$(ask $tools --endpoints="$1" endpoint status 2>/dev/null); then
        why="$1 does not answer"
        return 1
    fi
    runs=$(printf '%s\n' "$said" | field Version)
    [ "$runs" = "$version" ] || fail "$1 runs etcd $runs, not $version"
    [ -n "$storage" ] || return 0
    at=$(printf '%s\n' "$said" | field StorageVersion)
    why="$1 has the database of etcd ${at:-before 3.6}, not yet of $storage"
    case $at in
    "$storage".*) ;;
    *)
        cancel_downgrade "$1"
        return 1
        ;;
    esac
}

for endpoint in $endpoints; do
    until has_arrived "$endpoint"; do
        [ "$(now)" -lt "$end" ] || fail "the cluster did not reach the new version: $why"
        sleep 0.5
    done
done

everywhere=$(printf '%s' "$endpoints" | tr ' ' ',')
same_data || [ "$compared" = forbidden ] || fail "all members run etcd $version, but $why"
take_away "$due"
changed
