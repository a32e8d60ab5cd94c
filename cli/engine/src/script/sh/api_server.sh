# shellcheck shell=sh
# How the API server of this host is asked. Its own certificate need not be for the address: nothing is sent but the
# question, and it is the host's own process.

# api_servers: a line for each process of an API server: its pid, and its start in ticks, which tells it from the one
# before that had its pid.
api_servers() {
    (
        set +f
        for dir in /proc/[0-9]*; do
            IFS= read -r comm <"$dir/comm" || continue
            [ "$comm" = kube-apiserver ] || continue
            IFS= read -r line <"$dir/stat" || continue
            # shellcheck disable=SC2086
            set -- ${line##*)}
            printf '%s %s\n' "${dir#/proc/}" "${20}"
        done
    ) 2>/dev/null
}

# arguments_of DIR: the arguments of a process, a line each. In the name of a flag, kube-apiserver takes `_` as `-`.
arguments_of() {
    tr '\000' '\n' <"$1/cmdline" | sed -e ':more' -e 's/^\(--[^=_]*\)_/\1-/' -e 'tmore'
}

# argument_of DIR NAME: the value of a process's flag.
argument_of() {
    arguments_of "$1" | sed -n -e "s/^--$2=//p" -e "/^--$2\$/{n;p;}" | tail -n 1
}

# place DIR: where the process of this folder of /proc is asked.
place() {
    port=$(argument_of "$1" secure-port)
    address=$(argument_of "$1" bind-address)
    case $address in
    '' | 0.0.0.0 | :: | *[!0-9a-f.:]*) address=127.0.0.1 ;;
    *:*) address="[$address]" ;;
    esac
    case $port in '' | *[!0-9]*) port=6443 ;; esac
    printf 'https://%s:%s' "$address" "$port"
}

# https URL: what it answers.
https() {
    if command -v curl >/dev/null; then
        curl -q -sk --globoff --noproxy '*' --max-time 5 "$1" | head -c 4096
    else
        wget -q -O - --no-config --no-proxy --no-check-certificate --timeout=5 --tries=1 "$1" | head -c 4096
    fi
}
