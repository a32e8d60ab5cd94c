# shellcheck shell=sh
# ADMIN: prints the ConfigMap of kubeadm in base64, as JSON. It may hold secrets: what is read is edited in memory and kept
# nowhere.

takes 'admin' "$@"

status=0
said=$(kubectl --kubeconfig "$admin" --request-timeout=20s get --raw \
    /api/v1/namespaces/kube-system/configmaps/kubeadm-config 2>&1) || status=$?
[ "$status" = 0 ] || fail "the ConfigMap kubeadm-config can't be read: $(printf '%s\n' "$said" | tail -n 1)"
printf '%s\n' "$(printf %s "$said" | base64 -w 0)"
already
