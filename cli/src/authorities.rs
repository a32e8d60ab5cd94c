//! The CAs beside an inventory: `pki/<cluster>/`.
//!
//! A cluster's folder appears whole or not at all: a CA is born once. Only for whom its keys are sealed may change.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use inventories::inventory::{Bootstrap, Cluster};
use inventories::{ClusterName, DiscoveryV3, Inventory, SiteName};
use pki::store::{FileNames, FoundFiles, KEY_MODE, PUBLIC_MODE, RECIPIENTS_FILE, recipients_file};
use pki::{CaKey, CaKind, CertFacts, CertificateAuthority, Identity, Recipient};
use pki::{StoredAuthority, StoredKey};
use planner::spec::{Authorities, Authority};
use time::OffsetDateTime;

use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;

mod reseal;

pub use reseal::Resealed;

/// Far more than any CA's file holds; a larger one is another file.
const LARGEST_FILE: u64 = 256 * 1024;

/// The folder of all CAs of a site.
#[derive(Debug, Clone)]
pub struct AuthorityFolder(PathBuf);

/// How the keys of new CAs rest.
#[derive(Debug, Clone)]
pub enum Keeping {
    /// Sealed, for these recipients.
    Sealed(Vec<Recipient>),
    /// As they are, because the operator asked for that.
    Plain,
}

/// What [`AuthorityFolder::ensure`] did for a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// Its CAs were made now.
    Created,
    /// They were there.
    AlreadyThere,
}

impl AuthorityFolder {
    /// The folder beside an inventory.
    pub fn beside(inventory: &Path) -> Self {
        Self(inventory.with_file_name("pki"))
    }

    /// Where the CAs of a cluster lie.
    pub fn of(&self, cluster: &ClusterName) -> PathBuf {
        self.0.join(cluster.as_str())
    }

    /// The public halves of every cluster's CAs; no key is read.
    pub fn public(
        &self,
        inventory: &Inventory,
    ) -> Result<BTreeMap<ClusterName, Authorities>, CliError> {
        let mut all = BTreeMap::new();
        for (name, cluster) in &inventory.clusters {
            let peer = self.certificate(name, CaKind::Peer)?;
            let client = self.certificate(&cluster.client_ca, CaKind::Client)?;
            let discovery = discovery_ca(cluster)?;
            all.insert(name.clone(), Authorities { peer, client, discovery });
        }
        Ok(all)
    }

    /// The public files of every cluster's CAs: certificates, sealed keys, and the recipients for which
    /// they are sealed.
    pub fn public_files(&self, inventory: &Inventory) -> Vec<PathBuf> {
        let of_kind = |(cluster, kind): (&ClusterName, CaKind)| {
            let FileNames { certificate, sealed_key, plain_key: _ } = FileNames::for_kind(kind);
            [certificate, sealed_key, RECIPIENTS_FILE].map(|name| self.of(cluster).join(name))
        };
        authorities_of(inventory).flat_map(of_kind).collect()
    }

    /// Where the keys of these CAs lie if they are not sealed.
    pub fn plain_keys(&self, inventory: &Inventory) -> Vec<PathBuf> {
        let of_kind = |(cluster, kind): (&ClusterName, CaKind)| {
            self.of(cluster).join(FileNames::for_kind(kind).plain_key)
        };
        authorities_of(inventory).map(of_kind).collect()
    }

    fn certificate(
        &self,
        cluster: &ClusterName,
        kind: CaKind,
    ) -> Result<Option<Authority>, CliError> {
        let path = self.of(cluster).join(FileNames::for_kind(kind).certificate);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let pem = text(&path, bytes)?;
        let facts = CertFacts::from_pem(&pem).map_err(|error| bad_file(&path, error))?;
        Ok(Some(Authority { pem, facts }))
    }

    /// Opens a CA that must be there, with an identity where its key is sealed.
    pub fn open(
        &self,
        cluster: &ClusterName,
        kind: CaKind,
        identities: &[Identity],
        now: OffsetDateTime,
    ) -> Result<CertificateAuthority, CliError> {
        let stored = self.stored(cluster, kind)?.ok_or_else(|| {
            let folder = self.of(cluster);
            let message = format!("there is no {kind} CA in {}", folder.display());
            CliError::new(ExitCode::Inventory, message)
                .hint("create the CAs of a new cluster: quorate pki init")
        })?;
        stored.open(identities, now).map_err(|error| {
            let hint = error.hint();
            let doing = format!("cannot use the {kind} CA of cluster {cluster}");
            CliError::failed(ErrorContext::new(doing, error)).maybe_hint(hint)
        })
    }

    /// Whether a CA's key is sealed, so that opening it needs an identity.
    pub fn is_sealed(&self, cluster: &ClusterName, kind: CaKind) -> Result<bool, CliError> {
        let stored = self.stored(cluster, kind)?;
        Ok(stored.is_some_and(|stored| matches!(stored.key, StoredKey::Sealed(_))))
    }

    fn stored(
        &self,
        cluster: &ClusterName,
        kind: CaKind,
    ) -> Result<Option<StoredAuthority>, CliError> {
        let folder = self.of(cluster);
        let names = FileNames::for_kind(kind);
        let public = |name: &str| {
            let path = folder.join(name);
            read(&path)?.map(|bytes| text(&path, bytes)).transpose()
        };
        let found = FoundFiles {
            certificate: public(names.certificate)?,
            sealed_key: public(names.sealed_key)?,
            plain_key: read(&folder.join(names.plain_key))?.map(CaKey::from_pem),
        };
        StoredAuthority::from_files(kind, found).map_err(|error| {
            let hint = error.hint();
            let doing = format!("the CA files in {} don't fit", folder.display());
            CliError::new(ExitCode::Inventory, ErrorContext::new(doing, error)).hint(hint)
        })
    }

