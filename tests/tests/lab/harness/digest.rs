//! The state of a site: everything that quorate manages on its hosts, as lines that two runs of
//! the same apply must share. Collected by the lab's own logins, never by quorate.

use std::collections::BTreeSet;
use std::thread;

use quorate_lab::Host;
use serde_json::Value;

use super::{Members, Stage, on};

/// Prints a host's managed files, unit, process and account. What differs from run to run by right
/// is masked: tokens, ids, keys, serial numbers, times, inodes. What should not be there at all is
/// printed as well, and is in no digest of an undisturbed run.
const SCRIPT: &str = r#"
set -eu
cd /
pki=etc/etcd/main/pki current=$(readlink etc/etcd/main/pki/current)
# The member that took another one's place has none.
token=$(cat var/lib/quorate/main/token 2>/dev/null || echo no-token)
masked() { sed "s/$token/TOKEN/g; s/$current/CURRENT/g"; }

# The generation before the current one stays by right, and is nobody's any more; so does the note of
# a start that was followed by another. The journal's lock file comes with the second lock of a host.
paths() {
    find etc/etcd opt/quorate var/lib/quorate var/lib/etcd/main/member/wal -xdev \
        \( -path "$pki/2*" ! -path "$pki/$current*" -o -path var/lib/quorate/moved-aside \
        -o -path var/lib/quorate/main/restart-due \
        -o -path var/lib/quorate/journal.flock \
        -o -path 'var/lib/etcd/main/member/wal/*' \) -prune -o "$@"
    find etc/systemd/system -name 'etcd-*' "$@"
    [ ! -d etc/kubernetes ] || find etc/kubernetes "$@"
}
paths -printf '%M %u:%g %p -> %l\n' | masked

content() {
    case $1 in
    */lock)
        # Of an earlier boot it is nobody's, as if it had been given back.
        if grep -qx 'until 0' "$1" || ! grep -qx "boot $(cat proc/sys/kernel/random/boot_id)" "$1"; then
            echo free
        else
            cat "$1"
        fi
        ;;
    */lock.flock) flock -n "$1" true && echo nobody holds it ;;
    */journal | */lock.change) ;;
    # Release binaries are held against their manifest.
    opt/quorate/etcd/*/etcd*) ;;
    # When, and of which plan. An apply that was killed after its last step stays unfinished, and one that
    # lost a host after it keeps saying so: the next one finds nothing to do, and writes nothing.
    */applied)
        grep -Eq '"outcome":"(done|unfinished|partial|unreachable)"' "$1" && echo the last apply
        ;;
    */token) grep -Exq '[0-9a-f]{32}' "$1" && echo a token ;;
    */marker) sed -E 's/("(cluster|member)_id":)"[0-9a-f]+"/\1ID/g' "$1" ;;
    */pki/*/manifest) (cd "${1%/*}" && sha256sum --check --strict --quiet manifest && echo it fits) ;;
    opt/quorate/etcd/*/manifest)
        while read -r kind name digest stat; do
            [ "$kind" = file ] || continue
            echo "$digest  ${1%/*}/$name" | sha256sum --check --strict --quiet
            [ "$(stat -c '%i.%s.%Y.%Z' "${1%/*}/$name")" = "$stat" ]
        done <"$1"
        sed 's/ [0-9.]*$//' "$1"
        ;;
    *.crt)
        openssl x509 -in "$1" -noout -subject -issuer -ext basicConstraints,keyUsage,extendedKeyUsage,subjectAltName 2>&1
        ;;
    *.key)
        [ "$(openssl pkey -in "$1" -pubout)" = "$(openssl x509 -in "${1%.key}.crt" -noout -pubkey)" ] &&
            echo the key of its certificate
        ;;
    *) masked <"$1" | sha256sum ;;
    esac
}
paths -type f -print | while read -r path; do
    content "$path" | masked | sed "s|^|$(echo "$path" | masked): |"
done

getent passwd etcd | sed 's/:[0-9]*:[0-9]*:/:ID:ID:/; s/^/account /'
systemctl show etcd-main -p LoadState,ActiveState,SubState,UnitFileState,NeedDaemonReload,DropInPaths
tr '\0' '\n' <"/proc/$(pgrep -x etcd)/cmdline" | grep -v '^--initial-' | sed 's/^/argv /'

# Of a run that is no more.
[ "$(find "$pki" -maxdepth 1 -name '2*' | wc -l)" -le 2 ] || echo "left: generations in $pki"
find / /var /run -xdev \( -path /proc -o -path /sys -o -path /var/lib/quorate/moved-aside \
    -o -path /var/lib/containerd -o -path /run/containerd \) -prune \
    -o -name '*quorate*' ! -path '/var/lib/quorate' ! -path '/opt/quorate' -print |
    sort -u | sed 's/^/left: /'
pgrep -af 's=[$][(]head -c' | sed 's/^/left: /' || true
"#;

/// The state of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest(BTreeSet<String>);

impl Digest {
    /// Reads it from a site whose cluster `main` is up.
    #[track_caller]
    pub(crate) fn collect(stage: &Stage, members: &Members) -> Self {
        let mut lines: BTreeSet<String> = thread::scope(|scope| {
            let hosts: Vec<_> = stage
                .hosts()
                .into_iter()
                .map(|host| scope.spawn(move || lines_of(&host)))
                .collect();
            hosts.into_iter().flat_map(|lines| lines.join().unwrap()).collect()
        });
        let list = members.etcdctl(&stage.host(1), "member list -w json");
        let list: Value = serde_json::from_str(&list).unwrap();
        for member in list["members"].as_array().unwrap() {
            let mut member = member.clone();
            member["ID"] = Value::Null;
            lines.insert(format!("member {member}"));
        }
        let left: Vec<&String> = lines.iter().filter(|line| line.contains(": left: ")).collect();
        assert!(left.is_empty(), "left behind: {left:#?}");
        Self(lines)
    }

    #[track_caller]
    pub(crate) fn expect_same_as(&self, wanted: &Digest) {
        let lacks: Vec<&String> = wanted.0.difference(&self.0).collect();
        let more: Vec<&String> = self.0.difference(&wanted.0).collect();
        assert!(lacks.is_empty() && more.is_empty(), "it lacks: {lacks:#?}\nand has: {more:#?}");
    }
}

fn lines_of(host: &Host) -> Vec<String> {
    let name = host.name();
    on(host, SCRIPT).lines().map(|line| format!("{name}: {line}")).collect()
}
