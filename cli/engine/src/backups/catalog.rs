//! What lies in a store. A backup is good if its sidecar is sound and its file as long as the sidecar says; its content
//! is read only by whoever opens it.

use std::collections::BTreeMap;
use std::io;

use inventories::{ClusterName, SiteName};

use super::name::{BackupId, FileName};
use super::sidecar::{self, Sidecar, SidecarError};
use super::store::Store;

/// A backup in one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Its name.
    pub id: BackupId,
    /// What is there of it.
    pub state: State,
}

/// What is there of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// All of it, as far as can be told without reading it.
    Good(Box<Sidecar>),
    /// Nothing of it has its name yet: it is being taken, or whoever took it was stopped.
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
}

/// The backups of a cluster in a store, oldest first.
///
/// # Errors
/// The store could not be read.
pub fn copies(store: &Store, site: &SiteName, cluster: &ClusterName) -> io::Result<Vec<Copy>> {
    let mut found: BTreeMap<BackupId, Found> = BTreeMap::new();
    for file in store.files()? {
        let id = file.name.id();
        if id.site != *site || id.cluster != *cluster {
            continue;
        }
        let found = found.entry(id.clone()).or_default();
        match file.name {
            FileName::Object(_) => found.object = Some(file.size),
            FileName::Sidecar(_) => found.has_sidecar = true,
            FileName::Part(_) => {}
        }
    }
    let copy = |(id, found): (BackupId, Found)| Copy { state: state(store, &id, &found), id };
    Ok(found.into_iter().map(copy).collect())
}

#[derive(Default)]
struct Found {
    object: Option<u64>,
    has_sidecar: bool,
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
