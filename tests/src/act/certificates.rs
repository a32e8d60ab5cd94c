//! Certificates in the simulated world are real ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::hosts::{Done, StepErrorKind};
use inventories::AccountName;
use pki::{CertificateAuthority, LeafKind, LeafRequest, Sha256Digest};
use planner::Step;
use planner::plan::{Signers, Silence, Swap};
use templates::layout::PkiFile;
use time::OffsetDateTime;

use super::{Act, changed, failed, in_directories, member};
use crate::world::{Generation, World};

impl World {
    /// Issues the certificates of a member, and swaps them in.
    pub(super) fn install_certificates(
        &mut self,
        step: &Step,
        leaves: &[LeafRequest],
        (signers, account): (&Signers, &AccountName),
        swap: Swap,
    ) -> Act {
        let (now, broken) = (self.now, self.issues_broken);
        let issued = Arc::clone(&self.issued);
        let authorities = Arc::clone(&self.authorities);
        let peer = &authorities[&signers.peer.cluster].peer;
        let client = &authorities[&signers.client.cluster].client;
        for (signer, authority) in [(&signers.peer, peer), (&signers.client, client)] {
            let fingerprint = authority.certificate().facts().fingerprint.to_string();
            if signer.issuer != fingerprint || signer.trusted != [fingerprint] {
                return failed("the CA is not the one of the plan");
            }
        }
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let Some(owner) = host.accounts.get(account).copied() else {
            return failed("chown: invalid user");
        };
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
        let new = Generation { name: "g".repeat(number + 1), owner, files, broken };
        let before = member.generation.replace(new);
        member.untried = match swap {
            Swap::AtOnce => None,
            // What follows an untried generation falls back to what was before both.
            Swap::Tried => Some(member.untried.take().unwrap_or(before)),
        };
        Ok(Done::Changed)
    }

    /// Tries the certificates of a member by new handshakes.
    pub(super) fn try_certificates(&mut self, step: &Step, silence: Silence) -> Act {
        let Some(host) = self.hosts.get_mut(step.host()) else { return failed("no host") };
        let slow = host.slow;
        let member = member(host, step);
        let serves = member.process.is_some() && member.log.is_some() && !slow;
        let is_broken = member.generation.as_ref().is_some_and(|used| used.broken);
        if !(serves && is_broken) && (serves || silence == Silence::SaysNothing) {
            return Ok(changed(member.untried.take().is_some()));
        }
        if let (Silence::Fails, Some(proven)) =
            (silence, member.untried.take_if(|old| old.is_some()))
        {
            member.generation = proven;
        }
        failed("the peer port shows no certificate")
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
        let leaf =
            authority.issue(request, now).map_err(|error| StepErrorKind::Local(error.into()))?;
        files.insert(cert, leaf.certificate.pem());
        files.insert(key, Sha256Digest::hash(leaf.key.expose()).to_string());
    }
    Ok(files)
}
