#!/usr/bin/env bash
# Packs a built quorate: dist.sh PROGRAM FOLDER writes a tarball, a .deb and SHA256SUMS into the folder. The same
# program gives the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

program=$1 out=$2
version=$("$program" version | sed -n '1s/^quorate \([0-9][^ ]*\).*/\1/p')
[ -n "$version" ] || { echo "dist: $program does not say its version" >&2; exit 1; }
arch=$(dpkg --print-architecture)
# One time for every file: that of the last commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
umask 022

# What both hold, in the places of a package.
root=$tree/root
install -D -m 755 "$program" "$root/usr/bin/quorate"
"$program" man-pages --out "$root/usr/share/man/man1"
gzip -9n "$root"/usr/share/man/man1/*.1
completions() {
    mkdir -p "$(dirname "$root/$2")"
    "$program" completions "$1" >"$root/$2"
}
completions bash usr/share/bash-completion/completions/quorate
completions zsh usr/share/zsh/vendor-completions/_quorate
completions fish usr/share/fish/vendor_completions.d/quorate.fish
doc=$root/usr/share/doc/quorate
mkdir -p "$doc"
install -m 644 README.md CHANGELOG.md docs/*.md "$doc"
install -m 644 LICENSE "$doc/copyright"

mkdir -p "$out"
name=quorate-$version-linux-$arch
cp -a "$root/usr" "$tree/$name"
tar -C "$tree" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c "$name" |
    gzip -9n >"$out/$name.tar.gz"

# The libraries that the program needs, as Debian names them.
needs() {
    ldd "$program" 2>/dev/null | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | while read -r library; do
        dpkg -S "$(readlink -f "$library")" 2>/dev/null || dpkg -S "$library" 2>/dev/null || true
    done | cut -d: -f1 | sort -u | paste -sd, | sed 's/,/, /g'
}
depends=$(needs || true)
mkdir -p "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<TEXT
Package: quorate
Version: $version
Architecture: $arch
Maintainer: The quorate authors <noreply@localhost>
Section: admin
Priority: optional${depends:+
Depends: $depends}
Description: plans and applies etcd clusters over SSH
 quorate creates and maintains dedicated etcd clusters for Kubernetes from one
 TOML file. It shows every change first, and makes it one member at a time.
TEXT
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/quorate_${version}_$arch.deb" >/dev/null

cd "$out"
sha256sum "$name.tar.gz" "quorate_${version}_$arch.deb" >SHA256SUMS
