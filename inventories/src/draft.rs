//! The inventory that `quorate init` writes: ready to use, and commented where a choice is left.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;

use toml_edit::Value;

use crate::inventory::{Arch, HostKeyPin};
use crate::names::{HostName, SiteName};
use crate::version::EtcdVersion;

/// A host of the draft.
#[derive(Debug, Clone)]
pub struct DraftHost {
    /// Its name.
    pub name: HostName,
    /// Where etcd listens.
    pub address: IpAddr,
    /// Where to log in, if not at `address`.
    pub ssh_host: Option<String>,
    /// The login user, if SSH's own configuration does not say.
    pub ssh_user: Option<String>,
    /// The SSH port, if SSH's own configuration does not say.
    pub ssh_port: Option<u16>,
    /// Pins of its host key. Empty: `quorate trust` writes them.
    pub host_keys: Vec<HostKeyPin>,
}

/// For whom the draft seals the CA keys.
#[derive(Debug, Clone)]
pub enum DraftKeys {
    /// For these age or SSH public keys.
    Sealed(Vec<String>),
    /// For nobody: the keys stay plain.
    Plain,
}

/// What a draft is made of.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The site.
    pub site: SiteName,
    /// Its hosts, all of them members of the cluster `main`.
    pub hosts: Vec<DraftHost>,
    /// The etcd release.
    pub version: EtcdVersion,
    /// For whom the CA keys are sealed.
    pub keys: DraftKeys,
    /// Checksums of the release's archives, in hexadecimal. Empty: `quorate release pin` writes
    /// them, and until then the draft is refused.
    pub sha256: BTreeMap<Arch, String>,
}

/// Writes the draft.
pub fn inventory(draft: &Draft) -> String {
    let Draft { site, hosts, version, keys, sha256 } = draft;
    let common_user = common(hosts, |host| host.ssh_user.as_deref());
    let mut text = format!(
        "\
# One file is one site: its hosts, the etcd clusters on them, and who can open the CA keys.
# Every key: docs/inventory.md, or `quorate schema` for your editor.
# Next: quorate trust && quorate apply

[site]
name = {}
# confirm = true                # apply then wants --confirm {site}

[defaults.ssh]
",
        quoted(site.as_str()),
    );
    let _ = match common_user {
        Some(user) => writeln!(text, "user = {}", quoted(user)),
        None => writeln!(text, "# user = \"ops\"                # root, or a user with `sudo -n`"),
    };
    text.push_str("# identity-file = \"~/.ssh/id_ed25519\"\n");
    for host in hosts {
        text.push_str(&table(host, common_user));
    }
    let names: Vec<_> = hosts.iter().map(|host| quoted(host.name.as_str())).collect();
    let _ = write!(
        text,
        "
[clusters.main]
version = \"{version}\"
members = [{}]
# ports = {{ client = 2379, peer = 2380, metrics = 2381 }}

# [clusters.main.etcd]          # any flag that etcd {version} knows
# quota-backend-bytes = 8589934592

[pki]
{}",
        names.join(", "),
        pki(keys),
    );
    text.push_str(&release(*version, sha256));
    text
}

fn table(host: &DraftHost, common_user: Option<&str>) -> String {
    let DraftHost { name, address, ssh_host, ssh_user, ssh_port, host_keys } = host;
    let mut text = format!("\n[hosts.{name}]\naddress = \"{address}\"\n");
    if let Some(host) = ssh_host {
        let _ = writeln!(text, "ssh.host = {}", quoted(host));
    }
    if let Some(user) = ssh_user.as_deref().filter(|user| Some(*user) != common_user) {
        let _ = writeln!(text, "ssh.user = {}", quoted(user));
    }
    if let Some(port) = ssh_port {
        let _ = writeln!(text, "ssh.port = {port}");
    }
    let pins: Vec<_> = host_keys.iter().map(|pin| quoted(pin.as_str())).collect();
    let _ = match &pins[..] {
        [] => writeln!(text, "# ssh.host-key = \"SHA256:…\"    # `quorate trust` writes it"),
        [pin] => writeln!(text, "ssh.host-key = {pin}"),
        pins => writeln!(text, "ssh.host-key = [{}]", pins.join(", ")),
    };
    text
}

