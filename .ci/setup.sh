# shellcheck shell=bash disable=SC2034
# What ./dev installs where it is missing: packages, Rust and Go. It says what before it does.

# What is compiled with, and what the lab is made of.
BUILD_PACKAGES=(build-essential pkg-config libssl-dev curl ca-certificates)
LAB_PACKAGES=(systemd-container mmdebstrap debian-archive-keyring openssh-client openssl iproute2
    nftables e2fsprogs zstd)
# Only where the hosts are to ask for names. Without the service that the full package would start.
DNS_PACKAGES=(dnsmasq-base)
# What the tests below the lab hold the code against: a linter, an SSH server, and login shells.
TEST_PACKAGES=(shellcheck openssh-server openssh-client openssl fish tcsh zsh mksh busybox)

# Installs the packages that are missing.
packages() {
    command -v dpkg-query >/dev/null ||
        die "this is neither Debian nor Ubuntu" "see $0 for the packages that it would install"
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing packages: ${missing[*]}"
    need_root "${COMMAND:-}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || die "apt-get update failed" "look at its words above"
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get install failed" "look at its words above"
}

# What the tests below the lab need. Tests start SSH servers of their own, on loopback: that of this
# machine, if it had none, stays off.
test_packages() {
    local unit
    if ! dpkg-query -W -f '${db:Status-Status}' openssh-server 2>/dev/null | grep -qx installed; then
        need_root "${COMMAND:-}"
        say "keeping this machine's SSH server off (undo: systemctl unmask ssh.service ssh.socket)"
        mkdir -p /etc/systemd/system
        for unit in ssh.service ssh.socket; do
            [ -e "/etc/systemd/system/$unit" ] || ln -s /dev/null "/etc/systemd/system/$unit"
        done
    fi
    packages "${TEST_PACKAGES[@]}"
}

# Rust by rustup, in the version of rust-toolchain.toml.
rust() {
    export HOME="${HOME:-/root}"
    PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
    if ! command -v cargo >/dev/null; then
        say "installing Rust with rustup, into ${CARGO_HOME:-$HOME/.cargo}"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
            sh -s -- -y -q --no-modify-path --profile minimal --default-toolchain none ||
            die "rustup could not be installed" "install it by hand: https://rustup.rs"
    fi
    rustc --version >/dev/null 2>&1 && return 0
    local version
    version=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    say "installing Rust $version"
    rustup toolchain install "$version" --profile minimal -c clippy -c rustfmt ||
        die "Rust $version could not be installed" "rustup's words are above"
}

# Prints the minor of a go program, or fails.
go_minor() {
    local version
    version=$("$1" version 2>/dev/null) || return 1
    version=${version#go version go1.}
    printf '%s\n' "${version%%[!0-9]*}"
}

# Puts a Go on the PATH that can fetch the one that etcd wants (1.21 or newer).
find_go() {
    local program
    for program in "$(command -v go || true)" /usr/local/go/bin/go /usr/lib/go-1.*/bin/go; do
        if [ -x "$program" ] && [ "$(go_minor "$program" || echo 0)" -ge 21 ]; then
            PATH="$(dirname "$program"):$PATH"
            return 0
        fi
    done
    return 1
}

# Go, which builds the etcd releases that no distribution has.
go_toolchain() {
    # Distributions switch this off, and etcd asks for newer versions than they have.
    export GOTOOLCHAIN="${GOTOOLCHAIN:-auto}"
    find_go && return 0
    need_root "${COMMAND:-}"
    say "installing Go"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    if ! newest_go; then
        backports
        newest_go || true
    fi
    find_go || die "no Go of 1.21 or newer is to be had from apt" "install one: https://go.dev/doc/install"
}

# Installs the newest golang-1.N that apt knows, if it is new enough.
newest_go() {
    local newest
    newest=$(apt-cache pkgnames golang-1. | sed -n 's/^golang-1\.\([0-9]*\)$/\1/p' | sort -n | tail -1)
    [ "${newest:-0}" -ge 21 ] || return 1
    apt-get install -y -qq --no-install-recommends "golang-1.$newest-go" >/dev/null
}

# Lets apt see this suite's backports, from the mirror that it uses already.
backports() {
    local list=/etc/apt/sources.list.d/quorate-backports.list suite mirror
    suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # shellcheck disable=SC2016 # $(SITE) is apt's
    mirror=$(apt-get indextargets --format '$(SITE)' "Release: $suite" | sort -u | sed -n 1p)
    [ -n "$mirror" ] || return 0
    say "adding $suite-backports to apt ($list)"
    printf 'deb %s %s-backports main\n' "$mirror" "$suite" >"$list"
    apt-get update -qq
}
