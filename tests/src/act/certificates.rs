//! Certificates in the simulated world are real ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventories::ClusterName;
use pki::{CertificateAuthority, LeafKind, LeafRequest, Sha256Digest};
use planner::Step;
use quorate::engine::hosts::{Done, StepErrorKind};
use templates::layout::PkiFile;
use time::OffsetDateTime;

use super::{Act, cluster_of, failed, in_directories, member};
use crate::world::{Generation, World};

impl World {
    /// Issues the certificates of a member, and swaps them in.
    pub(super) fn install_certificates(
        &mut self,
        step: &Step,
        leaves: &[LeafRequest],
        client_ca: &ClusterName,
    ) -> Act {
        let now = self.now;
        let issued = Arc::clone(&self.issued);
        let authorities = Arc::clone(&self.authorities);
        let peer = &authorities[cluster_of(step)].peer;
        let client = &authorities[client_ca].client;
        let Some(host) = self.hosts.get_mut(&step.host) else { return failed("no host") };
        let member = member(host, step);
        in_directories(member)?;
        let wanted =
            format!("{} {} {leaves:?} {now}", peer.certificate().pem(), client.certificate().pem());
        let known = issued.lock().map(|issued| issued.get(&wanted).cloned()).unwrap_or_default();
        let files = match known {
            Some(files) => files,
            None => issue(peer, client, leaves, now)?,
        };
        if let Ok(mut issued) = issued.lock() {
            issued.insert(wanted, files.clone());
        }
        let number = member.generation.as_ref().map_or(0, |old| old.name.len());
        member.generation = Some(Generation { name: "g".repeat(number + 1), files });
        Ok(Done::Changed)
    }
}

/// The files of a generation, really issued.
fn issue(
    peer: &CertificateAuthority,
    client: &CertificateAuthority,
    leaves: &[LeafRequest],
    now: OffsetDateTime,
) -> Result<BTreeMap<PkiFile, String>, StepErrorKind> {
    let mut files = BTreeMap::from([
        (PkiFile::ClientCa, client.certificate().pem()),
        (PkiFile::PeerCa, peer.certificate().pem()),
    ]);
    for request in leaves {
        let (authority, cert, key) = match request.kind() {
            LeafKind::Peer => (peer, PkiFile::PeerCert, PkiFile::PeerKey),
            LeafKind::Server => (client, PkiFile::ServerCert, PkiFile::ServerKey),
            LeafKind::HealthCheck => (client, PkiFile::HealthcheckCert, PkiFile::HealthcheckKey),
            LeafKind::Client => panic!("no client's key belongs on an etcd host"),
        };
        let leaf = authority
            .issue(request, now)
            .map_err(|error| StepErrorKind::Local(error.to_string()))?;
        files.insert(cert, leaf.certificate.pem());
        files.insert(key, Sha256Digest::of(leaf.key.expose()).to_string());
    }
    Ok(files)
}
