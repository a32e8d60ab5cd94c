# shellcheck shell=sh disable=SC2034
# The machine, the fence and the journal: `machine`, `address`, `fence` with `turn`, `journal` with `entry`; none of
# those that are not given.
#
# A new connection may lead to another machine than the one that the plan was made for: a name that points elsewhere
# by now, an address that moved. There not even the lock's file is opened.
#
# A step holds the lock's flock, shared, while it runs. A run that takes the lock over waits for the
# script of a lost connection to end; one that begins later finds another generation and does nothing.

same_machine() {
    if [ -n "$1" ]; then
        IFS= read -r id 2>/dev/null </etc/machine-id || id=
        [ "$id" = "$1" ] || refuse "this login leads to another machine than the plan was made for: its machine-id differs"
    fi
    if [ -n "$2" ]; then
        case $(ip -oneline route get "$2" 2>/dev/null) in
        "local "*) ;;
        *) refuse "this login leads to another machine than the plan was made for: it no longer has $2" ;;
        esac
    fi
}

enter() {
    same_machine "$machine" "$address"
    if [ -n "$fence" ]; then
        exec 9>>"$fence.flock"
        # waits 30 s
        flock -s -w 30 9 || refuse "another run is taking the lock of this host"
        read_lock "$fence"
        [ "$generation" = "$turn" ] || refuse "another run took the lock of this host over: $owner, $why"
        # A script that its run gave up may start after that: no caller waits for it, and no lock keeps others out.
        [ "$until" != 0 ] || refuse "the lock of this host was released"
    fi
    if [ -n "$entry" ]; then
        journal_file=$journal journal_line=$entry
        note begun
    fi
}
