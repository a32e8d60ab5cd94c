//! Whether one host reaches another, and what a server answers it, asked through `direct-tcpip`.
//!
//! A session of its own: an opening that the other side leaves unanswered cannot be taken back in
//! libssh2, and would block the runs behind it.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use ssh2::ErrorCode;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use super::counters::Tally;
use super::error::{Progress, RemoteError};
use super::handshake::{self, Shown};
use super::link::{EAGAIN, Link, Stopped};
use super::login::login;
use super::target::Target;

/// A refusal comes within a round trip; a host that nobody answers for is reported by the kernel
/// after three seconds, by the same code.
const PROMPT: Duration = Duration::from_millis(1500);
/// How long closing a probe's channel may take.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// How long a prober waits for its turn at a jump host, and how often it looks.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const TURN_LOOK: Duration = Duration::from_millis(20);

/// What a host found when it connected to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Something listens there.
    Connected,
    /// An answer came that said no. Usually nothing listens yet, which is fine; a firewall that
    /// rejects instead of dropping looks the same, because SSH does not carry the reason.
    Refused,
    /// No answer: the packets are lost or dropped.
    Silent,
    /// The host's sshd forwards no connections (`AllowTcpForwarding`), so nothing was learned.
    Forbidden,
}

/// What a host found, and how long it took to hear of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    /// What it found.
    pub reach: Reach,
    /// From our asking to the host's answer: our round trip to the host, and the host's to the
    /// address.
    pub took: Duration,
}

/// The thread that probes, one address after the other.
pub(crate) struct Prober {
    requests: Sender<Request>,
}

enum Request {
    Probe { address: SocketAddr, timeout: Duration, answer: Answer<Probed> },
    Exchange { address: SocketAddr, question: Vec<u8>, timeout: Duration, answer: Answer<Vec<u8>> },
    Handshake { address: SocketAddr, trusted: Vec<u8>, timeout: Duration, answer: Answer<Shown> },
}

type Answer<T> = oneshot::Sender<Result<T, RemoteError>>;

impl Prober {
    /// Starts the thread; it logs in when it is first asked.
    pub(crate) fn start(
        target: Arc<Target>,
        addresses: Arc<[SocketAddr]>,
        tally: Arc<Tally>,
    ) -> Self {
        let (requests, inbox) = channel();
        std::thread::spawn(move || serve(&inbox, &target, &addresses, &tally));
        Self { requests }
    }

    /// Tries `address` from the host.
    pub(crate) async fn probe(
        &self,
        address: SocketAddr,
        timeout: Duration,
    ) -> Result<Probed, RemoteError> {
        self.ask(|answer| Request::Probe { address, timeout, answer }).await
    }

