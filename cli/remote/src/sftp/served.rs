//! What the thread of an SFTP session does: one request at a time, each within its time.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use ssh2::{ErrorCode, FileStat, OpenFlags, OpenType, RenameFlags};

use super::error::{Refusal, SftpError};
use super::{OpenFiles, PIECE, RemoteFile};
use crate::link::{EAGAIN, Link, Stopped};

/// How long a request may take that moves no data, and a piece of data without any of it moving. A disk that sleeps
/// needs seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder of backups has thousands of files; a server that never stops counting has no folder.
const MOST_FILES: usize = 1_000_000;

const FOR_ITS_OWNER: i32 = 0o600;
const FOLDER_FOR_ITS_OWNER: i32 = 0o700;

pub(super) struct Served {
    files: OpenFiles,
    next: u64,
    /// Set once libssh2 may be in the middle of something, after which nothing else may be asked of it.
    over: Option<String>,
    sftp: Option<ssh2::Sftp>,
    /// Last: what is above lives on it.
    link: Link,
}

impl Served {
    pub(super) fn new(link: Link) -> Result<Self, SftpError> {
        match link.drive(Instant::now() + LIMIT, || link.session.sftp()) {
            Ok(sftp) => {
                Ok(Self { files: OpenFiles::new(), next: 0, over: None, sftp: Some(sftp), link })
            }
            Err(stopped) => {
                link.hang_up();
                Err(SftpError::NotOffered { why: stopped.why() })
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    pub(super) fn create(&mut self, path: &Path) -> Result<u64, SftpError> {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        let opened = self.asked("create", path, |sftp| {
            sftp.open_mode(path, flags, FOR_ITS_OWNER, OpenType::File)
        });
        match opened {
            Ok(file) => Ok(self.keep(path, file)),
            Err(error) => Err(self.taken_or(error, path)),
        }
    }

    pub(super) fn open(&mut self, path: &Path) -> Result<u64, SftpError> {
        let file = self.asked("open", path, |sftp| sftp.open(path))?;
        Ok(self.keep(path, file))
    }

    fn keep(&mut self, path: &Path, file: ssh2::File) -> u64 {
        self.next += 1;
        self.files.insert(self.next, (path.to_owned(), file));
        self.next
    }

    /// Writes a piece and gives its memory back, empty.
    pub(super) fn write(&mut self, number: u64, mut piece: Vec<u8>) -> Result<Vec<u8>, SftpError> {
        let mut written = 0;
        while written < piece.len() {
            // libssh2 has sent more than it says, and is to be asked again with what it did not confirm yet.
            let rest = &piece[written..];
            let count = self.moved("write", number, |file| file.write(rest))?;
            if count == 0 {
                return Err(self.end("the host takes nothing more"));
            }
            written += count;
        }
        piece.clear();
        Ok(piece)
    }

    /// The next piece of a file, in this memory; empty at its end.
    pub(super) fn read(&mut self, number: u64, mut piece: Vec<u8>) -> Result<Vec<u8>, SftpError> {
        piece.resize(PIECE, 0);
        let count = self.moved("read", number, |file| file.read(&mut piece))?;
        piece.truncate(count);
        Ok(piece)
    }

    /// Has the file put on the host's disk, if the server can do that: OpenSSH can.
    pub(super) fn sync(&mut self, number: u64) -> Result<(), SftpError> {
        match self.with_file("write", number, ssh2::File::fsync) {
            Err(error) if error.refusal() == Some(Refusal::Unsupported) => Ok(()),
            synced => synced,
        }
    }

    /// Closes a file; one that is closed is no error.
    pub(super) fn close(&mut self, number: u64) -> Result<(), SftpError> {
        if !self.files.contains_key(&number) || self.over.is_some() {
            return Ok(());
        }
        let closed = self.with_file("close", number, ssh2::File::close);
        if self.over.is_none() {
            self.files.remove(&number);
        }
        closed
    }

    pub(super) fn files(
        &mut self,
        folder: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<RemoteFile>, SftpError> {
        let opened = self.asked("list", folder, |sftp| sftp.opendir(folder))?;
        let number = self.keep(folder, opened);
        let found = self.entries(number, folder, wanted);
        let closed = self.close(number);
        found.and_then(|found| closed.map(|()| found))
    }

    fn entries(
        &mut self,
        number: u64,
        folder: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<RemoteFile>, SftpError> {
        let mut found = Vec::new();
        for _ in 0..MOST_FILES {
            let Some((name, about)) = self.with_file("list", number, next_entry)? else {
                return Ok(found);
            };
            let Some(name) = name.to_str().filter(|name| wanted(name)) else { continue };
            if let Some(size) = about.size.filter(|_| about.is_file()) {
                found.push(RemoteFile { name: name.to_owned(), size });
            }
        }
        Err(SftpError::TooMany { path: folder.to_owned(), most: MOST_FILES })
    }

    pub(super) fn exists(&mut self, path: &Path) -> Result<bool, SftpError> {
        match self.asked("look at", path, |sftp| sftp.lstat(path)) {
            Ok(_) => Ok(true),
            Err(error) if error.refusal() == Some(Refusal::Missing) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<(), SftpError> {
        // The protocol has it that a rename replaces nothing. Not every server heeds that, and all can be asked.
        if self.exists(to)? {
            return Err(SftpError::Taken { path: to.to_owned() });
        }
        // Without flags it is the plain request of the protocol, and not the extension that replaces.
        let flags = Some(RenameFlags::empty());
        let renamed = self.asked("rename", from, |sftp| sftp.rename(from, to, flags));
        renamed.map_err(|error| self.taken_or(error, to))
    }

    pub(super) fn remove(&mut self, path: &Path) -> Result<(), SftpError> {
        self.asked("delete", path, |sftp| sftp.unlink(path))
    }

    pub(super) fn make_folder(&mut self, path: &Path) -> Result<(), SftpError> {
        self.asked("make", path, |sftp| sftp.mkdir(path, FOLDER_FOR_ITS_OWNER))
    }

    pub(super) fn give_sign_of_life(&mut self) {
        // Any answer is one, a refusal too.
        let here = Path::new(".");
        let _ = self.asked("look at", here, |sftp| sftp.stat(here));
    }

    /// OpenSSH says of a name that is taken only that it failed.
    fn taken_or(&mut self, error: SftpError, path: &Path) -> SftpError {
        let unclear = matches!(error.refusal(), Some(Refusal::Failure | Refusal::Other(_)));
        if unclear && self.exists(path) == Ok(true) {
            return SftpError::Taken { path: path.to_owned() };
        }
        error
    }

    fn asked<T>(
        &mut self,
        doing: &'static str,
        path: &Path,
        ask: impl Fn(&ssh2::Sftp) -> Result<T, ssh2::Error>,
    ) -> Result<T, SftpError> {
        let (None, Some(sftp)) = (&self.over, &self.sftp) else { return Err(self.gone()) };
        let done = self.link.drive(Instant::now() + LIMIT, || ask(sftp));
        done.map_err(|stopped| self.failed(doing, path, &stopped))
    }

    fn with_file<T>(
        &mut self,
        doing: &'static str,
        number: u64,
        mut ask: impl FnMut(&mut ssh2::File) -> Result<T, ssh2::Error>,
    ) -> Result<T, SftpError> {
        let (None, Some((path, file))) = (&self.over, self.files.get_mut(&number)) else {
            return Err(self.gone());
        };
        let done = self.link.drive(Instant::now() + LIMIT, || ask(file));
        let path = path.clone();
        done.map_err(|stopped| self.failed(doing, &path, &stopped))
    }

    /// The same for what moves data. ssh2 gives these errors of `std::io`, which have lost their code.
    fn moved(
        &mut self,
        doing: &'static str,
        number: u64,
        mut ask: impl FnMut(&mut ssh2::File) -> std::io::Result<usize>,
    ) -> Result<usize, SftpError> {
        let session = self.link.session.clone();
        self.with_file(doing, number, |file| {
            ask(file).map_err(|error| match error.kind() {
                std::io::ErrorKind::WouldBlock => ssh2::Error::from_errno(EAGAIN),
                _ => ssh2::Error::last_session_error(&session)
                    .filter(|last| last.code() != PROTOCOL)
                    .unwrap_or_else(|| ssh2::Error::from_errno(ErrorCode::SFTP(code_of(&error)))),
            })
        })
    }

    fn failed(&mut self, doing: &'static str, path: &Path, stopped: &Stopped) -> SftpError {
        match stopped {
            Stopped::Failed(error) => match error.code() {
                ErrorCode::SFTP(code) => {
                    let why = Refusal::of(code);
                    SftpError::Refused { doing, path: path.to_owned(), why }
                }
                ErrorCode::Session(_) => self.end(error.message()),
            },
            Stopped::Late => self.end("no answer in time"),
        }
    }

    fn end(&mut self, why: &str) -> SftpError {
        self.over = Some(why.to_owned());
        self.link.cut();
        SftpError::lost(why)
    }

    fn gone(&self) -> SftpError {
        match &self.over {
            Some(why) => SftpError::lost(why),
            None => SftpError::ended(),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        for number in self.files.keys().copied().collect::<Vec<_>>() {
            // Best effort: the host closes them with the session.
            let _ = self.close(number);
        }
        // ssh2 blocks while it frees what is still open, and nobody carries its bytes then.
        self.link.session.set_timeout(1);
        self.files.clear();
        self.sftp = None;
        self.link.hang_up();
    }
}

/// libssh2's code for a refusal whose own code the SFTP session knows.
const PROTOCOL: ErrorCode = ErrorCode::Session(-31);
/// libssh2's code for a request that its file can't do, by which ssh2 tells the end of a folder.
const NO_MORE: ErrorCode = ErrorCode::Session(-16);

/// The protocol's code of a refusal, by the words that ssh2 left of it.
fn code_of(error: &std::io::Error) -> i32 {
    let words = error.to_string();
    (1..=21)
        .find(|code| ssh2::Error::from_errno(ErrorCode::SFTP(*code)).message() == words)
        .unwrap_or(4)
}

fn next_entry(
    folder: &mut ssh2::File,
) -> Result<Option<(std::path::PathBuf, FileStat)>, ssh2::Error> {
    match folder.readdir() {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.code() == NO_MORE => Ok(None),
        Err(error) => Err(error),
    }
}
