# shellcheck shell=sh
# MANIFEST DATA_DIR UNIT POD IDENTITY SEEN RUNNING WAL SETTLED USER GROUP SECONDS END PULL KEPT IMAGE, payload: the manifest. Puts it
# where the kubelet looks, in the place of the pod that runs, and sees it through its first moments: there is a
# process that comes from this manifest. SEEN is what may lie there: the sha256 of the manifest that the plan saw,
# `absent`, or `identity:` and the identity of the manifest that the same plan wrote before. A pod that runs from
# another manifest `ends` first or, as RUNNING says, `stays`, once it has run for SETTLED seconds. Where WAL is not
# empty, the pod is to have a log there. The old manifest is
# put back where its pod does not end, and where no process of the new one was ever seen.

takes 'manifest data unit pod identity seen running wal settled user group seconds end_seconds pull_seconds kept image' "$@"

gone_wrong() {
    printf 'failed %s\n' "$1"
    words_of_pod "$pod"
    exit 1
}

# never_ran WHY: the member is not left without a pod that could run.
never_ran() {
    put_back "$manifest" "$kept"
    gone_wrong "$1$back"
}

# stays_up: whether a pod of the member runs, and keeps running.
stays_up() {
    until=$(($(now) + settled))
    while found=$(etcds_of "$data" "$unit") && [ -n "$found" ]; do
        [ "$(now)" -lt "$until" ] || return 0
        sleep 0.2
    done
    return 1
}

kubelet_runs
# Without a number the pod would run as root.
uid=$(id -u "$user")
gid=$(getent group "$group") || fail "the host has no group $group"
gid=${gid#*:*:}
gid=${gid%%:*}
# Not in the folder itself: a kubelet reads what is there, half of it too.
folder=${manifest%/*}
(umask 022 && mkdir -p "$folder")
begin_file "${folder%/*}/${manifest##*/}"
recv "$blob1" |
    sed -e "s/^\( *runAsUser: \)[^ ]*@UID_OF_ETCD@[^ ]*\$/\1$uid/" \
        -e "s/^\( *runAsGroup: \)[^ ]*@GID_OF_ETCD@[^ ]*\$/\1$gid/" >"$work"
arrived
wanted=$(sha256sum <"$work")
# An earlier try of this step may have been cut off after it removed the manifest. Its copy is what was there.
before=$manifest
[ -e "$manifest" ] || [ -L "$manifest" ] || [ "$seen" = absent ] || [ ! -f "$kept" ] || before=$kept
case $seen in
identity:*)
    # Where it is another file altogether, it is what the step itself wrote.
    grep -qxE " *value: \"?${seen#identity:}\"?" "$before" 2>/dev/null ||
        file_is "$before" "${wanted%% *}"
    ;;
*) file_is "$before" "$seen ${wanted%% *}" ;;
esac

moved=no
if ! is_written "$manifest" 600 root:root; then
    # The plan saw it down. It may have come up since, and the others may rely on it.
    [ "$running" = ends ] || ! stays_up || already
    # The old pod goes first, and a moment passes. A kubelet that finds the next pod of a name before it
    # is done with the last one looks again after ten seconds, in which the member would be down. And a
    # pod that somebody edited has the identity of the one that it was: nobody could tell their processes
    # apart.
    if ! is_same_pod "$manifest" "$work" && [ -n "$(etcds_of "$data" "$unit")" ]; then
        # waits 20 s, to see whether it is there
        has_image "$image" "$pull_seconds" || fail "$missing"
        take_pod_away "$manifest" "$data" "$unit" "$end_seconds" "$kept" || never_ran "$stuck"
        # waits 2 s
        sleep 2
    fi
    end_file "$manifest" 0600 root:root
    moved=yes
elif process=$(etcd_from "$identity" "$data" "$unit"); then
    rm -f -- "$work"
    work=
    forget_kept "$kept"
    already
fi
[ "$moved" = yes ] || rm -f -- "$work"
work=

begun=$(date +%s)
end=$(($(now) + seconds)) asked=$(now) process='' steady=0 ends=0 looks=0 without=0
while [ "$(now)" -lt "$end" ]; do
    found=$(etcd_from "$identity" "$data" "$unit") || found=
    if [ -n "$found" ] && [ "$found" = "$process" ]; then
        steady=$((steady + 1))
        if [ "$steady" -ge 5 ] && { [ -z "$wal" ] || log_in "$wal"; }; then
            forget_kept "$kept"
            changed
        fi
    elif [ -n "$process" ]; then
        # The kubelet starts it again at once, and then ever later.
        ends=$((ends + 1))
        [ "$ends" -lt 2 ] || gone_wrong "etcd ended at once"
        steady=0
    fi
    process=$found
    looks=$((looks + 1))
    if [ -n "$found" ]; then
        without=0
    else
        without=$((without + 1))
        [ "$ends" = 0 ] || [ "$without" -lt 15 ] || gone_wrong "etcd ended at once"
    fi
    if [ $((looks % 5)) = 0 ] && kubelet_is_gone; then
        gone_wrong "kubelet.service does not run, so the pod does not start: systemctl start kubelet"
    fi
    # By the clock: on a busy host a look takes long, and the time would be over before the question.
    if [ -z "$found" ] && [ $(($(now) - asked)) -ge 8 ]; then
        asked=$(now)
        # Of this attempt alone: an earlier one may have had another image.
        case $(journalctl -u kubelet --since "@$begun" -n 100 -o cat --no-pager 2>/dev/null | grep -F -- "$pod") in
        *ErrImagePull* | *ImagePullBackOff* | *InvalidImageName* | *ErrImageNeverPull*)
            never_ran "can't pull the pod's image"
            ;;
        *'hostPath type check failed'*)
            gone_wrong "the kubelet does not find a directory that the pod mounts"
            ;;
        esac
    fi
    sleep 0.2
done
[ "$ends" = 0 ] && [ -z "$process" ] &&
    never_ran "no etcd from this manifest was seen in $seconds s: the kubelet started none, or it ended at once"
gone_wrong "no etcd from this manifest was seen in $seconds s: the kubelet started none, or it ended at once"
