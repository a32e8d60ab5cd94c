//! A bucket of an S3 server as a place for backups.
//!
//! - [`credentials`]: who we are, from where other S3 tools have it.
//! - `client`: one request at a time, signed, bounded, and tried again where that does no harm.
//! - `upload`: an object that appears whole or not at all, and replaces none.
//! - `ranges`: an object that is read piece by piece.
//! - `listing`: what is there, and what is being uploaded.
//!
//! rusty-s3 signs, ureq carries. A signed URL is a credential until it expires: it never leaves `client`.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use inventories::S3Target;

use super::name::whole_of;
use super::store::Stored;

mod client;
pub mod credentials;
mod error;
mod listing;
mod ranges;
#[cfg(test)]
mod tests;
mod upload;

use client::Client;
pub(super) use client::GIVEN_UP;
pub use error::S3Error;
pub use ranges::Ranges;
pub use upload::Upload;

/// A part of a bucket. Nothing is asked, and no credential is read, before the first use.
#[derive(Debug)]
pub struct Bucket {
    target: S3Target,
    ca_file: Option<PathBuf>,
    look: fn(&str) -> Option<OsString>,
    client: Mutex<Option<Arc<Client>>>,
}

impl Bucket {
    /// A target of the inventory; `ca_file` with its path resolved, and `look` for [`credentials::find`].
    pub fn new(
        target: &S3Target,
        ca_file: Option<PathBuf>,
        look: fn(&str) -> Option<OsString>,
    ) -> Self {
        Self { target: target.clone(), ca_file, look, client: Mutex::new(None) }
    }

    /// What speaks with the server: the same for all of a run, so that its connections are used again.
    fn client(&self) -> Result<Arc<Client>, S3Error> {
        let mut known = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*known {
            return Ok(Arc::clone(client));
        }
        let credentials = credentials::find(self.look)?;
        let client = Client::new(&self.target, self.ca_file.as_deref(), credentials)?;
        Ok(Arc::clone(known.insert(Arc::new(client))))
    }

    /// Begins an object.
    pub(super) fn upload(&self, name: &str) -> Result<Upload, S3Error> {
        Upload::begin(self.client()?, name)
    }

    /// Writes a small object.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> Result<(), S3Error> {
        upload::put(&self.client()?, name, content)
    }

    /// The objects and uploads of ours.
    pub(super) fn files(&self) -> Result<Vec<Stored>, S3Error> {
        let client = self.client()?;
        let mut files = listing::objects(&client)?;
        files.extend(listing::unfinished(&client)?);
        Ok(files)
    }

    /// An object, from its beginning.
    pub(super) fn open(&self, name: &str) -> Result<Ranges, S3Error> {
        Ranges::open(self.client()?, name)
    }

    /// What anybody with our credentials could do to what is there. Who may write may overwrite: only versions of what
    /// was there protect it, and nothing that is asked here changes anything.
    pub(super) fn caution(&self) -> Option<&'static str> {
        let client = self.client().ok()?.within(upload::TIDYING);
        match listing::keeps_versions(&client) {
            Some(false) => Some(
                "the bucket keeps no versions, so anybody with these credentials can overwrite its backups; turn on versioning or object lock",
            ),
            Some(true) | None => None,
        }
    }

    /// Deletes an object; of an unfinished one, its uploads. What is gone is no error.
    pub(super) fn remove(&self, name: &str) -> Result<(), S3Error> {
        let client = self.client()?;
        match whole_of(name) {
            Some(whole) => upload::abort_all(&client, whole),
            None => client.delete(name),
        }
    }
}

impl Client {
    fn delete(&self, name: &str) -> Result<(), S3Error> {
        let key = self.key(name);
        let action = self.bucket().delete_object(Some(self.credentials()), &key);
        match self.send(action, &[], &[]) {
            Err(error) if error.status() == Some(404) => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

impl From<S3Error> for io::Error {
    fn from(error: S3Error) -> Self {
        Self::new(error.kind(), error)
    }
}
