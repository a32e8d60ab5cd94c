//! A folder of another host as a place for backups, over SFTP: the logins, keys and jump hosts are those of `ssh`.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use remote::Target;
use remote::sftp::{Reading, Refusal, Sftp, SftpError, Writing};

use super::name::{FileName, part_of};
use super::store::Stored;

/// Says where to log in. It may read files and run the commands that SSH's configuration names.
pub type LogIn = Arc<dyn Fn() -> io::Result<Target> + Send + Sync>;

/// A folder of another host. Nobody logs in before its first use.
pub struct FarFolder {
    path: PathBuf,
    log_in: LogIn,
    session: Mutex<Option<Sftp>>,
}

impl FarFolder {
    /// The folder `path`; one without a leading slash begins at the login's home.
    pub fn new(path: PathBuf, log_in: LogIn) -> Self {
        Self { path, log_in, session: Mutex::new(None) }
    }

    /// The session of this run, or another one where it was lost: what comes next may work.
    fn session(&self) -> io::Result<Sftp> {
        let mut known = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sftp) = known.as_ref().filter(|sftp| !sftp.is_over()) {
            return Ok(sftp.clone());
        }
        let sftp = Sftp::open((self.log_in)()?)?;
        Ok(known.insert(sftp).clone())
    }

    /// Begins a file.
    pub(super) fn stage(&self, name: &str) -> io::Result<Arriving> {
        let sftp = self.session()?;
        let (part, whole) = (self.path.join(part_of(name)), self.path.join(name));
        let writing = match sftp.create(&part) {
            Err(error) if error.refusal() == Some(Refusal::Missing) => {
                self.make(&sftp)?;
                sftp.create(&part)?
            }
            created => created?,
        };
        Ok(Arriving { sftp, writing: Some(writing), part, whole })
    }

    /// Makes the folder, and those above it that are missing.
    fn make(&self, sftp: &Sftp) -> Result<(), SftpError> {
        let mut missing = Vec::new();
        for folder in self.path.ancestors().filter(|folder| *folder != Path::new("")) {
            if sftp.exists(folder)? {
                break;
            }
            missing.push(folder);
        }
        missing.into_iter().rev().try_for_each(|folder| match sftp.make_folder(folder) {
            // Another run made it meanwhile.
            Err(_) if sftp.exists(folder)? => Ok(()),
            made => made,
        })
    }

    /// The files of ours. A folder that is not there holds none.
    pub(super) fn files(&self) -> io::Result<Vec<Stored>> {
        let is_ours = |name: &str| FileName::read(name).is_some();
        let files = match self.session()?.files(&self.path, is_ours) {
            Err(error) if error.refusal() == Some(Refusal::Missing) => return Ok(Vec::new()),
            files => files?,
        };
        let stored = |file: remote::sftp::RemoteFile| {
            Some(Stored { name: FileName::read(&file.name)?, size: file.size })
        };
        Ok(files.into_iter().filter_map(stored).collect())
    }

    pub(super) fn is_missing(&self) -> bool {
        self.session().is_ok_and(|sftp| sftp.exists(&self.path) == Ok(false))
    }

    pub(super) fn open(&self, name: &str) -> io::Result<Reading> {
        Ok(self.session()?.read(&self.path.join(name))?)
    }

    /// Deletes a file. One that is gone is no error.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match self.session()?.remove(&self.path.join(name)) {
            Err(error) if error.refusal() == Some(Refusal::Missing) => Ok(()),
            removed => Ok(removed?),
        }
    }

    /// Whether this login may delete: asked with a name that nothing has, which changes nothing. A server that forbids
    /// it says so before it looks for the file.
    pub(super) fn caution(&self) -> Option<&'static str> {
        let nothing = self.path.join(".quorate-asks-whether-it-may-delete");
        let deleted = self.session().ok()?.remove(&nothing);
        let may = deleted.map_or_else(|error| error.refusal() == Some(Refusal::Missing), |()| true);
        may.then_some(
            "this login may delete backups, and so may whoever has its key; have its server forbid that (internal-sftp -P remove,posix-rename), or keep snapshots of that disk",
        )
    }
}

impl fmt::Debug for FarFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FarFolder({})", self.path.display())
    }
}

/// A file that is on its way. Dropped before it is published, it leaves nothing behind, as far as the server lets us
/// delete it.
#[derive(Debug)]
pub struct Arriving {
    sftp: Sftp,
    /// `None` once it is published.
    writing: Option<Writing>,
    part: PathBuf,
    whole: PathBuf,
}

impl Arriving {
    /// Gives the file its name, once the host has all of it. Another file of that name stays as it is.
    pub(super) fn publish(mut self) -> io::Result<()> {
        let Some(writing) = self.writing.take() else { return Ok(()) };
        let published = writing.finish().and_then(|()| self.sftp.rename(&self.part, &self.whole));
        if published.is_err() {
            self.discard();
        }
        Ok(published?)
    }

    fn discard(&self) {
        // A server that forbids it, or is gone, keeps what `prune` knows as unfinished.
        let _ = self.sftp.remove(&self.part);
    }
}

impl Write for Arriving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writing {
            Some(writing) => writing.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if self.writing.take().is_some() {
            self.discard();
        }
    }
}
