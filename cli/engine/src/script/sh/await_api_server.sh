# shellcheck shell=sh
# MANIFEST STATE SECONDS FLAGS ABSENT: waits until a process of the API server is ready that is not the one before, has
# each of FLAGS, a line NAME=VALUE each, and none of ABSENT, a word each.

takes 'manifest state seconds flags absent' "$@"

# is_as_wanted DIR: whether the process of this folder of /proc has those flags.
is_as_wanted() {
    arguments=$(arguments_of "$1")
    [ -n "$arguments" ] || return 1
    lines=$flags
    while [ -n "$lines" ]; do
        flag=${lines%%"$line_end"*}
        if ! printf '%s\n' "$arguments" | grep -qxF -- "--$flag" &&
            ! printf '%s\n' "$arguments" | grep -xF -A 1 -- "--${flag%%=*}" | grep -qxF -- "${flag#*=}"; then
            lacks="it runs without --$flag"
            return 1
        fi
        case $lines in *"$line_end"*) lines=${lines#*"$line_end"} ;; *) lines= ;; esac
    done
    for name in $absent; do
        if printf '%s\n' "$arguments" | grep -q -e "^--$name=" -e "^--$name\$"; then
            lacks="it still runs with --$name"
            return 1
        fi
    done
}

# ready: whether one is back.
ready() {
    lacks='no kube-apiserver runs'
    for process in $(api_servers | tr ' ' ':'); do
        dir=/proc/${process%:*}
        if grep -qxF -- "${process%:*} ${process#*:}" "$state/replaced" 2>/dev/null; then
            lacks='the process before the change still runs'
            continue
        fi
        is_as_wanted "$dir" || continue
        said=$(https "$(place "$dir")/readyz")
        [ "$said" != ok ] || return 0
        lacks="its /readyz says: $(printf '%s\n' "${said:-nothing}" | sed -e '/^\[+\]/d' | tr '\n' ' ' | head -c 300)"
    done 2>/dev/null
    return 1
}

# waits 10 s beyond: the last question
end=$(($(now) + seconds))
waited=
until ready; do
    if [ "$(now)" -ge "$end" ]; then
        kept=$(cat "$state/before" 2>/dev/null) || kept=
        note failed
        printf 'failed the API server is not ready after %s s: %s%s\n' "$seconds" "$lacks" \
            "${kept:+; the manifest before the last change is $kept, its place $manifest}"
        set +f
        for log in /var/log/pods/kube-system_kube-apiserver-*/kube-apiserver/*.log; do
            [ ! -e "$log" ] || last=$log
        done
        [ -z "${last-}" ] || tail -n 10 -- "$last"
        exit 1
    fi
    waited=yes
    sleep 1
done
[ -n "$waited" ] && changed
already
