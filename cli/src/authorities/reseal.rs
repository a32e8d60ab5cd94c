//! Sealing CA keys again, for other recipients than before.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use inventories::{ClusterName, Inventory};
use pki::seal::{seal, unseal};
use pki::store::{FileNames, KEY_MODE, PUBLIC_MODE, RECIPIENTS_FILE, recipients_file};
use pki::{CaKind, Identity, Recipient, StoredKey};

use super::{AuthorityFolder, bad_file, create, read, text};
use crate::error::{CliError, ErrorContext};

/// What came of sealing a cluster's CA keys again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resealed {
    /// They are sealed for the recipients now.
    Now,
    /// They were before.
    Already,
    /// The cluster has no sealed key here.
    Nothing,
}

impl AuthorityFolder {
    /// Seals the keys of a cluster's CAs for these recipients, unless they are the ones that it is sealed for. A run that
    /// is killed leaves each key sealed for the old recipients or for the new ones; the next run seals all again.
    pub fn reseal(
        &self,
        cluster: &ClusterName,
        recipients: &[Recipient],
        identities: &[Identity],
    ) -> Result<Resealed, CliError> {
        let wanted: BTreeSet<String> = recipients.iter().map(ToString::to_string).collect();
        if self.sealed_for(cluster)? == Some(wanted) {
            return Ok(Resealed::Already);
        }
        let mut sealed = Vec::new();
        for kind in CaKind::ALL {
            let Some(stored) = self.stored(cluster, kind)? else { continue };
            let StoredKey::Sealed(old) = stored.key else { continue };
            let doing = || format!("cannot open the {kind} CA of cluster {cluster}");
            let key = unseal(&old, identities).map_err(|error| {
                CliError::failed(ErrorContext::new(doing(), error)).hint(format!(
                    "give the private key of a recipient that {RECIPIENTS_FILE} beside it names: --identity FILE"
                ))
            })?;
            let new = seal(&key, recipients).map_err(CliError::failed)?;
            sealed.push((FileNames::for_kind(kind).sealed_key, new));
        }
        if sealed.is_empty() {
            return Ok(Resealed::Nothing);
        }
        // The record comes last: while it is the old one, the next run seals again.
        let folder = self.of(cluster);
        let keys = sealed.iter().map(|(name, text)| (*name, text.as_str(), KEY_MODE));
        let record = recipients_file(recipients);
        for (name, text, mode) in keys.chain([(RECIPIENTS_FILE, record.as_str(), PUBLIC_MODE)]) {
            replace(&folder, name, text, mode).map_err(|error| {
                let doing = format!("cannot write {}", folder.join(name).display());
                CliError::failed(ErrorContext::new(doing, error))
            })?;
        }
        Ok(Resealed::Now)
    }

    /// For whom a cluster's keys are sealed, as the file beside them says.
    fn sealed_for(&self, cluster: &ClusterName) -> Result<Option<BTreeSet<String>>, CliError> {
        let path = self.of(cluster).join(RECIPIENTS_FILE);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let mut recipients = BTreeSet::new();
        for line in text(&path, bytes)?.lines().map(str::trim) {
            if !line.is_empty() && !line.starts_with('#') {
                let recipient = Recipient::parse(line).map_err(|error| bad_file(&path, error))?;
                recipients.insert(recipient.to_string());
            }
        }
        Ok(Some(recipients))
    }

    /// The clusters whose keys are sealed for others than the inventory names now, each as a warning.
    pub fn sealed_for_others(&self, inventory: &Inventory) -> Vec<String> {
        let recipients = inventory.pki.recipients.iter();
        let wanted: BTreeSet<String> =
            recipients.filter_map(|text| Some(Recipient::parse(text).ok()?.to_string())).collect();
        let mut warnings = Vec::new();
        for cluster in inventory.clusters.keys() {
            // What can't be read is reported by whatever needs it.
            let Ok(Some(sealed)) = self.sealed_for(cluster) else { continue };
            let missing = wanted.difference(&sealed).count();
            let surplus = sealed.difference(&wanted).count();
            let what = match (missing, surplus) {
                (0, 0) => continue,
                (_, 0) => "are not sealed for everyone whom [pki] recipients names",
                (0, _) => "are still sealed for someone whom [pki] recipients no longer names",
                (_, _) => "are sealed for others than [pki] recipients names",
            };
            warnings.push(format!(
                "the CA keys of cluster {cluster} {what}; someone who can open them runs: quorate pki reseal"
            ));
        }
        warnings
    }
}

/// Puts a file into the place of another one, whole or not at all.
fn replace(folder: &Path, name: &str, text: &str, mode: u32) -> io::Result<()> {
    let staged = folder.join(format!(".{name}.{}", std::process::id()));
    let written = create(&staged, text.as_bytes(), mode)
        .and_then(|()| fs::rename(&staged, folder.join(name)))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // It is sealed, and the error that matters is above.
        let _ = fs::remove_file(&staged);
    }
    written
}
