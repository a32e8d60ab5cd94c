# shellcheck shell=sh
# A discovery service, as etcdctl speaks with it. The password comes by the environment of the one program
# that needs it: a user who may list processes does not read it there.

# What both scripts take of it.
service='note unit data client cacert cert key user endpoints'

# forget_environment: an ETCDCTL_… of the host would contradict our flags, which is fatal. What is left is what a
# shell needs, or does not let go.
forget_environment() {
    for variable in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
        case $variable in
        PATH | PWD | LC_ALL | SHLVL | SHELLOPTS | BASHOPTS | UID | EUID | PPID | _) ;;
        *) unset "$variable" ;;
        esac
    done
}

# ask_service ARGS…: what etcdctl answers.
ask_service() {
    case $endpoints in https://*) set -- --insecure-transport=false "$@" ;; esac
    [ -z "$cacert" ] || set -- --cacert="$cacert" "$@"
    [ -z "$cert" ] || set -- --cert="$cert" --key="$key" "$@"
    set -- --endpoints="$endpoints" --dial-timeout=3s --command-timeout=10s "$@"
    if [ -n "$user" ]; then
        ETCDCTL_USER=$user ETCDCTL_PASSWORD=$password "$client" "$@" 2>&1
    else
        "$client" "$@" 2>&1
    fi
}

# unanswered TEXT: etcdctl's last word is why; those before are of its attempts.
unanswered() {
    fail "the discovery service at $endpoints does not answer: $(printf '%s\n' "$1" | tail -n 1)"
}

# registry TOKEN: where the record of a bootstrap is.
registry() {
    printf '/_etcd/registry/%s/' "$1"
}
