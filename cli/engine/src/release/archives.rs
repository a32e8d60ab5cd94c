//! Archives in memory: each is fetched once, however many hosts want it, and only if its sum fits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use inventories::inventory::ReleaseSource;
use pki::Sha256Digest;
use tokio::sync::OnceCell;

use super::{MAX_ARCHIVE, PATIENCE};
use crate::http::{self, HttpError};
use remote::bounded;

/// Why an archive is not to be had on the operator's side.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The download failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The file can't be read.
    #[error("can't read {path}: {why}")]
    File {
        /// Which.
        path: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is not the archive that the inventory pins.
    #[error("{place} has sha256 {got}, and the inventory wants {wanted}; nothing was installed")]
    Sum {
        /// URL or path.
        place: String,
        /// What it should hash to.
        wanted: String,
        /// What it hashes to.
        got: String,
    },
}

/// The archives that were fetched in this run, by checksum.
#[derive(Debug)]
pub struct Archives {
    /// Where relative paths begin: the inventory's folder.
    base: PathBuf,
    fetched: Mutex<BTreeMap<String, Fetched>>,
}

/// An archive that the first step to need it fetches for all.
type Fetched = Arc<OnceCell<Arc<[u8]>>>;

impl Archives {
    /// An empty store; relative paths of the inventory begin at `base`.
    pub fn new(base: PathBuf) -> Self {
        Self { base, fetched: Mutex::default() }
    }

    /// The archive of that checksum, fetched from `source` unless it was before.
    ///
    /// # Errors
    /// When it can't be fetched, or is another one. A later call tries again.
    pub async fn get(
        &self,
        source: &ReleaseSource,
        sha256: &str,
    ) -> Result<Arc<[u8]>, ArchiveError> {
        let cell = {
            let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(fetched.entry(sha256.to_owned()).or_default())
        };
        let bytes = cell.get_or_try_init(|| self.fetch(source, sha256)).await?;
        Ok(Arc::clone(bytes))
    }

    async fn fetch(&self, source: &ReleaseSource, sha256: &str) -> Result<Arc<[u8]>, ArchiveError> {
        let (base, source) = (self.base.clone(), source.clone());
        let read = tokio::task::spawn_blocking(move || match source {
            ReleaseSource::Url(url) => Ok((http::get(&url, MAX_ARCHIVE, PATIENCE)?, url)),
            ReleaseSource::Path(path) => {
                let path = base.join(path);
                let place = path.display().to_string();
                match bounded::read(&path, MAX_ARCHIVE) {
                    Ok(bytes) => Ok((bytes, place)),
                    Err(why) => Err(ArchiveError::File { path: place, why }),
                }
            }
        });
        // A reader that panicked is a defect.
        let (bytes, place) =
            read.await.unwrap_or_else(|defect| std::panic::resume_unwind(defect.into_panic()))?;
        let got = Sha256Digest::hash(&bytes).to_string();
        if got != sha256 {
            return Err(ArchiveError::Sum { place, wanted: sha256.to_owned(), got });
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> String {
        Sha256Digest::hash(bytes).to_string()
    }

    #[tokio::test]
    async fn an_archive_is_read_once_from_beside_the_inventory() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("etcd.tar.gz"), b"archive").unwrap();
        let archives = Archives::new(folder.path().to_owned());
        let source = ReleaseSource::Path("etcd.tar.gz".to_owned());
        let first = archives.get(&source, &digest(b"archive")).await.unwrap();
        std::fs::remove_file(folder.path().join("etcd.tar.gz")).unwrap();
        let second = archives.get(&source, &digest(b"archive")).await.unwrap();
        assert_eq!(&*first, b"archive");
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[tokio::test]
    async fn another_archive_is_refused_with_both_sums() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("etcd.tar.gz"), b"other").unwrap();
        let archives = Archives::new(folder.path().to_owned());
        let source = ReleaseSource::Path("etcd.tar.gz".to_owned());
        let error = archives.get(&source, &digest(b"archive")).await.unwrap_err().to_string();
        assert!(
            error.contains(&digest(b"archive")) && error.contains(&digest(b"other")),
            "{error}"
        );
    }
}
