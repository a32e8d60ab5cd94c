//! A `ProxyCommand`: a program on this machine whose standard input and output are the way to a host.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::config::shell::{end, shell};
use super::error::RemoteError;
use super::text::Tail;

/// How long a command that closed its output may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The running command. Dropping it ends it.
pub(crate) struct Proxy {
    child: Child,
    said: Arc<Mutex<Tail>>,
    reader: JoinHandle<()>,
}

impl Proxy {
    /// Starts the command; the stream is its standard input and output.
    pub(crate) fn start(command: &str) -> Result<(Self, OwnedFd), RemoteError> {
        let start = || {
            let (ours, theirs) = UnixStream::pair()?;
            let theirs = OwnedFd::from(theirs);
            // As in ssh: no shell is left between us and the program.
            let mut child = shell(&format!("exec {command}"))
                .stdin(theirs.try_clone()?)
                .stdout(theirs)
                .stderr(Stdio::piped())
                .spawn()?;
            let said = Arc::new(Mutex::new(Tail::default()));
            let (stderr, heard) = (child.stderr.take(), Arc::clone(&said));
            let reader = std::thread::Builder::new()
                .name("proxy".to_owned())
                .spawn(move || stderr.into_iter().for_each(|stderr| listen(stderr, &heard)));
            match reader {
                Ok(reader) => Ok((Self { child, said, reader }, ours.into())),
                Err(error) => {
                    end(&mut child);
                    Err(error)
                }
            }
        };
        start().map_err(|error: std::io::Error| RemoteError::Proxy {
            why: format!("does not start: {error}"),
            said: String::new(),
        })
    }

    /// The error in the command's own words, where no server was reached through it.
    pub(crate) fn explain(mut self, error: RemoteError) -> RemoteError {
        let why = match &error {
            RemoteError::Banner { why } => why.clone(),
            RemoteError::HungUp { said, .. } if said.is_empty() => String::new(),
            _ => return error,
        };
        let deadline = Instant::now() + LAST_WORDS;
        let ended = loop {
            match self.child.try_wait() {
                Ok(Some(status)) if self.reader.is_finished() || late(deadline) => {
                    break Some(status);
                }
                Ok(status) if late(deadline) => break status,
                Ok(_) => std::thread::sleep(Duration::from_millis(10)),
                Err(_) => break None,
            }
        };
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).text();
        // A command that has nothing to complain of reached a server, which may take us later.
        if why.is_empty() && said.is_empty() && ended.is_none_or(|status| status.success()) {
            return error;
        }
        let why = match ended {
            Some(status) => format!("ended before an SSH server answered: {status}"),
            None if why.is_empty() => "reached no SSH server".to_owned(),
            None => format!("reached no SSH server: {why}"),
        };
        RemoteError::Proxy { why, said }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn late(deadline: Instant) -> bool {
    Instant::now() >= deadline
}

/// A command whose words nobody takes would stand still.
fn listen(mut stderr: ChildStderr, said: &Mutex<Tail>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer) {
        said.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
    }
}
