# shellcheck shell=sh
# Refuses if sudo records the stdin of scripts: keys arrive on it.

takes '' "$@"

[ -n "${SUDO_USER:-}" ] || already
# A sudo that can't say has no such setting, or it is kept where only a login sees it.
said=$(sudo -n -l -U "$SUDO_USER" 2>/dev/null) || already
# sudo lists every line that matches the user, and obeys the last. What it lists after them holds for some
# commands only: one that turns it off there may not be about ours.
input='' stdin='' rule='' for_all=yes
set -f
for word in $(printf '%s\n' "$said" | tr ',' ' '); do
    case $for_all,$word in
    *,'Defaults!'* | *,'Defaults>'*) for_all=no ;;
    *,log_input) input=$word ;;
    *,log_stdin) stdin=$word ;;
    yes,!log_input) input='' ;;
    yes,!log_stdin) stdin='' ;;
    *,LOG_INPUT:) rule=$word ;;
    esac
done
word=${input:-${stdin:-$rule}}
[ -z "$word" ] ||
    refuse "sudo on this host records what $SUDO_USER sends ($word), and would record a private key too"
already
