# shellcheck shell=sh
# Stands before facts.sh, which says records and knows what $boot and $nl are.

# Whether a unit's file runs a program etcd. A command may continue in the next line.
runs_etcd() {
    command='' resumes=no
    while IFS= read -r line || [ -n "$line" ]; do
        case $resumes$line in
        yes*) ;;
        noExecStart=* | noExecStart\ *=*)
            line=${line#*=}
            # A program that systemd looks for, perhaps behind a sign.
            while :; do
                case $line in [\ @:+!-]*) line=${line#?} ;; *) break ;; esac
            done
            ;;
        *) continue ;;
        esac
        command="$command ${line%\\}" resumes=yes
        case $line in *\\) continue ;; esac
        # shellcheck disable=SC2086
        ! is_etcd $command || return 0
        command='' resumes=no
    done <"$1"
    return 1
}

# Whether a command's words run etcd: directly, behind a program that runs another one, in the words of a shell or in
# a container. A mere argument of a program, such as a folder, does not count.
is_etcd() {
    at=program value=no quote=
    for word; do
        if [ -n "$quote" ]; then
            case $word in *"$quote") quote= ;; esac
            continue
        fi
        bare=${word#[\"\']}
        bare=${bare%;}
        bare=${bare%[\"\']}
        case $at in
        program) ! program_is_etcd || return 0 ;;
        wrapped) ! wrapped_is_etcd || return 0 ;;
        shell)
            case $bare in
            --* | pipefail) ;;
            -*c) at=program ;;
            -*) ;;
            *) ! program_is_etcd || return 0 ;;
            esac
            ;;
        engine)
            case $bare in
            run | start) at=$bare ;;
            exec | pull | stop | rm | cp | kill | wait | logs) at=args ;;
            esac
            ;;
        start) [ "$bare" != etcd ] || return 0 ;;
        run) run_word ;;
        # A program of the image is run in the place of etcd.
        image) case $bare in *etcdctl* | *etcdutl*) at=args ;; esac ;;
        esac
        case $at$word in
        args*\; | 'args&&' | 'args||' | 'args|' | 'args&') at=program ;;
        esac
    done
    [ "$at" = image ]
}

# The word in the place of a program.
program_is_etcd() {
    case $bare in
    [A-Za-z_]*=* | if | then | do | else | while | until | '{' | '(' | !) return 1 ;;
    esac
    at=args
    case ${bare##*/} in
    etcd | etcd-wrapper*) return 0 ;;
    sh | bash | dash | ash | ksh | zsh) at=shell ;;
    podman | docker | nerdctl | ctr) at=engine ;;
    env | exec | command | nice | ionice | nohup | setsid | chrt | taskset | numactl | timeout | stdbuf | systemd-run | \
        systemd-inhibit | systemd-cat | runuser | setpriv | sudo | doas | tini | dumb-init | catatonit | snap)
        at=wrapped value=no
        ;;
    esac
    return 1
}

# A word behind a program that runs the one in its arguments. Which of its options take a value is not known.
wrapped_is_etcd() {
    case $value$bare in
    *-- | *-[0-9]* | *-*=*) value=no ;;
    no-* | yes-*) value=yes ;;
    yes*/bin/etcd) return 0 ;;
    yes*) value=no ;;
    no[0-9]* | no[A-Za-z_]*=* | norun) ;;
    *) program_is_etcd && return 0 ;;
    esac
    return 1
}

# A word of `run` of a container engine: an option, its value, or the image.
run_word() {
    if [ "$value" != no ]; then
        case $value$bare in
        entrypoint*etcdctl | entrypoint*etcdutl) at=args ;;
        yes/* | yes*=*) ;;
        # The option took no value.
        yes*/etcd[:@]*) at=image ;;
        esac
        value=no
        opens_quote
        return 0
    fi
    case $bare in
    --entrypoint=*etcdctl | --entrypoint=*etcdutl) at=args ;;
    --entrypoint) value=entrypoint ;;
    -*=*) opens_quote ;;
    -[dit] | -[dit][dit] | -[dit][dit][dit] | -P | -q | --rm | --rmi | --detach | --tty | --interactive | --init | \
        --privileged | --read-only | --replace | --net-host | --publish-all | --quiet | --no-hosts | --no-healthcheck) ;;
    -*) value=yes ;;
    *)
        bare=${bare##*/}
        case ${bare%%[:@]*} in
        etcd | *-etcd | etcd-a*64) at=image ;;
        *) at=args ;;
        esac
        ;;
    esac
}

