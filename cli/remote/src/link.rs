//! A TCP connection with an SSH session on it, never blocking.
//!
//! libssh2 gets its bytes through a [`Gate`], so that a thread knows when nothing is left to do.
//! All objects of a session stay on one thread: libssh2 frees channels without a lock.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, ErrorCode, Session};

use super::again;
use super::algorithms::Algorithms;
use super::counters::Tally;
use super::error::RemoteError;
use super::gate::Gate;
use super::host_key::HostKey;
use super::limited::Open;
use super::proxy::Proxy;
use super::target::Target;
use super::text::clean;

/// libssh2's code for "try again when the socket is ready".
pub(crate) const EAGAIN: ErrorCode = ErrorCode::Session(-37);
/// A connection without a sign of life for this long is lost, unless its owner says otherwise.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(12);
/// How many probes a connection may leave unanswered until it is lost.
pub(crate) const PROBES: u32 = 3;

/// A session and the sockets below it.
pub(crate) struct Link {
    pub(crate) session: Session,
    pub(crate) tally: Arc<Tally>,
    socket: Arc<UnixStream>,
    gate: Gate,
    _open: Option<Open>,
    /// The command that carries our bytes. Last: it is ended when its stream is closed.
    _proxy: Option<Proxy>,
}

/// Whether libssh2's socket holds bytes that it has not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    Nothing,
    Some,
}

/// Why an operation of the session did not finish.
pub(crate) enum Stopped {
    /// libssh2 failed.
    Failed(ssh2::Error),
    /// The deadline passed.
    Late,
}

impl Stopped {
    pub(crate) fn why(&self) -> String {
        match self {
            Stopped::Failed(error) => error.message().to_owned(),
            Stopped::Late => "no answer in time".to_owned(),
        }
    }
}

impl Link {
    /// Exchanges keys over `stream`, offering these host key algorithms in this order. The host's
    /// key is not checked yet.
    pub(crate) fn handshake(
        stream: impl Into<OwnedFd>,
        algorithms: &Algorithms,
        host_keys: &str,
        deadline: Instant,
        tally: &Arc<Tally>,
    ) -> Result<(Self, HostKey), RemoteError> {
        let key_exchange =
            |error: ssh2::Error| RemoteError::KeyExchange { why: error.message().to_owned() };
        let (gate, socket) = Gate::new(stream.into())
            .map_err(|error| RemoteError::Banner { why: error.to_string() })?;
        let socket = Arc::new(socket);
        let mut session = Session::new().map_err(key_exchange)?;
        session.set_tcp_stream(Arc::clone(&socket));
        session.set_blocking(false);
        algorithms.offer(&session, host_keys).map_err(key_exchange)?;
        let tally = Arc::clone(tally);
        let link =
            Self { session: session.clone(), tally, socket, gate, _open: None, _proxy: None };
        if let Err(stopped) = link.drive(deadline, || session.handshake()) {
            let why = stopped.why();
            let said = link.session.banner_bytes();
            // libssh2 takes any line for a greeting until one is. Of one that nothing followed it has no code.
            let is_all = said.is_some_and(|line| link.gate.received() <= line.len() + "\r\n".len());
            return Err(match (&stopped, said) {
                (Stopped::Failed(error), said) if is_broken(error) || is_all => {
                    again::hung_up(said.map(clean), &why)
                }
                (_, Some(greeting)) if greeting.starts_with(b"SSH-") => {
                    RemoteError::KeyExchange { why }
                }
                _ => RemoteError::Banner { why },
            });
        }
        let key = link.session.host_key().and_then(|(blob, _)| HostKey::new(blob.to_vec()));
        let key =
            key.ok_or(RemoteError::KeyExchange { why: "the server has no host key".to_owned() })?;
        Ok((link, key))
    }

    /// The same link, which ends this command with itself.
    pub(crate) fn over(self, proxy: Option<Proxy>) -> Self {
        Self { _proxy: proxy, ..self }
    }

    /// The same link, which is known to be open until it is dropped.
    pub(crate) fn noted(self, open: Option<Open>) -> Self {
        Self { _open: open, ..self }
    }

    /// Repeats an operation of the session until it ends, waiting for the socket in between.
    pub(crate) fn drive<T>(
        &self,
        deadline: Instant,
        mut operation: impl FnMut() -> Result<T, ssh2::Error>,
    ) -> Result<T, Stopped> {
        loop {
            let unread = self.unread();
            match operation() {
                Err(error) if error.code() == EAGAIN => {}
                end => {
                    // The host hears what libssh2 said last, if only that we share no algorithm.
                    self.carry();
                    return end.map_err(Stopped::Failed);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Stopped::Late);
            }
            if self.carry() || (unread == Unread::Some && !self.is_sending()) {
                continue;
            }
            if self.unread() == Unread::Some && !self.is_sending() {
                self.tally.count_overslept();
            }
            wait(&mut [PollFd::new(self, self.wanted())], left);
        }
    }

