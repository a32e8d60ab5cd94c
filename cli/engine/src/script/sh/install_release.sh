# shellcheck shell=sh
# DIR SHA256 VERSION URL SECONDS BYTES PROXY: installs the archive of that sha256 as DIR. It is downloaded
# from URL within so many seconds and bytes; where URL is empty, it is the payload. Where PROXY is empty, the
# login's environment says which proxy there is.
#
# The manifest beside the binaries lets later facts tell whether they are still what was installed,
# without reading them: inode, size, mtime and ctime survive the renaming of their directory.

takes 'dir sha256 version url seconds bytes proxy' "$@"

# sha256_of FILE: sets $digest. OpenSSL uses what the processor has for this and takes a quarter of the
# time; a host without it, or whose OpenSSL may not, has sha256sum.
sha256_of() {
    digest=$(openssl dgst -sha256 -r <"$1" 2>/dev/null) || digest=$(sha256sum <"$1") || return 1
    digest=${digest%% *}
}

# is_whole: whether DIR came from this archive and every file is as it was then.
is_whole() {
    [ -f "$dir/manifest" ] || return 1
    origin=
    while read -r kind name installed stat; do
        case $kind in
        quorate-release) ;;
        archive) origin=$name ;;
        file)
            sha256_of "$dir/$name" || return 1
            [ "$digest" = "$installed" ] || return 1
            [ "$(stat -c '%i.%s.%Y.%Z' "$dir/$name")" = "$stat" ] || return 1
            ;;
        *) return 1 ;;
        esac
    done <"$dir/manifest" 2>/dev/null
    [ "$origin" = "$sha256" ]
}

undownloaded() { printf 'undownloaded %s\n' "$*"; exit 82; }

# download FILE: within the time and size that are given; the checksum is the judge of the rest.
download() {
    limit=$((bytes + 1))
    said="$work/said"
    if [ -n "$proxy" ]; then
        http_proxy=$proxy https_proxy=$proxy
        export http_proxy https_proxy
        # Nothing of the environment wins over it.
        unset no_proxy NO_PROXY HTTPS_PROXY ALL_PROXY all_proxy
    fi
    if command -v curl >/dev/null; then
        { timeout "$seconds" curl -q --globoff --silent --show-error --fail --location \
            --proto '=http,https' --proto-redir '=http,https' --connect-timeout 10 \
            --url "$url" 2>"$said" || echo "$?" >"$work/failed"; } | head -c "$limit" >"$1"
    elif command -v wget >/dev/null; then
        { timeout "$seconds" wget --no-config --no-verbose --tries=1 --timeout=30 \
            --output-document=- -- "$url" 2>"$said" || echo "$?" >"$work/failed"; } |
            head -c "$limit" >"$1"
    else
        undownloaded "the host has neither curl nor wget"
    fi
    if [ "$(stat -c %s "$1")" -gt "$bytes" ]; then
        undownloaded "$url is larger than $bytes bytes"
    fi
    if [ -e "$work/failed" ]; then
        [ "$(cat "$work/failed")" != 124 ] || undownloaded "$url took longer than $seconds s"
        undownloaded "$(tr '\n' ' ' <"$said")"
    fi
}

root=${dir%/*}
parents_of "$dir"
swept "$dir"
is_whole && already

work=$(mktemp -d "$root/.quorate-${dir##*/}.XXXXXX")
archive="$work/archive.tar.gz"
if [ -n "$url" ]; then
    download "$archive"
else
    recv "$blob1" >"$archive"
    arrived
fi
sha256_of "$archive"
[ "$digest" = "$sha256" ] ||
    fail "the archive${url:+ from $url} has sha256 $digest, and the inventory wants $sha256; nothing was installed"

# All of it: to ask first what is in it would unpack it twice, and what is not wanted of it is small.
mkdir "$work/unpacked" "$work/new"
tar -xzf "$archive" -C "$work/unpacked" --no-same-owner --no-same-permissions
for name in etcd etcdctl etcdutl; do
    for file in "$work"/unpacked/*/"$name"; do
        [ -e "$file" ] || [ -L "$file" ] || continue
        if [ ! -f "$file" ] || [ -L "$file" ]; then
            fail "$name in the archive is not a file"
        fi
        mv -nT "$file" "$work/new/$name"
    done
done
for name in etcd etcdctl; do
    [ -f "$work/new/$name" ] || fail "the archive holds no $name"
done
chown root:root "$work"/new/*
chmod 0755 "$work"/new/* "$work/new"

said=$(env -i "$work/new/etcd" --version) || fail "the archive's etcd does not run on this host"
case $said in
"etcd Version: $version
"*) ;;
*) fail "the archive's etcd is not $version: it says $(printf '%s' "$said" | head -n 1)" ;;
esac

{
    echo "quorate-release 1"
    echo "archive $sha256"
    for file in "$work"/new/etcd*; do
        sha256_of "$file"
        echo "file ${file##*/} $digest $(stat -c '%i.%s.%Y.%Z' "$file")"
    done
} >"$work/manifest"
mv -T "$work/manifest" "$work/new/manifest"
chmod 0644 "$work/new/manifest"
sync "$work"/new/* "$work/new"

# What is swept is swept by a next run, and there is one only while DIR is not whole: so everything else
# is gone before the last renaming.
ready=$(mktemp -du "$root/.quorate-${dir##*/}.XXXXXX")
mv -T "$work/new" "$ready"
rm -rf -- "$work"
work=$ready
if [ -e "$dir" ] || [ -L "$dir" ]; then
    stale=$(mktemp -du "$root/.quorate-${dir##*/}.XXXXXX")
    mv -T "$dir" "$stale"
    rm -rf -- "$stale" || unsure "$ready" "$dir was removed for it and $stale can't be"
    mv -T "$ready" "$dir" || unsure "$ready" "$dir was removed for it"
else
    mv -T "$ready" "$dir"
fi
work=
lasts "$dir"
changed
