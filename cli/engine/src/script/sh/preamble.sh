# shellcheck shell=sh disable=SC2154,SC2317
# (The transport sets blob1 and its like; not every script uses every function.)
#
# What every step's script begins with. The transport runs it as root with `sh`; see `Call`.
#
# Each argument is KEY=VALUE: those of the fence and the journal, see fence.sh, of the guard, see guards.sh, and the
# script's own, which it names in its first line: `takes 'KEY…' "$@"`.
#
# How a script ends, which `answer.rs` reads:
#
#   status 0    the last line is `changed` or `already`
#   status 80   `refused REASON`: what the plan relied on no longer holds; nothing was changed
#   status 81   `cut`: the payload did not arrive whole; nothing was changed
#   status 82   `undownloaded REASON`: this host could not fetch an archive; nothing was changed
#   status 83   `unsure REASON`: what the step changes is in its place, and may not last
#   any other   `failed REASON`, then more of the host's own words; without such a line, a command
#               failed and said why on stderr
#
# A file is replaced whole or not at all: what is new is written beside it under a name of our own,
# synced, renamed over it, and the directory synced. `.quorate-NAME.??????` that an earlier run left
# behind when it was killed is swept by the next run that writes NAME.

set -eu

work='' journal_line='' journal_file='' begun_at=0
trap 'note failed; if [ -n "$work" ]; then rm -rf -- "$work"; fi' EXIT

# Hundredths of a second of a clock that nobody sets; 0 where the kernel shows none.
ticks() {
    tick=0.00
    read -r tick _ 2>/dev/null </proc/uptime || true
    tick=$((${tick%.*} * 100 + 1${tick#*.} - 100))
}

# now: the same clock in whole seconds, for times that a script waits.
now() { cut -d. -f1 /proc/uptime; }

# take_away FILE: removes it where it is there, and says so in $moved.
take_away() {
    if [ -e "$1" ]; then
        rm -f -- "$1"
        sync "${1%/*}"
        moved=yes
    fi
}

# journaled LINE: appends it. What runs under no lock must not meet the run that shortens the journal: it would write
# into the file that goes.
journaled() {
    if [ -n "$fence" ]; then
        printf '%s\n' "$1" >>"$journal_file"
    else
        # A line late is better than none.
        { flock -w 5 5 || true; printf '%s\n' "$1" >>"$journal_file"; } 5>>"$journal_file.flock"
    fi
}

# note OUTCOME: one line of the journal; what comes after an outcome is not noted. An end says how long it took.
note() {
    if [ -n "$journal_line" ] && [ "$1" = begun ]; then
        journaled "$journal_line,\"outcome\":\"begun\"}"
        ticks
        begun_at=$tick
    elif [ -n "$journal_line" ]; then
        ticks
        journaled "$journal_line,\"took_ms\":$(((tick - begun_at) * 10)),\"outcome\":\"$1\"}"
        journal_line=
    fi
}

changed() { note 'done'; echo changed; exit 0; }
already() { note already; echo already; exit 0; }
refuse() { note refused; printf 'refused %s\n' "$*"; exit 80; }
fail() { note failed; printf 'failed %s\n' "$*"; exit 1; }
unsure() { note failed; printf 'unsure %s is in place, but %s\n' "$1" "$2"; exit 83; }

# lasts PATH: what was just renamed to PATH is on the disk.
lasts() {
    sync "${1%/*}" || unsure "$1" "its folder can't be synced: look at the disk"
}

# What every script may be given; empty where it is not given.
common="machine address fence turn journal entry guard guard_file guard_site guard_marker guard_witness"
common="$common guard_digests guard_log guard_asked guard_places"

# takes KEYS ARGUMENT…: passes the fence and the guard, and then sets all of the script's own KEYS.
takes() {
    own_keys=$1
    shift
    for its_key in $common; do eval "$its_key="; done
    assign "$common" "$own_keys" "$@"
    enter
    check_guard
    # A variable of the host's environment stays exported: every program would be handed our value. -v, because the
    # name may be that of a function.
    for its_key in $own_keys; do unset -v "$its_key"; done
    assign "$own_keys" "$common" "$@"
    for its_key in $own_keys; do
        eval "[ -n \"\${$its_key+is}\" ]" || fail "the script's argument $its_key is missing"
    done
}

# assign KEYS OTHERS ARGUMENT…: each argument of KEYS becomes a variable. The shell reads a name that we know, and
# never a value.
assign() {
    these_keys=" $1 " other_keys=" $2 "
    shift 2
    for argument; do
        its_key=${argument%%=*}
        case $its_key in
        "$argument" | '' | *[!a-z0-9_]*) fail "the script takes no argument $its_key" ;;
        esac
        case $these_keys,$other_keys in
        *" $its_key "*,*) eval "$its_key=\${argument#*=}" ;;
        *,*" $its_key "*) ;;
        *) fail "the script takes no argument $its_key" ;;
        esac
    done
}

