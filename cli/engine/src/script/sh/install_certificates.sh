# shellcheck shell=sh
# PKI_DIR GENERATION GROUP UNTRIED at-once|tried ENDPOINTS FILES, which are NAME MODE OWNER:GROUP of each, payload: the files in that order, then
# their sha256sum lines, the manifest. All of them come into use at once, with one rename of `current`. Where they
# are to be tried, UNTRIED names the generation that was proven last, until they are. Where there are ENDPOINTS, words,
# the files are those of a client, and one of these members must accept them before they come into use.

takes 'pki generation group untried swap endpoints files' "$@"

# let_in URL: whether the server there lets the new client certificate in. In TLS 1.3 it refuses after the handshake: only
# an answer proves it.
let_in() {
    if command -v curl >/dev/null; then
        said=$(curl -q -sS --globoff --noproxy '*' --max-time 5 --cacert "$work/ca.crt" --cert "$work/client.crt" \
            --key "$work/client.key" -o /dev/null -w '%{http_code}' "$1/version" 2>&1)
        [ "$said" = 200 ]
    else
        said=$(wget -q -O - --no-config --no-proxy --timeout=5 --tries=1 --ca-certificate="$work/ca.crt" \
            --certificate="$work/client.crt" --private-key="$work/client.key" "$1/version" 2>&1) &&
            case $said in *etcdserver*) ;; *) false ;; esac
    fi
}

proven_by_a_member() {
    refusals=
    for url in $endpoints; do
        # waits 90 s: nine members that do not answer
        let_in "$url" && return 0
        refusals="$refusals
$url: $(printf '%s\n' "$said" | head -n 1)"
    done
    fail "no member lets the new client certificate in, so the one in use stays$refusals"
}

[ -z "$endpoints" ] || (umask 022 && mkdir -p "$pki")

swept "$pki/generation"
work=$(mktemp -d "$pki/.quorate-generation.XXXXXX")
# shellcheck disable=SC2086
set -- $files
index=1
while [ "$#" -gt 0 ]; do
    # The transport numbers the blobs.
    eval "length=\$blob$index"
    recv "$length" >"$work/$1"
    chmod "$2" "$work/$1"
    chown "$3" "$work/$1"
    shift 3
    index=$((index + 1))
done
eval "length=\$blob$index"
recv "$length" >"$work/manifest"
arrived
chown root:root "$work/manifest"
chmod 0644 "$work/manifest"
(cd "$work" && sha256sum --check --strict --quiet manifest) ||
    fail "the certificates did not arrive as they were sent"
[ -z "$endpoints" ] || proven_by_a_member
sync "$work"/*
chown "root:$group" "$work"
chmod 0750 "$work"
sync "$work"
mv -T "$work" "$pki/$generation"
work=
sync "$pki"

previous=
[ ! -L "$pki/current" ] || previous=$(readlink "$pki/current")
# Before they are in use: a run that finds them also finds that they are untested. What follows an untried
# generation falls back to what was before both.
proven=
if [ "$swap" = tried ]; then
    proven=$(cat "$untried" 2>/dev/null) || proven=$previous
    begin_file "$untried"
    printf '%s\n' "$proven" >"$work"
    end_file "$untried" 0644 root:root
fi
swept "$pki/current"
link=$(mktemp -u "$pki/.quorate-current.XXXXXX")
ln -sT "$generation" "$link"
mv -fT "$link" "$pki/current"
[ "$swap" = tried ] || rm -f -- "$untried"
sync "$pki"

# The generation before this one stays: a process that reads a file at this moment finds its other half.
for entry in "$pki"/*; do
    case ${entry##*/} in
    current | "$generation" | "$previous" | "$proven") ;;
    *) [ -L "$entry" ] || [ ! -f "$entry/manifest" ] || rm -rf -- "$entry" ;;
    esac
done
changed
