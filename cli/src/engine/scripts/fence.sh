# shellcheck shell=sh disable=SC2034
# The fence and the journal: LOCK GENERATION JOURNAL ENTRY, in front of the guard's arguments; `-` for
# none of it.
#
# A step holds the lock's flock, shared, while it runs. Whoever takes the lock over waits for the
# script of a lost connection to end; one that begins later finds another generation and does nothing.

if [ "$1" != - ]; then
    exec 9>>"$1.flock"
    # waits 30 s
    flock -s -w 30 9 || refuse "another run is taking the lock of this host"
    read_lock "$1"
    [ "$generation" = "$2" ] || refuse "another run took the lock of this host over: $owner, $why"
fi
if [ "$4" != - ]; then
    journal_file=$3 journal_line=$4
    note begun
fi
shift 4
