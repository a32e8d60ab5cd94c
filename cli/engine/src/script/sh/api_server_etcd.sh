# shellcheck shell=sh
# Asks the servers of an API server, with its own certificate, how many keys its prefix has and of which cluster they
# are. The reply is records, as that of facts.sh.
#
# CACERT CERT KEY QUESTION, a range of keys as etcd's gateway reads it, then SERVER…

exec </dev/null 2>/dev/null
set -f

say() { printf '%s %s\n%s\n' "$1" "${#2}" "$2"; }

cacert=$1 cert=$2 key=$3 question=$4
shift 4
command -v curl >/dev/null || exit 0
number=0
for server do
    said=$(curl -q -sS --globoff --noproxy '*' --max-time 10 --cacert "$cacert" --cert "$cert" --key "$key" \
        -d "$question" "$server/v3/kv/range" 2>&1 | head -c 4096)
    say "answer:$number" "$said"
    number=$((number + 1))
done
