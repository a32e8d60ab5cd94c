# shellcheck shell=sh
# ETCDCTL CACERT CERT KEY URL UNIT DATA TOKEN MARKER WITNESS DUE MANIFEST END KEPT UNIT_FILE ASIDE CONFIG PKI_DIR CA_FILE
# PASSWORD NOTE OTHERS: takes a member that the cluster no longer lists off this host, which stays. Its data is kept below `archived` in
# the data directory. Without OTHERS the whole cluster goes. What others put beside our files stays, but for their drop-ins of the unit, which go to ASIDE. The
# marker goes last: as long as it is there, the next plan finds what is left.

takes 'etcdctl cacert cert key url unit data token marker witness due proof manifest end_seconds kept unit_file aside config pki ca_file password note others' "$@"

# is_off: whether nothing is left here that holds data, runs, or could run.
is_off() {
    [ ! -e "$data/member" ] && [ ! -L "$data/member" ] && [ ! -e "$unit_file" ] && [ ! -e "$manifest" ] || return 1
    running=$(etcds_of "$data" "$unit") || return 1
    main=$(of_unit "$unit" MainPID) || return 1
    [ -z "$running" ] && [ "${main:-0}" = 0 ]
}

# is_unlisted: refuses while the others list the member whose data is here, or a started one in its place.
is_unlisted() {
    its_id=$(id_in "$data")
    [ -n "$its_id" ] || its_id=$(sed -n 's/.*"member_id": *"\([0-9a-f]*\)".*/\1/p' "$marker" 2>/dev/null) || its_id=
    for log in "$data/member/wal"/*.wal; do
        [ -n "$its_id" ] || [ ! -f "$log" ] ||
            refuse "can't tell whose data is in $data: if no member lists it, stop $unit and move $data/member away"
    done
    refuse_listed "$its_id"
}

# move_aside FOLDER TO: what somebody else put there is kept, where systemd does not see it.
move_aside() {
    [ -d "$1" ] && [ ! -L "$1" ] || return 0
    for theirs in "$1"/* "$1"/.[!.]*; do
        if [ -e "$theirs" ] || [ -L "$theirs" ]; then
            parents_of "$2/x"
            mv --backup=numbered -T "$theirs" "$2/${theirs##*/}"
            sync "$2"
        fi
    done
    rmdir "$1"
    sync "${1%/*}"
    moved=yes
}

# remove_unit: its file, and what systemd remembers of it.
remove_unit() {
    if [ -L "$unit_file" ]; then rm -f -- "$unit_file"; fi
    take_away "$unit_file"
    move_aside "$unit_file.d" "$aside"
    if [ "$(of_unit "$unit" LoadState)" = loaded ]; then
        systemctl daemon-reload
        moved=yes
    fi
    systemctl reset-failed "$unit" 2>/dev/null || true
}

# remove_keys: the generations of certificates, and the folders above where nothing else is in them.
remove_keys() {
    swept "$pki/untried"
    swept "$pki/current"
    for entry in "$pki"/*; do
        # A generation is known by its manifest: with another name first, it is known until all of it is gone.
        swept "$pki/generation"
        if [ ! -L "$entry" ] && [ -f "$entry/manifest" ]; then
            mv -T "$entry" "$pki/.quorate-generation.retire"
            moved=yes
        fi
    done
    swept "$pki/generation"
    [ ! -L "$pki/current" ] || rm -f -- "$pki/current"
    take_away "$pki/untried"
    take_away "$ca_file"
    for folder in "$pki" "$config"; do
        [ ! -d "$folder" ] || rmdir --ignore-fail-on-non-empty "$folder"
    done
    sync "${config%/*}"
}

if [ -z "$others" ]; then
    # The whole cluster is destroyed, and no member is left to ask: its data is set aside on all hosts by now.
    if [ -e "$data/member" ] || [ -L "$data/member" ]; then refuse "the member's data is still in $data/member"; fi
elif can_ask; then
    tools="$etcdctl $cacert $cert $key"
    # waits 120 s: eight others, three questions each
    hear || refuse "no other member says who is a member: $unheard"
    is_unlisted
elif ! is_off; then
    refuse "can't ask the other members whether this one is removed: $key or etcdctl is gone from this host, but the member's data, unit or pod is still here. Check with quorate etcdctl -- member list that it is not listed, then stop $unit and move $data/member away"
fi

moved=no
end_member
forget_kept "$kept"
archive_data "$data"
# A snapshot that was cut off holds Secrets too.
[ -L "$data/archived" ] || swept "$data/archived/snapshot"
remove_unit
for file in "$due" "$proof" "$token" "$password" "$note"; do take_away "$file"; done
# A trial of a backup that was cut off left every Secret of it.
state_dir=${marker%/*}
if [ -d "$state_dir/trial" ] && [ ! -L "$state_dir/trial" ]; then
    # waits 90 s
    systemctl stop "quorate-trial-${state_dir##*/}.service" >/dev/null 2>&1 || true
    rm -rf -- "$state_dir/trial"
    moved=yes
fi
# The keys are needed to ask the others: they go once the answer no longer matters.
remove_keys
# The next plan knows the host by these.
take_away "$witness"
take_away "$marker"
[ ! -d "$state_dir" ] || rmdir --ignore-fail-on-non-empty "$state_dir"
[ "$moved" = yes ] || already
changed
