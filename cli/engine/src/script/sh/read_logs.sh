# shellcheck shell=sh
# UNIT POD PODS LINES SINCE BYTES: the newest lines of a member, wherever it ran: of its unit as JSON, and of the pods
# in the folder PODS as their runtime wrote them. SINCE is in seconds since 1970, or empty. The first line of each may
# be cut off.

takes 'unit pod pods lines since bytes' "$@"
journalctl -u "$unit" -n "$lines" ${since:+"--since=@$since"} -o json --output-fields=MESSAGE -a -q --no-pager 2>&1 |
    tail -c "$bytes"
name_pod "$pods" "$pod"
find "$pods" -path "$pods/kube-system_${pod_name}_*/etcd/*.log*" ! -name '*.gz' -printf '%T@ %p\n' 2>/dev/null | sort -n | cut -d' ' -f2- |
    while IFS= read -r log; do cat -- "$log"; done | tail -n "$lines" | tail -c "$bytes"
already
