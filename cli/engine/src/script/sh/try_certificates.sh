# shellcheck shell=sh
# PKI_DIR ETCDCTL CACERT CERT KEY ENDPOINT SECONDS NAMES: whether the member lets etcdctl in with the certificates
# that are in use. Prints what etcdctl said where it did not, after a line `= silent`, then each of the public files NAMES
# of the generation after a line `= NAME`: what a new handshake must show.

takes 'pki etcdctl cacert cert key own seconds names' "$@"
tools="$etcdctl $cacert $cert $key"

# waits 5 s beyond: the last question
end=$(($(now) + seconds))
# shellcheck disable=SC2086
while ! said=$(ask_plain $tools --endpoints="$own" endpoint status 2>&1); do
    if [ "$(now)" -ge "$end" ]; then
        printf '= silent\n%s\n' "$(printf '%s\n' "$said" | tail -n 3)"
        break
    fi
    sleep 0.2
done
for name in $names; do
    printf '= %s\n' "$name"
    cat -- "$pki/current/$name"
    printf '\n'
done
changed
