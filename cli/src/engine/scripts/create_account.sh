# shellcheck shell=sh
# NAME HOME SHELL: a system account and group of that name.

name=$1 home=$2 shell=$3

made=no
if ! getent group "$name" >/dev/null; then
    groupadd --system "$name"
    made=yes
fi
if ! getent passwd "$name" >/dev/null; then
    useradd --system --gid "$name" --no-create-home --home-dir "$home" --shell "$shell" "$name"
    made=yes
fi
[ "$made" = yes ] || already
changed
