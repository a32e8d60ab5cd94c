# shellcheck shell=sh
# What was set aside in ROOT/CLUSTER/archived, each as a line: `BYTES CLUSTER/NAME`.

takes 'root' "$@"
tab=$(printf '\t')
# waits 30 s
for folder in "$root"/*/archived; do
    if [ ! -d "$folder" ] || [ -L "$folder" ]; then continue; fi
    cluster=${folder%/archived} cluster=${cluster##*/}
    case $cluster in *[!a-z0-9-]*) continue ;; esac
    for path in "$folder"/*; do
        # A snapshot is a file; all else is a folder.
        name=${path##*/}
        case ${name%-snapshot.db} in '*' | '' | *[!A-Za-z0-9-]*) continue ;; esac
        size=$(du -s -B1 -- "$path") || fail "can't read how large $path is"
        printf '%s %s/%s\n' "${size%%"$tab"*}" "$cluster" "$name"
    done
done
already