    /// Makes the CAs of a cluster that has none. What is there is never touched.
    pub fn ensure(
        &self,
        site: &SiteName,
        cluster: &ClusterName,
        kinds: &[CaKind],
        keeping: &Keeping,
        now: OffsetDateTime,
    ) -> Result<Ensured, CliError> {
        let mut there = Vec::new();
        for kind in kinds {
            if self.stored(cluster, *kind)?.is_some() {
                there.push(*kind);
            }
        }
        if there.len() == kinds.len() {
            return Ok(Ensured::AlreadyThere);
        }
        if let Some(kind) = there.first() {
            let folder = self.of(cluster);
            let message = format!("{} has a {kind} CA but lacks the other one", folder.display());
            return Err(CliError::new(ExitCode::Inventory, message)
                .hint("restore the folder from git: a new CA would not match the cluster"));
        }
        let mut authorities = Vec::new();
        for kind in kinds {
            let authority = CertificateAuthority::generate(*kind, site, cluster, now)
                .map_err(CliError::failed)?;
            authorities.push(store(authority, keeping)?);
        }
        self.write(cluster, &authorities, keeping)
            .map_err(|error| {
                let doing = format!("cannot write the CAs to {}", self.of(cluster).display());
                CliError::failed(ErrorContext::new(doing, error))
            })
            .map(|()| Ensured::Created)
    }

    /// Writes a folder beside the final one, then renames it: a CA without its key, or a key
    /// without its CA, never appears. Renaming onto a folder that holds anything fails.
    fn write(
        &self,
        cluster: &ClusterName,
        authorities: &[StoredAuthority],
        keeping: &Keeping,
    ) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let staged = self.0.join(format!(".{cluster}.{}", std::process::id()));
        DirBuilder::new().mode(0o755).create(&staged)?;
        let written = write_files(&staged, authorities, keeping)
            .and_then(|()| fs::rename(&staged, self.of(cluster)))
            .and_then(|()| File::open(&self.0)?.sync_all());
        if written.is_err() {
            // Keys that belong to no cluster are only dangerous; the error that matters is above.
            let _ = fs::remove_dir_all(&staged);
        }
        written
    }
}

/// The CAs that the clusters of an inventory use.
fn authorities_of(inventory: &Inventory) -> impl Iterator<Item = (&ClusterName, CaKind)> {
    inventory
        .clusters
        .iter()
        .flat_map(|(name, cluster)| [(name, CaKind::Peer), (&cluster.client_ca, CaKind::Client)])
}

/// The CA of the discovery service that a cluster is to be formed by, where one is named.
fn discovery_ca(cluster: &Cluster) -> Result<Option<String>, CliError> {
    let Bootstrap::DiscoveryV3(DiscoveryV3::Given(service)) = &cluster.bootstrap else {
        return Ok(None);
    };
    let Some(path) = &service.ca else { return Ok(None) };
    let Some(bytes) = read(path)? else {
        let message = format!("there is no file {}", path.display());
        let hint = "it is the `ca` of `discovery-v3` in the inventory";
        return Err(CliError::new(ExitCode::Inventory, message).hint(hint));
    };
    let pem = text(path, bytes)?;
    CertFacts::from_pem(&pem).map_err(|error| bad_file(path, error))?;
    Ok(Some(pem))
}

fn store(authority: CertificateAuthority, keeping: &Keeping) -> Result<StoredAuthority, CliError> {
    match keeping {
        Keeping::Sealed(recipients) => {
            StoredAuthority::sealed(&authority, recipients).map_err(CliError::failed)
        }
        Keeping::Plain => Ok(StoredAuthority::plain(authority)),
    }
}

fn write_files(
    folder: &Path,
    authorities: &[StoredAuthority],
    keeping: &Keeping,
) -> io::Result<()> {
    for StoredAuthority { kind, cert_pem, key } in authorities {
        let names = FileNames::for_kind(*kind);
        match key {
            StoredKey::Sealed(text) => {
                create(&folder.join(names.sealed_key), text.as_bytes(), KEY_MODE)?;
            }
            StoredKey::Plain(key) => {
                create(&folder.join(names.plain_key), key.expose(), KEY_MODE)?;
            }
            StoredKey::Missing => {}
        }
        create(&folder.join(names.certificate), cert_pem.as_bytes(), PUBLIC_MODE)?;
    }
    if let Keeping::Sealed(recipients) = keeping {
        let text = recipients_file(recipients);
        create(&folder.join(RECIPIENTS_FILE), text.as_bytes(), PUBLIC_MODE)?;
    }
    File::open(folder)?.sync_all()
}

/// Writes a file that must not be there yet, with its mode from its first byte on.
pub fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, CliError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad_file(path, error)),
    };
    // One buffer of the final size: one that grew would leave a copy of a key in freed memory.
    let mut bytes = Vec::with_capacity(LARGEST_FILE as usize + 1);
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| bad_file(path, error))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(bad_file(path, "is too large to be a CA's file"));
    }
    Ok(Some(bytes))
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String, CliError> {
    String::from_utf8(bytes).map_err(|_| bad_file(path, "is not text"))
}

fn bad_file(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CliError {
    CliError::new(
        ExitCode::Inventory,
        ErrorContext::new(format!("cannot use {}", path.display()), error),
    )
}
