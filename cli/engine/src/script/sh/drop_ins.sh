# shellcheck shell=sh
# A part of facts.sh: what changes a member's unit.

# The files that change each member's unit: those that systemd has read, and those in the folder of the unit
# alone, which it may not have read yet. Of each, the names of what it sets: values may be secret.
drop_ins() {
    rest="$units$nl$nl"
    for word in $members; do
        member "$word"
        block="$nl${rest%%"$nl$nl"*}" rest=${rest#*"$nl$nl"}
        read_already=
        case $block in
        *"$nl"DropInPaths=*)
            read_already=${block#*"$nl"DropInPaths=}
            read_already=${read_already%%"$nl"*}
            ;;
        esac
        set --
        case $block in
        *"$nl"LoadState=loaded*) ;;
        *) unread ;;
        esac
        # shellcheck disable=SC2086
        for file in $read_already; do
            # A name with a blank in it comes in pieces.
            case $file in "$drop_in_dir"/*) ;; /*.conf) set -- "$@" "$file" ;; esac
        done
        set +f
        for file in "$drop_in_dir"/*.conf; do
            if [ -e "$file" ] || [ -L "$file" ]; then set -- "$@" "$file"; fi
        done
        set -f
        found=
        for file do
            case $file in *"$nl"*) continue ;; esac
            sets='?'
            # A link to nothing, or to /dev/null, sets nothing.
            if [ ! -e "$file" ] || [ -c "$file" ]; then
                sets=,
            elif [ -f "$file" ] && [ -r "$file" ]; then
                sets="$(directives "$file"),"
            fi
            found="$found$sets $file$nl"
        done
        say "drop-ins:$name" "$found"
    done
}

# The names of the directives of a drop-in, with commas between. A line that ends with a backslash continues.
directives() {
    head -c "$text_limit" -- "$1" | sed -n \
        -e '/^[[:blank:]]*[#;]/d' -e ':more' -e '/\\$/{' -e '$!{' -e 'N' -e 's/\\\n/ /' -e 'b more' -e '}' -e '}' \
        -e 's/^[[:blank:]]*\([A-Za-z][A-Za-z0-9-]*\)[[:blank:]]*=.*/\1/p' | tr '\n' ','
}

# unread: the files that systemd will read for a unit that it has not loaded yet, from its folders in their order. Of
# files of one name the first counts.
# shellcheck disable=SC2086
unread() {
    read_already='' taken=' ' top=${drop_in_dir%/etc/systemd/system/*} stem=${unit%.service}
    folders="$unit.d"
    while case $stem in *-*) ;; *) false ;; esac do
        stem=${stem%-*}
        folders="$folders $stem-.service.d"
    done
    set +f
    for file in $folders service.d; do
        for place in etc/systemd/system.control run/systemd/system.control run/systemd/transient \
            run/systemd/generator.early etc/systemd/system etc/systemd/system.attached run/systemd/system \
            run/systemd/system.attached run/systemd/generator usr/local/lib/systemd/system \
            usr/lib/systemd/system lib/systemd/system run/systemd/generator.late; do
            for found in "$top/$place/$file"/*.conf; do
                [ -e "$found" ] || [ -L "$found" ] || continue
                case $taken in *" ${found##*/} "*) continue ;; esac
                taken="$taken${found##*/} "
                read_already="$read_already $found"
            done
        done
    done
    set -f
}
