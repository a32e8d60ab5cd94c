# shellcheck shell=sh
# Refuses where sudo records what scripts get on their stdin: keys would come that way.

[ -n "${SUDO_USER:-}" ] || already
# A sudo that can't say has no such setting, or it is kept where only a login sees it.
said=$(sudo -n -l -U "$SUDO_USER" 2>/dev/null) || already
set -f
for word in $(printf '%s\n' "$said" | tr ',' ' '); do
    case $word in
    log_input | log_stdin | LOG_INPUT:)
        refuse "sudo on this host records what $SUDO_USER sends ($word), and so would a private key"
        ;;
    esac
done
already
