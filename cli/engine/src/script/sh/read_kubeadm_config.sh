# shellcheck shell=sh
# ADMIN: prints the ConfigMap of kubeadm in base64, as JSON. It may hold secrets: what is read is edited in memory and kept
# nowhere.

takes 'admin' "$@"

ask() {
    kubectl --kubeconfig "$admin" --request-timeout=20s get --raw \
        /api/v1/namespaces/kube-system/configmaps/kubeadm-config
}

# kubectl warns beside what it prints. So only if it fails, it is asked again for the reason.
if said=$(ask 2>/dev/null); then
    printf '%s\n' "$(printf %s "$said" | base64 -w 0)"
    already
fi
why=$(ask 2>&1 >/dev/null) || true
fail "the ConfigMap kubeadm-config can't be read: $(printf '%s\n' "$why" | tail -n 1)"
