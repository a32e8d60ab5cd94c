# shellcheck shell=sh
# ADMIN, payload: the ConfigMap of kubeadm as it is to be, as JSON. The API server takes it only if the version in it is
# still the newest one. It may hold secrets, so it goes from pipe to pipe.

takes 'admin' "$@"

body=$(recv "$blob1")
arrived
status=0
said=$(printf %s "$body" | kubectl --kubeconfig "$admin" --request-timeout=20s replace --raw \
    /api/v1/namespaces/kube-system/configmaps/kubeadm-config -f - 2>&1 >/dev/null) || status=$?
case $status,$said in
0,*) changed ;;
*,*'(Conflict)'*) refuse 'the ConfigMap kubeadm-config has changed since it was read' ;;
esac
fail "the ConfigMap kubeadm-config can't be written: $(printf '%s\n' "$said" | tail -n 1)"
