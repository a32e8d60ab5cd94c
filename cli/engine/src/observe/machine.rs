//! The machine under a host.

use std::collections::BTreeSet;

use inventories::inventory::Arch;
use planner::facts::{Machine, Namespace, Observed, Selinux};

use super::clock::Skew;
use super::data::Room;
use super::records::Records;
use super::unread::Unread;
use remote::clean;

/// What the steps and the looks run.
const NEEDED: [&str; 32] = [
    "base64",
    "cat",
    "chmod",
    "chown",
    "date",
    "df",
    "env",
    "flock",
    "getent",
    "groupadd",
    "gzip",
    "head",
    "install",
    "ip",
    "journalctl",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "sha256sum",
    "ss",
    "stat",
    "sync",
    "systemctl",
    "tar",
    "timeout",
    "touch",
    "tr",
    "uname",
    "useradd",
];
const DOWNLOADERS: [&str; 2] = ["curl", "wget"];

/// Programs that the host is asked for.
pub(super) fn tools() -> impl Iterator<Item = &'static str> {
    NEEDED.into_iter().chain(DOWNLOADERS)
}

/// Reads what the host said of itself. Whatever is missing makes the host unknown: no guess at it
/// would be safe.
pub(super) fn read(records: &Records, skew: Skew, room: Room) -> Result<Machine, Unread> {
    let found: BTreeSet<&str> =
        records.need("tools", "which programs it has")?.split_whitespace().collect();
    let missing = NEEDED.into_iter().filter(|tool| !found.contains(tool));
    let downloaders = DOWNLOADERS.into_iter().filter(|tool| found.contains(tool));
    Ok(Machine {
        arch: arch(records.need("arch", "its processor architecture")?),
        distribution: distribution(records.text("distribution").unwrap_or_default()),
        systemd: records.text("systemd").and_then(systemd),
        user_namespaces: user_namespaces(records.text("user-namespaces")),
        closed_namespaces: closed_namespaces(records.text("closed-namespaces")),
        selinux: selinux(records.text("selinux")),
        missing_tools: missing.map(str::to_owned).collect(),
        cores: cores(records.need("cpus", "how many processors it has")?)
            .ok_or_else(|| Unread::odd("the host's list of processors can't be read"))?,
        memory: memory(records.need("memory", "how much memory it has")?)
            .ok_or_else(|| Unread::odd("the host's amount of memory can't be read"))?,
        data_free: room.data,
        data_systems: room.systems,
        release_free: room.release,
        clock_skew_ms: skew.skew_ms,
        clock_error_ms: skew.error_ms,
        boot_id: clean(records.need("boot-id", "its boot id")?.as_bytes()),
        machine_id: machine_id(records.text("machine-id")),
        downloaders: downloaders.map(str::to_owned).collect(),
    })
}

/// What `uname -m` says, as etcd's releases call it.
fn arch(machine: &str) -> Result<Arch, String> {
    match machine {
        "x86_64" => Ok(Arch::Amd64),
        "aarch64" => Ok(Arch::Arm64),
        "ppc64le" => Ok(Arch::Ppc64le),
        "s390x" => Ok(Arch::S390x),
        other => Err(clean(other.as_bytes())),
    }
}

fn distribution(pretty_name: &str) -> String {
    let name = clean(pretty_name.trim().trim_matches(['"', '\'']).as_bytes());
    if name.is_empty() { "an unnamed distribution".to_owned() } else { name }
}

/// The kernel's own number; nothing where it has no such setting.
fn user_namespaces(said: Option<&str>) -> Observed<u64> {
    match said.map(str::trim) {
        Some("") => Observed::Absent,
        Some(number) => match number.parse() {
            Ok(number) => Observed::Known(number),
            Err(_) => Observed::Unknown("the number can't be read".to_owned()),
        },
        None => Observed::Unknown("the host did not say it".to_owned()),
    }
}

/// What was not said closes none: a start that fails says why.
fn closed_namespaces(said: Option<&str>) -> BTreeSet<Namespace> {
    let settings: BTreeSet<&str> = said.unwrap_or_default().split_whitespace().collect();
    let is_closed = |kind: &Namespace| settings.contains(kind.setting());
    Namespace::ALL.into_iter().filter(is_closed).collect()
}

/// systemd's own id of the installation. A fresh image may say `uninitialized` until its first boot.
fn machine_id(said: Option<&str>) -> Observed<String> {
    let is_id = |id: &&str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    match said.map(str::trim).filter(is_id) {
        Some(id) => Observed::Known(id.to_owned()),
        None => Observed::Unknown("the host did not say it".to_owned()),
    }
}

/// What the kernel says of SELinux; nothing where it has none.
fn selinux(said: Option<&str>) -> Observed<Selinux> {
    match said.map(str::trim) {
        Some("") => Observed::Absent,
        Some("1") => Observed::Known(Selinux::Enforcing),
        Some("0") => Observed::Known(Selinux::Permissive),
        Some(_) | None => Observed::Unknown("the host did not say it".to_owned()),
    }
}

/// The number in `systemd 252 (252.22-1~deb12u1)`.
fn systemd(version: &str) -> Option<u32> {
    let number = version.strip_prefix("systemd ")?;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

/// The length of a kernel list such as `0-3,8`.
fn cores(list: &str) -> Option<u32> {
    list.trim().split(',').try_fold(0_u32, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

/// The bytes in `MemTotal: 24684084 kB`.
fn memory(line: &str) -> Option<u64> {
    let amount = line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?;
    amount.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_over_gaps() {
        for (list, count) in [("0", 1), ("0-1", 2), ("0-3,8,10-11\n", 7)] {
            assert_eq!(cores(list), Some(count), "{list}");
        }
        for odd in ["", "x", "3-1", "0-4294967295"] {
            assert_eq!(cores(odd), None, "{odd}");
        }
    }

    #[test]
    fn systemd_is_known_by_its_major_version() {
        assert_eq!(systemd("systemd 252 (252.22-1~deb12u1)\n+PAM"), Some(252));
        assert_eq!(systemd("systemd 257.4"), Some(257));
        assert_eq!(systemd("nonsense"), None);
    }

    #[test]
    fn what_the_kernel_does_not_have_is_absent_and_what_was_not_said_is_unknown() {
        assert_eq!(user_namespaces(Some("96212")), Observed::Known(96_212));
        assert_eq!(user_namespaces(Some("0")), Observed::Known(0));
        assert_eq!(user_namespaces(Some("")), Observed::Absent);
        assert_eq!(selinux(Some("1")), Observed::Known(Selinux::Enforcing));
        assert_eq!(selinux(Some("")), Observed::Absent);
        for odd in [None, Some("x")] {
            assert!(matches!(user_namespaces(odd), Observed::Unknown(_)), "{odd:?}");
            assert!(matches!(selinux(odd), Observed::Unknown(_)), "{odd:?}");
        }
    }

    #[test]
    fn namespaces_that_the_kernel_allows_none_of_are_known_by_its_settings() {
        let said = Some(" user.max_mnt_namespaces user.max_uts_namespaces user.max_net_namespaces");
        assert_eq!(closed_namespaces(said), BTreeSet::from([Namespace::Mount, Namespace::Uts]));
        assert_eq!(closed_namespaces(None), BTreeSet::new());
    }

    #[test]
    fn an_architecture_without_releases_is_named() {
        assert_eq!(arch("aarch64"), Ok(Arch::Arm64));
        assert_eq!(arch("riscv64"), Err("riscv64".to_owned()));
    }
}
