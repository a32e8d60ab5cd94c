//! What lies in a store. A backup is good if its sidecar is sound and its file as long as the sidecar says; only
//! opening it reads its content.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};

use inventories::{ClusterName, SiteName};
use time::OffsetDateTime;

use super::name::{BackupId, FileName};
use super::opening::Opening;
use super::sidecar::{self, Grade, Sidecar, SidecarError};
use super::store::Store;

/// A backup in one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Its name.
    pub id: BackupId,
    /// What is there of it.
    pub state: State,
    /// What was proven of it since it was taken. A record that does not fit it counts for nothing.
    pub opening: Option<Opening>,
}

/// What is there of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// All of it, as far as can be told without reading it.
    Good(Box<Sidecar>),
    /// Nothing of it has its name yet: it is being taken, or the run that took it was stopped.
    Unfinished,
    /// It can't be used.
    Broken(Flaw),
}

/// Why a backup can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file is alone. It may be whole.
    #[error("it has no sidecar: it is being read back, or its sidecar was lost")]
    NoSidecar,
    /// The sidecar is alone.
    #[error("its file is gone: only the sidecar is there")]
    NoObject,
    /// The sidecar says nothing.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
    /// The sidecar could not be read.
    #[error("its sidecar cannot be read: {0}")]
    Unreadable(String),
    /// The file is shorter or longer.
    #[error("its file has {size} bytes, but the sidecar says {expected}")]
    Size {
        /// How long it is.
        size: u64,
        /// How long it was.
        expected: u64,
    },
}

impl Copy {
    /// What is known of it, if it is good.
    pub fn sidecar(&self) -> Option<&Sidecar> {
        match &self.state {
            State::Good(sidecar) => Some(sidecar),
            State::Unfinished | State::Broken(_) => None,
        }
    }

    /// What was proven of it, if it is good.
    pub fn grade(&self) -> Option<Grade> {
        let taken = self.sidecar()?.grade;
        Some(if self.opening.is_some() { taken.max(Grade::Opened) } else { taken })
    }

    /// Its name, and why nobody knows whether it is good: its target did not give its sidecar.
    pub fn unread(&self) -> Option<(&BackupId, &Flaw)> {
        match &self.state {
            State::Broken(flaw @ Flaw::Unreadable(_)) => Some((&self.id, flaw)),
            State::Good(_) | State::Unfinished | State::Broken(_) => None,
        }
    }
}

/// The backups of a cluster in a store, oldest first.
///
/// # Errors
/// The store could not be read.
pub fn copies(store: &Store, site: &SiteName, cluster: &ClusterName) -> io::Result<Vec<Copy>> {
    let found = found(store, site, cluster)?;
    found.into_iter().map(|(id, found)| copy(store, id, &found)).collect()
}

/// The files of a cluster's backups in a store, listed once.
pub struct Listing<'s> {
    store: &'s Store,
    found: BTreeMap<BackupId, Found>,
}

impl<'s> Listing<'s> {
    /// Lists them.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn read(store: &'s Store, site: &SiteName, cluster: &ClusterName) -> io::Result<Self> {
        Ok(Self { store, found: found(store, site, cluster)? })
    }

    /// The newest good backup that somebody opened and that is not dated in the future.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn newest_opened(&self, now: OffsetDateTime) -> io::Result<Option<Copy>> {
        let found = self.found.iter().rev();
        for (id, found) in found.filter(|(id, found)| found.has_opening && !id.is_ahead(now)) {
            let copy = copy(self.store, id.clone(), found)?;
            if copy.grade() == Some(Grade::Opened) {
                return Ok(Some(copy));
            }
        }
        Ok(None)
    }

    /// The newest backups, down to the newest good one that is not dated in the future: the sidecars of all others are
    /// left unread.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn newest_copies(&self, now: OffsetDateTime) -> io::Result<Vec<Copy>> {
        let mut copies = Vec::new();
        for (id, found) in self.found.iter().rev() {
            let copy = copy(self.store, id.clone(), found)?;
            let is_last = copy.sidecar().is_some() && !copy.id.is_ahead(now);
            copies.push(copy);
            if is_last {
                break;
            }
        }
        copies.reverse();
        Ok(copies)
    }
}

fn found(
    store: &Store,
    site: &SiteName,
    cluster: &ClusterName,
) -> io::Result<BTreeMap<BackupId, Found>> {
    let mut found: BTreeMap<BackupId, Found> = BTreeMap::new();
    let mut openings = Vec::new();
    for file in store.files()? {
        let id = file.name.id();
        if id.site != *site || id.cluster != *cluster {
            continue;
        }
        if let FileName::Opening(id) = file.name {
            openings.push(id);
            continue;
        }
        let found = found.entry(id.clone()).or_default();
        match file.name {
            FileName::Object(_) => found.object = Some(file.size),
            FileName::Sidecar(_) => found.has_sidecar = true,
            FileName::Opening(_) | FileName::Part(_) => {}
        }
    }
    // A record alone is no backup.
    for id in openings {
        found.entry(id).and_modify(|found| found.has_opening = true);
    }
    Ok(found)
}

#[derive(Default)]
struct Found {
    object: Option<u64>,
    has_sidecar: bool,
    has_opening: bool,
}

fn copy(store: &Store, id: BackupId, found: &Found) -> io::Result<Copy> {
    let state = state(store, &id, found);
    let opening = match &state {
        State::Good(known) if found.has_opening => opening(store, &id, known)?,
        State::Good(_) | State::Unfinished | State::Broken(_) => None,
    };
    Ok(Copy { id, state, opening })
}

/// The record that somebody opened a backup, where there is one that fits it.
///
/// # Errors
/// It could not be read, so nobody knows whether the backup was opened.
pub fn opening(store: &Store, id: &BackupId, known: &Sidecar) -> io::Result<Option<Opening>> {
    match store.read(&id.opening(), sidecar::LARGEST) {
        Ok(bytes) => Ok(Opening::read(&bytes, known)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::FileTooLarge) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn state(store: &Store, id: &BackupId, found: &Found) -> State {
    if !found.has_sidecar {
        return match found.object {
            Some(_) => State::Broken(Flaw::NoSidecar),
            None => State::Unfinished,
        };
    }
    match sound(store, id, found.object) {
        Ok(sidecar) => State::Good(Box::new(sidecar)),
        Err(flaw) => State::Broken(flaw),
    }
}

fn sound(store: &Store, id: &BackupId, object: Option<u64>) -> Result<Sidecar, Flaw> {
    let bytes = store
        .read(&id.sidecar(), sidecar::LARGEST)
        .map_err(|error| Flaw::Unreadable(error.to_string()))?;
    let sidecar = Sidecar::read(&bytes, id)?;
    let expected = sidecar.sealed_size;
    match object {
        None => Err(Flaw::NoObject),
        Some(size) if size != expected => Err(Flaw::Size { size, expected }),
        Some(_) => Ok(sidecar),
    }
}
