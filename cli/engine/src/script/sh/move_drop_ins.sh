# shellcheck shell=sh
# (FROM TO)…: moves each file out of systemd's sight and makes systemd read its units anew.

moved=no
while [ "$#" -ge 2 ]; do
    from=$1 to=$2
    shift 2
    if [ -e "$from" ] || [ -L "$from" ]; then
        parents_of "$to"
        # An earlier one of the same name is kept too.
        mv --backup=numbered -T "$from" "$to"
        sync "${to%/*}"
        rmdir --ignore-fail-on-non-empty "${from%/*}"
        moved=yes
    fi
done
[ "$moved" = yes ] || already
systemctl daemon-reload
changed
