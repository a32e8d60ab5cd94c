# shellcheck shell=sh
# The logs of a member's pod. A kubelet names a pod for its node, `etcd-a-NODE`, and a pod's folder begins with that
# name: without the node's name the pod of cluster a-b would pass for one of cluster a.

# name_pod FOLDER POD: sets `pod_name` to how the names of POD's pods on this host read, as a pattern. FOLDER is the
# kubelet's folder of logs. A node may have another name than its host: then no pod of the host's name is there.
name_pod() {
    node=$(uname -n | tr '[:upper:]' '[:lower:]')
    if [ -n "$(find "$1" -maxdepth 1 -path "$1/kube-system_etcd-*-${node}_*" 2>/dev/null)" ]; then
        pod_name="$2-$node"
    else
        pod_name="$2-*"
    fi
}

# newest_pod_log FOLDER: the log of the container that started last, of the pod that name_pod named; nothing where there
# is none.
newest_pod_log() {
    find "$1" -path "$1/kube-system_${pod_name}_*/etcd/*.log" -printf '%T@ %p\n' 2>/dev/null |
        sort -n | tail -n 1 | cut -d ' ' -f 2-
}
