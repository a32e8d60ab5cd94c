//! Files of a host, over SFTP, for callers that may block.
//!
//! One thread owns the session, as for scripts. libssh2's SFTP can do one thing at a time, so what is asked waits for
//! its turn; a file that stays open between two requests costs nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tracing::{debug, debug_span};

use super::RemoteError;
use super::connection::linked;
use super::target::Target;

mod error;
mod served;

pub use error::{Refusal, SftpError};
use served::Served;

/// How much is written or read at a time. libssh2 has no more than this under way, so it bounds the rate over a long
/// way as well as the memory.
const PIECE: usize = 1 << 20;

/// A server that asks for signs of life hangs up on who gives none. libssh2 answers only while it reads.
const IDLE: Duration = Duration::from_secs(5);

/// The SFTP session of a login. Clones share it; dropping the last one closes it.
#[derive(Clone)]
pub struct Sftp {
    jobs: Sender<Job>,
    login: Arc<str>,
}

type Job = Box<dyn FnOnce(&mut Served) + Send>;

/// A file in a folder of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its name, as the host has it.
    pub name: String,
    /// How long it is, in bytes.
    pub size: u64,
}

impl Sftp {
    /// Logs in as for scripts, and asks for SFTP. Blocks: not for a thread that runs async work.
    ///
    /// # Errors
    /// Every stage of the login, or the host offers no SFTP.
    pub fn open(target: Target) -> Result<Self, SftpError> {
        let login = Arc::from(target.login_name());
        let (jobs, inbox) = channel();
        let (answer, answered) = channel();
        let name = format!("sftp {}", target.host);
        let span = debug_span!("sftp", address = target.host);
        let work = move || {
            let _in = span.entered();
            match log_in(target).and_then(Served::new) {
                Ok(mut served) => {
                    // Whoever asked may have given up; then nobody sends a job either.
                    let _ = answer.send(Ok(()));
                    serve(&mut served, &inbox);
                }
                Err(error) => drop(answer.send(Err(error))),
            }
        };
        std::thread::Builder::new()
            .name(name)
            .spawn(work)
            .map_err(|error| SftpError::thread(&error))?;
        answered.recv().map_err(|_| SftpError::ended())??;
        Ok(Self { jobs, login })
    }

    /// Whether the session has ended, so that nothing can be asked of it any more.
    pub fn is_over(&self) -> bool {
        self.ask(|served| Ok(served.is_over())).unwrap_or(true)
    }

    /// Begins a file, for its owner alone, that is not there yet.
    ///
    /// # Errors
    /// The host refuses it, or the connection is lost.
    pub fn create(&self, path: &Path) -> Result<Writing, SftpError> {
        let asked = path.to_owned();
        let file = self.ask(move |served| served.create(&asked))?;
        Ok(Writing { sftp: self.clone(), file, piece: Vec::new() })
    }

    /// Opens a file, at its beginning.
    ///
    /// # Errors
    /// The host refuses it, or the connection is lost.
    pub fn read(&self, path: &Path) -> Result<Reading, SftpError> {
        let asked = path.to_owned();
        let file = self.ask(move |served| served.open(&asked))?;
        Ok(Reading { sftp: self.clone(), file, piece: Vec::new(), taken: 0 })
    }

    /// The regular files of a folder that `wanted` names, in no order.
    ///
    /// # Errors
    /// The host refuses it, or the connection is lost.
    pub fn files(
        &self,
        folder: &Path,
        wanted: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Vec<RemoteFile>, SftpError> {
        let asked = folder.to_owned();
        self.ask(move |served| served.files(&asked, wanted))
    }

    /// Whether anything is there, whatever it is; a link counts as itself.
    ///
    /// # Errors
    /// The host does not say, or the connection is lost.
    pub fn exists(&self, path: &Path) -> Result<bool, SftpError> {
        let asked = path.to_owned();
        self.ask(move |served| served.exists(&asked))
    }

    /// Gives a file another name. What has that name already stays, and is an error.
    ///
    /// # Errors
    /// The host refuses it, the name is taken, or the connection is lost.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<(), SftpError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.ask(move |served| served.rename(&from, &to))
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// The host refuses it, there is none, or the connection is lost.
    pub fn remove(&self, path: &Path) -> Result<(), SftpError> {
        let path = path.to_owned();
        self.ask(move |served| served.remove(&path))
    }

    /// Makes a folder, for its owner alone.
    ///
    /// # Errors
    /// The host refuses it, or the connection is lost.
    pub fn make_folder(&self, path: &Path) -> Result<(), SftpError> {
        let path = path.to_owned();
        self.ask(move |served| served.make_folder(&path))
    }

    fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Served) -> Result<T, SftpError> + Send + 'static,
    ) -> Result<T, SftpError> {
        let (answer, answered) = channel();
        let job: Job = Box::new(move |served: &mut Served| drop(answer.send(work(served))));
        self.jobs.send(job).map_err(|_| SftpError::ended())?;
        answered.recv().map_err(|_| SftpError::ended())?
    }
}

impl fmt::Debug for Sftp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sftp({})", self.login)
    }
}

/// A login needs a clock and a waker, and no other thread has one for us.
fn log_in(target: Target) -> Result<super::link::Link, SftpError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let link =
        runtime.map_err(|error| SftpError::thread(&error))?.block_on(linked(Arc::new(target)));
    link.map_err(|error: RemoteError| SftpError::Login(Box::new(error)))
}

fn serve(served: &mut Served, inbox: &Receiver<Job>) {
    loop {
        match inbox.recv_timeout(IDLE) {
            Ok(job) => job(served),
            Err(RecvTimeoutError::Timeout) => served.give_sign_of_life(),
            Err(RecvTimeoutError::Disconnected) => return debug!("the session is closed"),
        }
    }
}

/// A file that is being written. Dropped before [`Self::finish`], it stays as it is.
#[derive(Debug)]
pub struct Writing {
    sftp: Sftp,
    file: u64,
    piece: Vec<u8>,
}

impl Writing {
    /// Writes the rest, has it put on the host's disk where the host can do that, and closes the file.
    ///
    /// # Errors
    /// The host refuses it, or the connection is lost.
    pub fn finish(mut self) -> Result<(), SftpError> {
        self.send()?;
        let file = self.file;
        self.sftp.ask(move |served| served.sync(file))?;
        self.sftp.ask(move |served| served.close(file))
    }

    fn send(&mut self) -> Result<(), SftpError> {
        let (file, piece) = (self.file, std::mem::take(&mut self.piece));
        self.piece = self.sftp.ask(move |served| served.write(file, piece))?;
        Ok(())
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let file = self.file;
        // Closed already, or the session is over.
        let _ = self.sftp.ask(move |served| served.close(file));
    }
}

/// A file that is being read.
#[derive(Debug)]
pub struct Reading {
    sftp: Sftp,
    file: u64,
    piece: Vec<u8>,
    taken: usize,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() {
            let (file, piece) = (self.file, std::mem::take(&mut self.piece));
            self.piece = self.sftp.ask(move |served| served.read(file, piece))?;
            self.taken = 0;
        }
        let rest = &self.piece[self.taken..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let file = self.file;
        // The session may be over.
        let _ = self.sftp.ask(move |served| served.close(file));
    }
}

/// The files that are open, by the numbers that callers know them by.
type OpenFiles = BTreeMap<u64, (PathBuf, ssh2::File)>;