    /// Sends `question` to `address` from the host, and reads one answer with its length before it.
    pub(crate) async fn exchange(
        &self,
        address: SocketAddr,
        question: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<u8>, RemoteError> {
        self.ask(|answer| Request::Exchange { address, question, timeout, answer }).await
    }

    /// Has a server at `address` show its certificate to somebody who trusts these CAs, as PEM.
    pub(crate) async fn handshake(
        &self,
        address: SocketAddr,
        trusted: Vec<u8>,
        timeout: Duration,
    ) -> Result<Shown, RemoteError> {
        self.ask(|answer| Request::Handshake { address, trusted, timeout, answer }).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, RemoteError> {
        let (answer, answered) = oneshot::channel();
        let lost = || RemoteError::Lost {
            why: "it was closed before".to_owned(),
            progress: Progress::NotStarted,
        };
        self.requests.send(request(answer)).map_err(|_| lost())?;
        answered.await.unwrap_or_else(|_| Err(lost()))
    }
}

fn serve(inbox: &Receiver<Request>, target: &Target, addresses: &[SocketAddr], tally: &Arc<Tally>) {
    let mut spare: Option<Link> = None;
    while let Ok(request) = inbox.recv() {
        let link = match spare.take() {
            Some(link) => Ok(link),
            // What it would tell is not worth another one-time code.
            None if matches!(request, Request::Probe { .. }) && target.asks() => {
                let why = "a second login would ask for another one-time code".to_owned();
                Err(RemoteError::Session { why })
            }
            None => {
                let _turn = target.turns.as_deref().and_then(turn);
                let link = login(target, addresses, tally);
                tally.end_turn();
                link.inspect(|_| tally.count_connection())
            }
        };
        // The caller may have stopped waiting for any of the answers.
        match request {
            Request::Probe { address, timeout, answer } => {
                let probed = link.and_then(|link| {
                    let probed = connect(&link, address, timeout);
                    match probed.as_ref().map(|probed| probed.reach) {
                        Ok(Reach::Connected | Reach::Refused | Reach::Forbidden) => {
                            spare = Some(link);
                        }
                        Ok(Reach::Silent) | Err(_) => link.hang_up(),
                    }
                    probed
                });
                let _ = answer.send(probed);
            }
            Request::Exchange { address, question, timeout, answer } => {
                let said = link.and_then(|link| {
                    let said = exchange(&link, address, &question, Instant::now() + timeout);
                    match said {
                        Ok(_) => spare = Some(link),
                        Err(_) => link.hang_up(),
                    }
                    said
                });
                let _ = answer.send(said);
            }
            Request::Handshake { address, trusted, timeout, answer } => {
                let shown = link.and_then(|link| {
                    let shown = shown(&link, address, &trusted, timeout);
                    match shown {
                        Ok(Shown::Unreached(Reach::Silent)) | Err(_) => link.hang_up(),
                        Ok(_) => spare = Some(link),
                    }
                    shown
                });
                let _ = answer.send(shown);
            }
        }
    }
    if let Some(link) = spare {
        link.hang_up();
    }
}

/// Waits for a turn to log in. A login that gets none in time is at worst refused, and tries again.
fn turn(turns: &Semaphore) -> Option<SemaphorePermit<'_>> {
    let end = Instant::now() + LONGEST_WAIT;
    while Instant::now() < end {
        if let Ok(turn) = turns.try_acquire() {
            return Some(turn);
        }
        std::thread::sleep(TURN_LOOK);
    }
    None
}

fn connect(link: &Link, address: SocketAddr, timeout: Duration) -> Result<Probed, RemoteError> {
    let (opened, took) = open(link, address, timeout)?;
    let reach = match opened {
        Ok(mut channel) => {
            // The verdict is in; a channel that does not close goes with its session.
            let _ = link.drive(Instant::now() + CLOSE_TIME, || channel.close());
            Reach::Connected
        }
        Err(reach) => reach,
    };
    Ok(Probed { reach, took })
}

/// A channel to `address`, or what the host found instead, and how long it took to learn that.
fn open(
    link: &Link,
    address: SocketAddr,
    timeout: Duration,
) -> Result<(Result<ssh2::Channel, Reach>, Duration), RemoteError> {
    let started = Instant::now();
    let host = address.ip().to_string();
    let open = || link.session.channel_direct_tcpip(&host, address.port(), None);
    let opened = link.drive(started + timeout, open);
    let took = started.elapsed();
    let opened = match opened {
        Ok(channel) => Ok(channel),
        Err(Stopped::Late) => Err(Reach::Silent),
        Err(Stopped::Failed(error)) => match (error.code(), error.message()) {
            (ErrorCode::Session(-21), why) if why.contains("prohibited") => Err(Reach::Forbidden),
            (ErrorCode::Session(-21), why) if why.contains("connect failed") => {
                Err(if took < PROMPT { Reach::Refused } else { Reach::Silent })
            }
            (_, why) => return Err(RemoteError::Session { why: why.to_owned() }),
        },
    };
    Ok((opened, took))
}

fn shown(
    link: &Link,
    address: SocketAddr,
    trusted: &[u8],
    timeout: Duration,
) -> Result<Shown, RemoteError> {
    let deadline = Instant::now() + timeout;
    let mut channel = match open(link, address, timeout)?.0 {
        Ok(channel) => channel,
        Err(reach) => return Ok(Shown::Unreached(reach)),
    };
    let shown = handshake::shown(link, &mut channel, address, trusted, deadline);
    let _ = link.drive(Instant::now() + CLOSE_TIME, || channel.close());
    shown.map_err(|defect| RemoteError::Session { why: defect.to_string() })
}

/// One question and its answer, over a connection of their own.
fn exchange(
    link: &Link,
    address: SocketAddr,
    question: &[u8],
    deadline: Instant,
) -> Result<Vec<u8>, RemoteError> {
    let failed = |stopped: Stopped| RemoteError::Session { why: stopped.why() };
    let host = address.ip().to_string();
    let open = || link.session.channel_direct_tcpip(&host, address.port(), None);
    let mut channel = link.drive(deadline, open).map_err(failed)?;
    let mut sent = 0;
    while sent < question.len() {
        let write = || channel.write(&question[sent..]).map_err(|error| of_session(&error));
        sent += link.drive(deadline, write).map_err(failed)?;
    }
    let mut length = [0; 2];
    read_all(link, &mut channel, &mut length, deadline)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    read_all(link, &mut channel, &mut answer, deadline)?;
    // The answer is in; a channel that does not close goes with its session.
    let _ = link.drive(Instant::now() + CLOSE_TIME, || channel.close());
    Ok(answer)
}

fn read_all(
    link: &Link,
    channel: &mut ssh2::Channel,
    into: &mut [u8],
    deadline: Instant,
) -> Result<(), RemoteError> {
    let mut got = 0;
    while got < into.len() {
        let read = link
            .drive(deadline, || channel.read(&mut into[got..]).map_err(|error| of_session(&error)));
        let count = read.map_err(|stopped| RemoteError::Session { why: stopped.why() })?;
        if count == 0 {
            let why = "the server closed the connection before it had answered".to_owned();
            return Err(RemoteError::Session { why });
        }
        got += count;
    }
    Ok(())
}

/// The code that libssh2 gave, which reading and writing put into an error of the system.
pub(super) fn of_session(error: &io::Error) -> ssh2::Error {
    const BROKEN: ErrorCode = ErrorCode::Session(-43);
    let again = error.kind() == io::ErrorKind::WouldBlock;
    ssh2::Error::from_errno(if again { EAGAIN } else { BROKEN })
}