# A value with blanks ends where its quote does.
opens_quote() {
    case $word in
    *[\"\']) ;;
    *\"*) quote=\" ;;
    *\'*) quote=\' ;;
    esac
}

# The folders of units that outlive a boot, or that generators fill at each one.
boot_places='etc/systemd/system run/systemd/generator.early run/systemd/generator run/systemd/generator.late
usr/local/lib/systemd/system usr/lib/systemd/system lib/systemd/system'

# The file of a unit, as systemd finds it, or nothing.
unit_file() {
    for place in $boot_places; do
        file=$top/$place/$1
        [ ! -e "$file" ] || return 0
    done
    file=
}

# A masked unit is a link to /dev/null.
is_masked() { [ -c "$top/etc/systemd/system/$1" ]; }

# note_started BY NAME: where the unit that is started by another one runs etcd.
note_started() {
    is_masked "$2" || unit_file "$2"
    if [ -f "${file:-}" ] && ! is_masked "$2" && runs_etcd "$file"; then
        found="${found}started $1 $2$nl"
    fi
}

# The values of these directives of a unit's file, as words.
values_of() { sed -n "s/^[[:blank:]]*\\($1\\)[[:blank:]]*=//p" "$2" | tr -c '[:alnum:]@:._\\\n-' ' '; }

# What starts an etcd without being asked: units that are enabled, whatever enables them, those that they start, and
# pods so named in the folder of a kubelet that is enabled.
at_boot() {
    IFS=,
    # shellcheck disable=SC2086
    set -- $boot
    top=${1%/etc/systemd/system} boot_kubelet=$2 boot_config=$3 boot_folder=$4 found=
    unset IFS
    set --
    set +f
    for place in $boot_places; do
        for link in "$top/$place"/*.wants/* "$top/$place"/*.requires/* "$top/$place"/*.upholds/*; do
            case $link in
            *.service | *.timer | *.path | *.socket) [ ! -f "$link" ] || set -- "$@" "$link" ;;
            esac
        done
    done
    set -f
    enabled_units "$@"
    pods_at_boot "$@"
    say at-boot "$found"
}

enabled_units() {
    for link; do
        by=${link##*/}
        ! is_masked "$by" || continue
        # By name, unless the unit says another one.
        case $by in
        *.timer | *.path) starts=$(values_of Unit "$link") ;;
        *.socket) starts=$(values_of Service "$link") ;;
        *) continue ;;
        esac
        for started in ${starts:-"${by%.*}.service"}; do note_started "$by" "$started"; done
    done
    IFS=$nl
    for link in $(grep -ls etcd /dev/null "$@" || true); do
        unset IFS
        by=${link##*/}
        ! is_masked "$by" || continue
        case $by in *.service) ! runs_etcd "$link" || found="${found}unit $by$nl" ;; esac
        for started in $(values_of 'Wants\|Requires\|BindsTo\|Upholds' "$link"); do
            case $started in *.service) note_started "$by" "$started" ;; esac
        done
    done
    unset IFS
}

# The pods of the kubelet, if it is among these units.
pods_at_boot() {
    for link; do
        [ "${link##*/}" = "$boot_kubelet" ] || continue
        folder=
        [ ! -f "$boot_config" ] || while read -r key value || [ -n "$key" ]; do
            case $key in staticPodPath:) folder=$value ;; esac
        done <"$boot_config"
        folder=${folder#[\"\']} folder=${folder%[\"\']}
        set +f
        for file in "${folder:-$boot_folder}"/*etcd*; do
            [ ! -f "$file" ] || found="${found}pod $file$nl"
        done
        set -f
        return
    done
}
