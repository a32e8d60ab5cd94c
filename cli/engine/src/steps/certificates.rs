//! A generation of certificates: issued in memory, sent as payload, kept nowhere here.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventories::{AccountName, ClusterName};
use pki::{CaKind, CertificateAuthority, LeafKind, LeafRequest, Sha256Digest, bundle};
use planner::plan::{Signer, Signers, Swap};
use templates::layout::PkiFile;
use time::OffsetDateTime;
use time::macros::format_description;
use zeroize::Zeroizing;

use super::MemberStep;
use crate::script::{self, call, failure::Failure, guard};
use remote::{Call, Payload};

/// The CAs that were opened for this apply; empty when no identity was given.
#[derive(Debug, Default)]
pub struct Issuers(BTreeMap<(ClusterName, CaKind), CertificateAuthority>);

impl Issuers {
    /// Adds a CA of a cluster.
    pub fn insert(&mut self, cluster: ClusterName, authority: CertificateAuthority) {
        self.0.insert((cluster, authority.kind()), authority);
    }

    /// The CA that a plan names. Another one beside the inventory by now signs nothing.
    pub(super) fn get(
        &self,
        signer: &Signer,
        kind: CaKind,
    ) -> Result<&CertificateAuthority, Failure> {
        let Signer { cluster, issuer, trusted } = signer;
        let authority = self.0.get(&(cluster.clone(), kind)).ok_or_else(|| {
            let why = format!("the {kind} CA of cluster {cluster} is not open");
            Failure::local(why).hinted("give the identity that opens it: --identity FILE")
        })?;
        if fingerprint(authority) != *issuer || trusted != std::slice::from_ref(issuer) {
            let why =
                format!("the {kind} CA of cluster {cluster} in pki/ is not the one in the plan");
            return Err(Failure::local(why).hinted("plan again"));
        }
        Ok(authority)
    }
}

fn fingerprint(authority: &CertificateAuthority) -> String {
    authority.certificate().facts().fingerprint.to_string()
}

/// What a generation must be.
pub(crate) struct Wanted<'a> {
    pub(crate) leaves: &'a [LeafRequest],
    pub(crate) signers: &'a Signers,
    pub(crate) account: &'a AccountName,
    pub(crate) swap: Swap,
}

/// The call that installs a new generation with these certificates.
pub(crate) fn install(
    step: &MemberStep<'_>,
    issuers: &Issuers,
    wanted: &Wanted<'_>,
    now: OffsetDateTime,
) -> Result<Call, Failure> {
    let Wanted { leaves, signers, account, swap } = *wanted;
    let layout = &step.layout;
    let mut contents = issue(issuers, signers, leaves, now)?;

    let swap = match swap {
        Swap::AtOnce => "at-once",
        Swap::Tried => "tried",
    };
    let mut payload = Payload::new();
    let (mut files, mut manifest) = (Vec::new(), String::new());
    for file in PkiFile::ALL {
        let content = contents.remove(&file).ok_or_else(|| {
            Failure::local(format!("the step has no certificate for {}", file.name()))
        })?;
        let (mode, owner, group) = planner::attributes(file, account);
        files.push(format!("{} {mode:o} {owner}:{group}", file.name()));
        manifest += &format!("{}  {}\n", Sha256Digest::hash(content.bytes()), file.name());
        payload = match content {
            Content::Public(text) => payload.with(text),
            Content::Key(key) => payload.with_secret(key),
        };
    }
    let args = guard::arguments(step, None)?
        .with("pki", layout.pki_dir())
        .with("generation", generation_name(now)?)
        .with("group", account)
        .with("untried", layout.pki_untried())
        .with("swap", swap)
        .with("endpoints", "")
        .with_words("files", files);
    Ok(call::call(script::INSTALL_CERTIFICATES, args, payload.with(manifest.into_bytes())))
}

enum Content {
    Public(Arc<[u8]>),
    Key(Zeroizing<Vec<u8>>),
}

impl Content {
    fn public(pem: String) -> Self {
        Self::Public(pem.into_bytes().into())
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Content::Public(text) => text,
            Content::Key(key) => key,
        }
    }
}

fn issue(
    issuers: &Issuers,
    signers: &Signers,
    leaves: &[LeafRequest],
    now: OffsetDateTime,
) -> Result<BTreeMap<PkiFile, Content>, Failure> {
    let peer = issuers.get(&signers.peer, CaKind::Peer)?;
    let client = issuers.get(&signers.client, CaKind::Client)?;
    let trusted = |authority: &CertificateAuthority| {
        Content::public(bundle::write([authority.certificate()]))
    };
    let mut contents =
        BTreeMap::from([(PkiFile::PeerCa, trusted(peer)), (PkiFile::ClientCa, trusted(client))]);
    for request in leaves {
        let (certificate, key) = match request.kind() {
            LeafKind::Server => (PkiFile::ServerCert, PkiFile::ServerKey),
            LeafKind::Peer => (PkiFile::PeerCert, PkiFile::PeerKey),
            LeafKind::HealthCheck => (PkiFile::HealthcheckCert, PkiFile::HealthcheckKey),
            LeafKind::Client => return Err(Failure::local("a host keeps no client certificate")),
        };
        let authority = match request.kind().authority() {
            CaKind::Peer => peer,
            CaKind::Client => client,
        };
        let leaf = authority.issue(request, now).map_err(Failure::local)?;
        contents.insert(certificate, Content::public(leaf.certificate.pem()));
        contents.insert(key, Content::Key(Zeroizing::new(leaf.key.expose().to_vec())));
    }
    Ok(contents)
}

/// Sorts by time, and differs from every other.
pub(super) fn generation_name(now: OffsetDateTime) -> Result<String, Failure> {
    let time = now
        .format(format_description!("[year][month][day]T[hour][minute][second]Z"))
        .map_err(Failure::local)?;
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| Failure::local(error.to_string()))?;
    Ok(format!("{time}-{:08x}", u32::from_be_bytes(random)))
}

#[cfg(test)]
mod tests {
    use inventories::SiteName;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

    fn ca(kind: CaKind, cluster: &ClusterName) -> CertificateAuthority {
        let site: SiteName = "lab".parse().unwrap();
        CertificateAuthority::generate(kind, &site, cluster, NOW).unwrap()
    }

    #[test]
    fn only_the_cas_that_the_plan_names_sign() {
        let cluster: ClusterName = "main".parse().unwrap();
        let (peer, client) = (ca(CaKind::Peer, &cluster), ca(CaKind::Client, &cluster));
        let named = |authority| Signer::alone(cluster.clone(), fingerprint(authority));
        let signers = Signers { peer: named(&peer), client: named(&client) };
        let leaves = [LeafRequest::health_check()];

        let mut issuers = Issuers::default();
        let closed = issue(&issuers, &signers, &leaves, NOW).map(|_| ()).unwrap_err();
        assert!(format!("{closed:?}").contains("is not open"), "{closed:?}");

        issuers.insert(cluster.clone(), peer);
        issuers.insert(cluster.clone(), client);
        let issued = issue(&issuers, &signers, &leaves, NOW).unwrap();
        assert!(issued.contains_key(&PkiFile::HealthcheckCert));

        // Somebody made a new one since the plan.
        issuers.insert(cluster.clone(), ca(CaKind::Client, &cluster));
        let other = issue(&issuers, &signers, &leaves, NOW).map(|_| ()).unwrap_err();
        assert!(format!("{other:?}").contains("is not the one in the plan"), "{other:?}");
    }
}
