# shellcheck shell=sh
# Stands before facts.sh, which says records and knows what $boot and $nl are.

# Whether a unit's file runs a program etcd, by itself or by a shell. A command may go on in the next line.
runs_etcd() {
    goes_on=no
    while IFS= read -r line || [ -n "$line" ]; do
        case $goes_on$line in
        yes*) line=" $line" ;;
        noExecStart=* | noExecStart\ *=*)
            line=${line#*=}
            # A program that systemd looks for, perhaps behind a sign.
            while :; do
                case $line in [\ @:+!-]*) line=${line#?} ;; *) break ;; esac
            done
            line=" $line"
            ;;
        *) continue ;;
        esac
        case $line in
        *[/\ ]etcd | *[/\ ]etcd[\ \"\']* | */etcd-wrapper*) return 0 ;;
        *\\) goes_on=yes ;;
        *) goes_on=no ;;
        esac
    done <"$1"
    return 1
}

# What starts an etcd without being asked: enabled units that are named after it, and pods so named in the
# folder of a kubelet that is enabled.
at_boot() {
    IFS=,
    # shellcheck disable=SC2086
    set -- $boot
    unset IFS
    found=
    set +f
    for link in "$1"/*.wants/*etcd*.service "$1"/*.requires/*etcd*.service; do
        # A masked unit is a link to /dev/null.
        [ -f "$link" ] && [ ! -c "$1/${link##*/}" ] || continue
        ! runs_etcd "$link" || found="${found}unit ${link##*/}$nl"
    done
    for link in "$1"/*.wants/"$2"; do
        [ -e "$link" ] || continue
        folder=
        [ ! -f "$3" ] || while read -r key value || [ -n "$key" ]; do
            case $key in staticPodPath:) folder=$value ;; esac
        done <"$3"
        folder=${folder#[\"\']} folder=${folder%[\"\']}
        for file in "${folder:-$4}"/*etcd*; do
            [ ! -f "$file" ] || found="${found}pod $file$nl"
        done
        break
    done
    set -f
    say at-boot "$found"
}