fn pki(keys: &DraftKeys) -> String {
    match keys {
        DraftKeys::Sealed(recipients) => {
            let lines = recipients.iter().map(|key| format!("  {},\n", quoted(key)));
            format!(
                "recipients = [                  # who can open the CA keys\n{}]\n",
                lines.collect::<String>()
            )
        }
        DraftKeys::Plain => {
            "# NOT SEALED: anyone who reads pki/ can open every cluster of this site. Better:
# recipients = [\"age1…\"]
plain-keys = true
"
            .to_owned()
        }
    }
}

fn release(version: EtcdVersion, sha256: &BTreeMap<Arch, String>) -> String {
    let mut text = "
# [release]                     # left out: the official releases
# url = \"https://mirror.example.net/etcd/v{version}/etcd-v{version}-linux-{arch}.tar.gz\"

[release.sha256]
"
    .to_owned();
    if sha256.is_empty() {
        let _ = writeln!(text, "# `quorate release pin {version}` writes the checksums");
    }
    for (arch, digest) in sha256 {
        let _ = writeln!(text, "\"{version}-{}\" = {}", arch.as_str(), quoted(digest));
    }
    text
}

/// The value that all hosts share.
fn common<'d, T: PartialEq>(
    hosts: &'d [DraftHost],
    value: impl Fn(&'d DraftHost) -> Option<T>,
) -> Option<T> {
    let first = value(hosts.first()?)?;
    hosts.iter().all(|host| value(host).as_ref() == Some(&first)).then_some(first)
}

/// A TOML string, whatever the text holds.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FlagChecks, Source, parse};

    const NO_CHECKS: FlagChecks =
        FlagChecks { etcd: |_, _, _| Ok(()), apiserver: |_, _, _| Ok(()) };

    fn draft() -> Draft {
        let host = |number: u8| DraftHost {
            name: HostName::new(&format!("etcd-{number}")).unwrap(),
            address: IpAddr::from([10, 20, 0, number]),
            ssh_host: Some(format!("etcd-{number}.example.net")),
            ssh_user: Some("ops".to_owned()),
            ssh_port: (number == 2).then_some(2222),
            host_keys: Vec::new(),
        };
        let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        Draft {
            site: SiteName::new("prod").unwrap(),
            hosts: [1, 2, 3].map(host).into(),
            version: EtcdVersion::new(crate::Minor::V3_6, 16),
            keys: DraftKeys::Sealed(vec![key.to_owned()]),
            sha256: BTreeMap::from([(Arch::Amd64, "0".repeat(64))]),
        }
    }

    fn codes(text: &str) -> Vec<&'static str> {
        let parsed = parse(&Source::new("quorate.toml", text), &[], NO_CHECKS);
        parsed.diagnostics.iter().map(|found| found.code).collect()
    }

    #[test]
    fn a_complete_draft_has_no_mistake() {
        let text = inventory(&draft());
        assert_eq!(codes(&text), Vec::<&str>::new(), "{text}");
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["defaults"]["ssh"]["user"].as_str(), Some("ops"));
        assert_eq!(table["hosts"]["etcd-2"]["ssh"]["port"].as_integer(), Some(2222));
        assert!(table["hosts"]["etcd-2"]["ssh"].get("user").is_none());
    }

    #[test]
    fn a_draft_without_checksums_misses_only_those() {
        let text = inventory(&Draft { sha256: BTreeMap::new(), keys: DraftKeys::Plain, ..draft() });
        assert_eq!(codes(&text), ["unpinned-release"], "{text}");
    }

    #[test]
    fn hosts_of_different_users_name_each() {
        let mut draft = draft();
        draft.hosts[0].ssh_user = Some("root".to_owned());
        let table: toml::Table = inventory(&draft).parse().unwrap();
        assert_eq!(table["hosts"]["etcd-1"]["ssh"]["user"].as_str(), Some("root"));
        assert_eq!(table["hosts"]["etcd-3"]["ssh"]["user"].as_str(), Some("ops"));
    }

    #[test]
    fn a_hostile_login_stays_a_value() {
        let mut draft = draft();
        draft.hosts[0].ssh_host = Some("a\"\n[clusters.x]\n'''$(id)".to_owned());
        let text = inventory(&draft);
        assert_eq!(codes(&text), ["ssh"], "{text}");
    }
}
