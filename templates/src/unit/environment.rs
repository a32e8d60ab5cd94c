//! What of a host's environment reaches etcd: nothing.
//!
//! systemd gives every service what `DefaultEnvironment=`, `systemctl set-environment` and the kernel's command line
//! set. A proxy there takes the members' own traffic. `ETCD_NAME` contradicts our flag, which ends etcd.

use crate::flags;
use crate::layout::ReleaseLayout;
use crate::member::{Formation, Member};

/// Runs etcd without an environment but for the socket on which it reports that it is ready. `env` is in
/// `/usr/bin` on every distribution, also where `/usr` is not merged.
const CLEAN: &str = "/usr/bin/env -i NOTIFY_SOCKET=${NOTIFY_SOCKET} ";

/// Variables that Go reads, and its libraries.
const OF_GO: [&str; 14] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "REQUEST_METHOD",
    "GODEBUG",
    "GOGC",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GOTRACEBACK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// Whether etcd takes a password from its environment: while it forms a cluster by a discovery service that asks
/// for a user.
pub(super) fn has_password(member: &Member) -> bool {
    match &member.formation {
        Formation::New { bootstrap, .. } => bootstrap.discovery_user().is_some(),
        Formation::Joining { .. } | Formation::Existing { .. } => false,
    }
}

/// The program of `ExecStart=`, with what is in front of it. `env` would show a password in its arguments.
pub(super) fn start(member: &Member) -> String {
    let etcd = ReleaseLayout::new(member.version).etcd();
    if has_password(member) { etcd } else { format!("{CLEAN}{etcd}") }
}

/// What systemd removes from the environment of a member that [has a password](has_password).
pub(super) fn unset(member: &Member) -> String {
    if !has_password(member) {
        return String::new();
    }
    let of_flags = flags::all(member.version)
        .map(|(name, ..)| format!("ETCD_{}", name.to_uppercase().replace('-', "_")))
        .filter(|name| name != "ETCD_DISCOVERY_PASSWORD");
    OF_GO.iter().map(|name| (*name).to_owned()).chain(of_flags).collect::<Vec<_>>().join(" ")
}

/// Whether the member that a unit's text starts gets nothing of the host's environment.
pub fn keeps_the_hosts_out(unit: &str) -> bool {
    unit.lines().any(|line| {
        line.strip_prefix("ExecStart=").is_some_and(|program| program.starts_with(CLEAN))
            || line.starts_with("UnsetEnvironment=")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use crate::unit::render;

    #[test]
    fn nothing_of_the_hosts_environment_reaches_etcd() {
        for version in ["3.4.23", "3.5.35", "3.6.16", "3.7.3"] {
            for member in [sample::member(version), sample::formed(version)] {
                let unit = render(&member).unwrap();
                assert!(keeps_the_hosts_out(unit.as_str()), "{}", unit.as_str());
                assert!(unit.as_str().contains("\nExecStart=/usr/bin/env -i NOTIFY_SOCKET="));
            }
        }
    }

    #[test]
    fn a_password_is_no_argument_and_every_other_setting_of_the_host_is_removed() {
        let is_user = |(name, _): &(&str, Member)| *name == "new-by-v3-user";
        let (_, member) = sample::by_discovery("3.6.16").into_iter().find(is_user).unwrap();
        let unit = render(&member).unwrap();
        assert!(!unit.as_str().contains("/usr/bin/env"), "{}", unit.as_str());
        let line = unit.as_str().lines().find_map(|line| line.strip_prefix("UnsetEnvironment="));
        let names: Vec<&str> = line.unwrap().split(' ').collect();
        for name in ["HTTPS_PROXY", "https_proxy", "ETCD_NAME", "ETCD_INITIAL_CLUSTER_STATE"] {
            assert!(names.contains(&name), "{name}");
        }
        assert!(!names.contains(&"ETCD_DISCOVERY_PASSWORD"));
        for argument in member.arguments() {
            let name = argument.trim_start_matches("--").split('=').next().unwrap();
            let variable = format!("ETCD_{}", name.to_uppercase().replace('-', "_"));
            assert!(names.contains(&variable.as_str()), "{variable}");
        }
    }
}