# The payload is here in full; to be asked after the last `recv` and before the first change.
arrived() {
    whole || { echo cut; exit 81; }
}

# swept PATH: removes what killed runs left of PATH.
swept() {
    for stale in "${1%/*}/.quorate-${1##*/}".??????; do
        if [ -e "$stale" ] || [ -L "$stale" ]; then
            rm -rf -- "$stale"
        fi
    done
}

# begin_file PATH: an empty file beside PATH for root's eyes only, in $work.
begin_file() {
    swept "$1"
    work=$(mktemp "${1%/*}/.quorate-${1##*/}.XXXXXX")
}

# is_written PATH MODE OWNER:GROUP: whether PATH already is what $work holds.
is_written() {
    [ -f "$1" ] && [ ! -L "$1" ] &&
        [ "$(stat -c '%a %U:%G' "$1")" = "$2 $3" ] &&
        [ "$(sha256sum <"$1")" = "$(sha256sum <"$work")" ]
}

# end_file PATH MODE OWNER:GROUP: $work becomes PATH.
end_file() {
    chown "$3" "$work"
    chmod "$2" "$work"
    sync "$work"
    mv -fT "$work" "$1"
    work=
    lasts "$1"
}

# put_text PATH MODE TEXT: PATH becomes root's file of TEXT, whose last character is not of it: a shell drops
# line ends at the end of a text. Says in $moved whether it was another one.
put_text() {
    begin_file "$1"
    printf %s "${3%.}" >"$work"
    if is_written "$1" "$2" root:root; then
        rm -f -- "$work"
        work=
    else
        end_file "$1" "0$2" root:root
        # shellcheck disable=SC2034
        moved=yes
    fi
}

# parents_of PATH: makes the directories above PATH, which anybody may pass through.
parents_of() {
    (umask 022 && mkdir -p "${1%/*}")
}

# own_folder PATH: a folder for root alone, in one that may be somebody else's.
own_folder() {
    if [ -L "$1" ] || { [ -e "$1" ] && [ ! -d "$1" ]; }; then
        fail "$1 is not a directory"
    fi
    [ -d "$1" ] || mkdir -m 0700 "$1"
    # etcd's account owns the folder above, and could put a link in its place: it is changed from inside.
    (
        cd -P -- "$1" && [ "$(stat -c %d:%i .)" = "$(stat -c %d:%i -- "$1")" ] || exit 1
        chown root:root . && chmod 0700 .
    ) || fail "$1 is not a directory of its own"
}

# of_unit UNIT PROPERTY: what systemd says of it.
of_unit() {
    systemctl show --property "$2" --value "$1"
}

# journal_of UNIT: the end of its journal.
journal_of() {
    journalctl -u "$1" -n 15 -o cat --no-pager 2>/dev/null || true
}

# why_ended UNIT RESULT STATUS: the result, with systemd's own word (203/EXEC, 217/USER, 200/CHDIR) where it did not
# reach the program. Its journal has the reason.
why_ended() {
    word=
    case $3 in
    2[0-4][0-9])
        word=$(journal_of "$1" | sed -n "s/.*status=\($3\/[A-Z_]*\).*/\1/p" | tail -n 1)
        word=${word:-$3}
        ;;
    126 | 127) word="$3, /usr/bin/env could not run etcd" ;;
    esac
    printf %s "$2${word:+, $word}"
}
