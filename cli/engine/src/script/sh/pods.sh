# shellcheck shell=sh
# Members in pods: the kubelet runs what lies in its folder. A pod's process is one of the host's; which
# one it is shows by its data directory, and which manifest it came from by its environment.

# etcds_of DATA_DIR UNIT: the etcds that have this data directory and are not of the unit. Fails where
# systemd does not say which one is the unit's.
etcds_of() {
    main=$(of_unit "$2" MainPID) || return 1
    is_number "$main" || return 1
    for dir in /proc/[0-9]*; do
        { IFS= read -r name <"$dir/comm"; } 2>/dev/null || continue
        if [ "$name" != etcd ] || [ "${dir#/proc/}" = "$main" ]; then
            continue
        fi
        { tr '\000' '\n' <"$dir/cmdline"; } 2>/dev/null | grep -qxF -- "--data-dir=$1" || continue
        printf '%s\n' "${dir#/proc/}"
    done
}

# identity_of PID: of the manifest that a process came from.
identity_of() {
    { tr '\000' '\n' <"/proc/$1/environ"; } 2>/dev/null | sed -n 's/^QUORATE_MANIFEST=//p'
}

# etcd_from IDENTITY DATA_DIR UNIT: the process that came from this manifest; fails where there is none.
etcd_from() {
    for found in $(etcds_of "$2" "$3"); do
        if [ "$(identity_of "$found")" = "$1" ]; then
            printf '%s\n' "$found"
            return 0
        fi
    done
    return 1
}

# kubelet_runs: only the kubelet starts and ends pods.
kubelet_runs() {
    [ "$(of_unit kubelet.service ActiveState)" = active ] ||
        refuse "kubelet.service does not run, so no pod would start or stop: systemctl start kubelet"
}

# kubelet_is_gone: whether it has not run for a while; to be called repeatedly. A restart does not count.
without_kubelet=0
kubelet_is_gone() {
    if [ "$(of_unit kubelet.service ActiveState)" = active ]; then
        without_kubelet=0
    else
        without_kubelet=$((without_kubelet + 1))
    fi
    [ "$without_kubelet" -ge 10 ]
}

# is_same_pod FILE FILE: whether a kubelet sees the same pod in both.
is_same_pod() {
    [ -f "$1" ] && [ "$(grep -v '^#' "$1")" = "$(grep -v '^#' "$2")" ]
}

# take_pod_away MANIFEST DATA_DIR UNIT SECONDS KEPT: and waits for the end of its process, so long at most.
# What is removed is copied to KEPT before: where the pod does not end, and where this script is killed, the
# manifest can be put back. Where it fails, `stuck` says why.
# shellcheck disable=SC2034 # Not every script takes pods away.
stuck='the pod does not end'
take_pod_away() {
    if [ -e "$1" ] || [ -L "$1" ]; then
        # A script that replaces it has the next one in $work already.
        next=$work
        is_kept=no
        begin_file "$5" && cat -- "$1" >"$work" && end_file "$5" 0600 root:root && is_kept=yes
        work=$next
        if [ "$is_kept" = no ] || [ "$(sha256sum <"$1")" != "$(sha256sum <"$5")" ]; then
            # shellcheck disable=SC2034
            stuck="can't copy $1 to $5, so it stays in place"
            return 1
        fi
        rm -f -- "$1"
        sync "${1%/*}"
    fi
    waited=0
    while ! left=$(etcds_of "$2" "$3") || [ -n "$left" ]; do
        [ "$waited" -lt $(($4 * 5)) ] || return 1
        waited=$((waited + 1))
        if [ $((waited % 5)) = 0 ] && kubelet_is_gone; then
            # shellcheck disable=SC2034 # Not every script takes pods away.
            stuck='kubelet.service does not run, so the pod does not end: systemctl start kubelet'
            return 1
        fi
        sleep 0.2
    done
}

# put_back MANIFEST KEPT: restores the removed manifest in one rename, and sets `back` to the outcome. If this is
# killed, nothing is lost: KEPT goes last.
back=
put_back() {
    [ -f "$2" ] || return 0
    [ -z "$work" ] || rm -f -- "$work"
    # Not in the folder itself: a kubelet reads what is there, half of it too.
    folder=${1%/*}
    if begin_file "${folder%/*}/${1##*/}" && cat -- "$2" >"$work" && end_file "$1" 0600 root:root; then
        forget_kept "$2"
        back='; the previous manifest is back'
    else
        # shellcheck disable=SC2034
        back="; the previous manifest could not be put back and is kept as $2"
    fi
}

# forget_kept KEPT: removes the copy once nothing needs it.
forget_kept() {
    if [ -e "$1" ]; then
        rm -f -- "$1"
        sync "${1%/*}"
    fi
}

# has_image IMAGE SECONDS: whether the container runtime has it, or gets it in this time. Fails only where
# that is known to be impossible; then `missing` says why. Without a client of the runtime, and where the
# kubelet may log in to the registry with what that client does not have, nobody knows.
# shellcheck disable=SC2034 # Not every script needs an image.
missing=
has_image() {
    if command -v crictl >/dev/null; then
        timeout 20 crictl inspecti -q "$1" >/dev/null 2>&1 && return 0
        missing=$(timeout "$2" crictl pull "$1" 2>&1 >/dev/null) && return 0
    elif command -v ctr >/dev/null; then
        [ -z "$(timeout 20 ctr -n k8s.io images ls -q "name==$1" 2>/dev/null)" ] || return 0
        # Of mirrors and logins in containerd's configuration ctr knows nothing.
        ! grep -Eqs 'registry\.(mirrors|configs)|config_path *= *"[^"]' /etc/containerd/config.toml ||
            return 0
        missing=$(timeout "$2" ctr -n k8s.io images pull "$1" 2>&1 >/dev/null) && return 0
    else
        return 0
    fi
    case $missing in
    *[Uu]nauthorized* | *[Ff]orbidden* | *denied* | *authorization* | *'basic auth'*) return 0 ;;
    esac
    missing=$(printf '%s\n' "$missing" | tail -n 1)
    missing="can't pull the pod's image: ${missing:-no answer in $2 s}"
    return 1
}

# words_of_pod POD: the end of its container's log, and what the kubelet says of it.
words_of_pod() {
    name_pod /var/log/pods "$1"
    log=$(newest_pod_log /var/log/pods)
    if [ -n "$log" ]; then
        tail -n 15 -- "$log" | sed 's/^[^ ]* std[a-z]* [FP] //'
    fi
    journalctl -u kubelet -n 400 -o cat --no-pager 2>/dev/null | grep -F -- "${pod_name%\*}" | tail -n 5 || true
}

# words_of UNIT POD: what the member said last, wherever it runs.
words_of() {
    if [ "$(of_unit "$1" LoadState)" = loaded ]; then
        journal_of "$1"
    else
        words_of_pod "$2"
    fi
}
