//! How a member's installed certificates differ from those that are wanted, in words.

use std::collections::BTreeMap;

use inventories::AccountName;
use pki::{LeafKind, LeafRequest};
use templates::layout::PkiFile;
use time::OffsetDateTime;

use crate::decide::ensure::attribute_changes;
use crate::decide::member_context::MemberContext;
use crate::facts::{FileFacts, Observed};

/// Every reason to issue the generation again; empty when it will do. Keys never leave the host: a
/// changed key shows by its digest against the manifest that was written with it.
pub(crate) fn changes(member: &MemberContext<'_>, now: OffsetDateTime) -> Vec<String> {
    let layout = member.wanted.member.layout();
    let manifest = manifest(member);
    let mut changes = Vec::new();
    if member.reissue {
        changes.push("replaced because the operator says so: --replace-certificates".to_owned());
    }
    for file in PkiFile::ALL {
        match member.facts.files.get(&layout.pki_file(file)) {
            Some(Observed::Known(seen)) => {
                let wanted = attributes(file, &member.wanted.member.account);
                changes.extend(attribute_changes(file.name(), wanted, seen));
                if manifest.get(file.name()) != Some(&seen.sha256.as_str()) {
                    changes.push(format!("{} is not what was installed", file.name()));
                }
            }
            Some(Observed::Absent) | None => changes.push(format!("{} is missing", file.name())),
            Some(Observed::Unknown(_)) => {}
        }
    }
    for request in &member.wanted.leaves {
        changes.extend(leaf_changes(member, request, now));
    }
    changes
}

/// The owner and mode of a certificate file. Only etcd and root read a key.
pub fn attributes(file: PkiFile, account: &AccountName) -> (u32, &str, &str) {
    match file {
        PkiFile::ServerKey | PkiFile::PeerKey | PkiFile::HealthcheckKey => {
            (0o600, account.as_str(), account.as_str())
        }
        PkiFile::ClientCa
        | PkiFile::PeerCa
        | PkiFile::ServerCert
        | PkiFile::PeerCert
        | PkiFile::HealthcheckCert => (0o644, "root", "root"),
    }
}

/// The lines of `sha256sum`, by file name.
fn manifest<'a>(member: &MemberContext<'a>) -> BTreeMap<&'a str, &'a str> {
    let path = member.wanted.member.layout().pki_manifest();
    let text = member.facts.files.get(&path).and_then(Observed::known).and_then(text);
    text.into_iter()
        .flat_map(str::lines)
        .filter_map(|line| line.split_once("  "))
        .map(|(digest, name)| (name, digest))
        .collect()
}

fn text(file: &FileFacts) -> Option<&str> {
    file.text.as_deref()
}

fn leaf_changes(
    member: &MemberContext<'_>,
    request: &LeafRequest,
    now: OffsetDateTime,
) -> Vec<String> {
    let (file, authority) = match request.kind() {
        LeafKind::Server => (PkiFile::ServerCert, &member.cluster.authorities.client),
        LeafKind::Peer => (PkiFile::PeerCert, &member.cluster.authorities.peer),
        LeafKind::HealthCheck => (PkiFile::HealthcheckCert, &member.cluster.authorities.client),
        LeafKind::Client => return Vec::new(),
    };
    let Some(authority) = authority else { return Vec::new() };
    let layout = member.wanted.member.layout();
    if member.facts.files.get(&layout.pki_file(file)).and_then(Observed::known).is_none() {
        return Vec::new();
    }
    match member.facts.certificate(file) {
        Some(facts) => pki::drift::difference(&facts, request, &authority.facts, now)
            .iter()
            .map(|change| format!("{}: {change}", file.name()))
            .collect(),
        None => vec![format!("{} can't be read as a certificate", file.name())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_etcd_reads_a_key_and_only_root_writes_what_everybody_reads() {
        for file in PkiFile::ALL {
            let key = file.name().ends_with(".key");
            let account = AccountName::new("etcd-events").unwrap();
            let its = (0o600, "etcd-events", "etcd-events");
            let wanted = if key { its } else { (0o644, "root", "root") };
            assert_eq!(attributes(file, &account), wanted, "{}", file.name());
        }
    }
}
