# shellcheck shell=sh
# UNITS PLACES: what a stranger needs to know of a host to understand what is wrong with it: the system, the units with
# their drop-ins, and names, owners and modes of what lies in PLACES. No file's content but units' is read.

takes 'units places' "$@"

# says WORD…: what a program says, with its words as the heading; a program that is missing or fails says why.
says() {
    printf '\n== %s\n' "$*"
    # waits 60 s
    timeout 5 "$@" 2>&1 | head -c 65536 || true
}

says uname -a
says cat /etc/os-release
says cat /proc/uptime /proc/loadavg
says free -b
says df -B1 -T
says ip -brief address
says ss -lntp
says timedatectl
says systemctl --failed --no-pager
for unit in $units; do
    says systemctl cat --no-pager "$unit"
    says systemctl status --no-pager -n 0 "$unit"
done
for place in $places; do
    says find "$place" -maxdepth 4 -printf '%M %u:%g %s %TY-%Tm-%TdT%TH:%TM %p\n'
done
already
