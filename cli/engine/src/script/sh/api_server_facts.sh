# shellcheck shell=sh
# Looks at the API server of a host and changes nothing. The reply is records, as that of facts.sh.
#
# MANIFEST, PKI, the folder of its certificate's generation in use, and the FILES there that are public, then those that
# are hashed only; KUBEADM=yes where kubeadm's record of the cluster is asked for.

exec </dev/null 2>/dev/null
set -f
nl='
'

say() { printf '%s %s\n%s\n' "$1" "${#2}" "$2"; }

[ "$1" = format=1 ] || exit 64
shift
manifest='' pki='' public='' secret='' kubeadm=''
for word do
    value=${word#*=}
    case $word in
    manifest=*) manifest=$value ;;
    pki=*) pki=$value ;;
    public=*) public="$public $value" ;;
    secret=*) secret="$secret $value" ;;
    kubeadm=*) kubeadm=$value ;;
    *) exit 64 ;;
    esac
done

# What a path is, or why nobody knows: "TYPE SIZE MODE OWNER GROUP".
kind() { stat -c '%F,%s,%a,%U,%G' -- "$1" 2>&1; }

# The manifest may hold secrets: it crosses the connection, and nothing keeps it. One that was replaced in between has
# another digest.
manifest() {
    said=$(kind "$manifest")
    say manifest-kind "$said"
    case $said in
    'regular file,'* | 'regular empty file,'*) ;;
    *) return ;;
    esac
    size=${said#*,}
    [ "${size%%,*}" -le 262144 ] || return
    sum=$(sha256sum <"$manifest") || return
    say manifest-sha256 "${sum%% *}"
    say manifest "$(base64 -w 0 <"$manifest")"
}

files() {
    for name in $public $secret manifest; do
        said=$(kind "$pki/$name")
        say "kind:$name" "$said"
        case $said in 'regular file,'*) ;; *) continue ;; esac
        size=${said#*,}
        [ "${size%%,*}" -le 65536 ] || continue
        sum=$(sha256sum <"$pki/$name") && say "sha256:$name" "${sum%% *}"
        case " $public manifest " in
        *" $name "*) say "text:$name" "$(base64 -w 0 <"$pki/$name")" ;;
        esac
    done
}

# Every process named so, its arguments in base64: an argument may hold anything but NUL.
processes() {
    found=''
    for process in $(api_servers | tr ' ' ':'); do
        dir=/proc/${process%:*}
        arguments=$(head -c 65536 "$dir/cmdline" | base64 -w 0)
        [ -n "$arguments" ] || continue
        found="$found${process%:*} ${process#*:} $arguments$nl"
        where=$(place "$dir")
    done
    say processes "$found"
    [ -n "$found" ] || return 0
    say readyz "$(https "$where/readyz")"
    say version "$(https "$where/version")"
}

configuration() {
    kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=10s \
        get --raw /api/v1/namespaces/kube-system/configmaps/kubeadm-config
}

# kubeadm's record, as an admin of this control plane sees it. `--raw` keeps no cache in anybody's home.
record() {
    lacks=''
    command -v kubectl >/dev/null || lacks='kubectl '
    [ -f /etc/kubernetes/admin.conf ] || lacks="$lacks/etc/kubernetes/admin.conf"
    say kubeadm-lacks "$lacks"
    [ -z "$lacks" ] || return 0
    status=0
    # kubectl warns beside what it prints. So only if it fails, it is asked again for the reason.
    said=$(configuration) || status=$?
    [ "$status" = 0 ] || said=$(configuration 2>&1 >/dev/null)
    say kubeadm-status "$status"
    say kubeadm "$(printf %s "$said" | head -c 262144 | base64 -w 0)"
}

manifest
files
[ "$kubeadm" != yes ] || record
if command -v curl >/dev/null || command -v wget >/dev/null; then say https yes; else say https no; fi
processes