    /// Carries bytes between libssh2 and the host. Whether any moved.
    pub(crate) fn carry(&self) -> bool {
        self.gate.carry()
    }

    /// Whether anything came from the host since this was last asked.
    pub(crate) fn take_heard(&self) -> bool {
        self.gate.take_heard()
    }

    /// What libssh2 has to read. libssh2 itself keeps a packet that has come only in part.
    pub(crate) fn unread(&self) -> Unread {
        match rustix::io::ioctl_fionread(&self.socket) {
            Ok(0) => Unread::Nothing,
            // A look that failed is repeated by the read that follows.
            Ok(_) | Err(_) => Unread::Some,
        }
    }

    /// Whether libssh2 is in the middle of a packet that the host does not take. Until then it may
    /// not read.
    pub(crate) fn is_sending(&self) -> bool {
        self.gate.holds_back()
            && matches!(
                self.session.block_directions(),
                BlockDirections::Outbound | BlockDirections::Both
            )
    }

    /// Whether the host takes a small packet at once.
    pub(crate) fn takes_at_once(&self) -> bool {
        let mut writable =
            [PollFd::new(&self.socket, PollFlags::OUT), PollFd::new(self, PollFlags::OUT)];
        wait(&mut writable, Duration::ZERO);
        writable.iter().all(|end| end.revents().contains(PollFlags::OUT))
            && !self.gate.holds_back()
            && !self.is_sending()
    }

    /// What the host's socket must be ready for before libssh2 gets any further.
    pub(crate) fn wanted(&self) -> PollFlags {
        self.gate.wanted()
    }

    /// Says goodbye and cuts the connection, so that freeing the session has nothing to wait for.
    pub(crate) fn hang_up(&self) {
        // Best effort: the other side may be gone.
        let _ = self.session.disconnect(None, "done", None);
        self.carry();
        self.cut();
    }

    /// Cuts the connection. Unlike [`Self::hang_up`] it may be done during an operation of the session.
    pub(crate) fn cut(&self) {
        let _ = self.gate.host.shutdown(std::net::Shutdown::Both);
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.gate.host.as_fd()
    }
}

/// Whether libssh2 wants the operation repeated when the socket is ready.
pub(crate) fn would_block(error: &ssh2::Error) -> bool {
    error.code() == EAGAIN
}

/// Whether the error means that the connection is gone, whatever was being done on it.
pub(crate) fn is_broken(error: &ssh2::Error) -> bool {
    // Socket missing, send failed, timed out, disconnected, receive failed.
    matches!(error.code(), ErrorCode::Session(-1 | -7 | -9 | -13 | -43))
}

/// Waits until one of the descriptors is ready or the time is over. An interrupted wait is a short
/// one: every caller looks at its clock and asks again.
pub(crate) fn wait(fds: &mut [PollFd<'_>], timeout: Duration) {
    let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 60, tv_nsec: 0 });
    let _ = poll(fds, Some(&timeout));
}

/// Connects to the first address of the target that answers, each within its timeout.
pub(crate) fn dial(target: &Target, addresses: &[SocketAddr]) -> Result<TcpStream, RemoteError> {
    let timeout = target.connect_timeout;
    let mut failure =
        RemoteError::Resolve { host: target.host.clone(), why: "it has no address".to_owned() };
    for address in addresses {
        match TcpStream::connect_timeout(address, timeout)
            .and_then(|stream| prepare(stream, target.silence_limit))
        {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                let why = match error.kind() {
                    io::ErrorKind::TimedOut => {
                        format!("no answer within {:.1} s", timeout.as_secs_f64())
                    }
                    _ => error.to_string(),
                };
                failure = RemoteError::Connect { address: *address, why };
            }
        }
    }
    Err(failure)
}

/// Without this, each small packet waits for the acknowledgement of the last (Nagle), and a host
/// that lost power is noticed after hours.
fn prepare(stream: TcpStream, silence: Duration) -> io::Result<TcpStream> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, silence / PROBES)?;
    sockopt::set_tcp_keepintvl(&stream, silence / PROBES)?;
    sockopt::set_tcp_keepcnt(&stream, PROBES - 1)?;
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(&stream, u32::try_from(silence.as_millis()).unwrap_or(u32::MAX))?;
    Ok(stream)
}
