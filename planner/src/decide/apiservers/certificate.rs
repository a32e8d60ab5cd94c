//! The client certificate of an API server: one for all etcd clusters that it uses, which share a client CA.

use pki::{CertFacts, LeafRequest};
use templates::layout::ApiserverFile;
use time::OffsetDateTime;

use super::ApiServer;
use crate::decide::ensure::attribute_changes;
use crate::facts::Observed;
use crate::plan::{Action, ApiServerStep, Signer, Step, Verb, Why};
use crate::spec::Authority;

/// Why the certificate is issued; empty where it will do.
pub(super) fn changes(server: &ApiServer<'_>, now: OffsetDateTime) -> Vec<String> {
    let mut changes = Vec::new();
    for file in ApiserverFile::ALL {
        match server.seen.files.get(&file) {
            Some(Observed::Known(seen)) => {
                changes.extend(attribute_changes(file.name(), attributes(file), seen));
                if server.seen.installed.get(file.name()) != Some(&seen.sha256) {
                    changes.push(format!("{} is not what was installed", file.name()));
                }
            }
            Some(Observed::Absent) | None => changes.push(format!("{} is missing", file.name())),
            Some(Observed::Unknown(_)) => {}
        }
    }
    changes.extend(said(server, now));
    changes
}

/// How what the certificate says differs from what is wanted.
fn said(server: &ApiServer<'_>, now: OffsetDateTime) -> Vec<String> {
    let Some(authority) = authority(server) else { return Vec::new() };
    let seen = server.seen.files.get(&ApiserverFile::Cert).and_then(Observed::known);
    let Some(seen) = seen else { return Vec::new() };
    match seen.text.as_deref().map(CertFacts::from_pem) {
        Some(Ok(facts)) => {
            pki::drift::difference(&facts, &LeafRequest::api_server(), &authority.facts, now)
                .iter()
                .map(|change| format!("{}: {change}", ApiserverFile::Cert.name()))
                .collect()
        }
        Some(Err(_)) | None => {
            vec![format!("{} can't be read as a certificate", ApiserverFile::Cert.name())]
        }
    }
}

/// The owner and mode of a file of an API server's certificate. Only root reads the key.
pub fn attributes(file: ApiserverFile) -> (u32, &'static str, &'static str) {
    match file {
        ApiserverFile::Key => (0o600, "root", "root"),
        ApiserverFile::Ca | ApiserverFile::Cert => (0o644, "root", "root"),
    }
}

/// The CA that signs it; `None` where it is not beside the inventory, which is a finding of its own.
fn authority<'a>(server: &ApiServer<'a>) -> Option<&'a Authority> {
    server.site.clusters.get(&server.kubernetes.cluster)?.authorities.client.as_ref()
}

/// The step that issues it, where it must be.
pub(super) fn step(server: &ApiServer<'_>, now: OffsetDateTime) -> Option<Step> {
    let changes = changes(server, now);
    if changes.is_empty() {
        return None;
    }
    let issuer = authority(server)?.facts.fingerprint.to_string();
    let cluster = server.site.clusters.get(&server.kubernetes.cluster)?;
    let kind = ApiServerStep::Certificate {
        kubernetes: server.name.clone(),
        leaf: LeafRequest::api_server(),
        signer: Signer::alone(cluster.client_ca.clone(), issuer),
        endpoints: server.wanted.servers.iter().map(ToString::to_string).collect(),
    };
    let is_new = server.seen.files.values().all(Observed::is_absent);
    let (action, why) = match is_new {
        true => (Action::Create, server.why_wanted("apiservers")),
        false => (Action::Update, Why::Drift { changes }),
    };
    Some(server.step(Verb::ApiServerCertificate, action, kind, why))
}
