# shellcheck shell=sh
# NAME HOME SHELL: a system account and group of that name, which nobody logs in to.

takes 'name home shell' "$@"

made=no
if ! getent group "$name" >/dev/null; then
    groupadd --system "$name"
    made=yes
fi
if ! getent passwd "$name" >/dev/null; then
    useradd --system --gid "$name" --no-create-home --home-dir "$home" --shell "$shell" "$name"
    made=yes
fi
if [ "$(id -gn "$name")" != "$name" ]; then
    usermod --gid "$name" "$name"
    made=yes
fi
case $(getent passwd "$name") in
*/nologin | */false) ;;
*)
    usermod --shell "$shell" "$name"
    made=yes
    ;;
esac
[ "$made" = yes ] || already
changed
