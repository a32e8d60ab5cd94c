//! The async face of a host: log in once, run scripts, ask whom it reaches.

use std::fmt;
use std::io::PipeWriter;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{Instrument as _, Span, debug, debug_span};

use super::call::{Call, Reply};
use super::counters::{Counters, Tally};
use super::error::RemoteError;
use super::handshake::Shown;
use super::host_key::{Fingerprint, HostKey};
use super::host_trust::groups;
use super::link::Link;
use super::login::{greet, login, resolve};
use super::probe::{Probed, Prober};
use super::stream::Output;
use super::target::Target;
use super::worker::Handle;

/// The longest login, sshd's own `LoginGraceTime`. An agent that asks its owner for consent may
/// take a while.
const LOGIN_LIMIT: Duration = Duration::from_secs(120);
/// How soon a login is tried again while somebody is asked something else.
const NEXT_LOOK: Duration = Duration::from_millis(500);

/// A host that we are logged in to. Clones share the connection; dropping the last one closes it.
#[derive(Clone)]
pub struct Connection {
    inner: Arc<Inner>,
}

struct Inner {
    target: Arc<Target>,
    addresses: Arc<[SocketAddr]>,
    tally: Arc<Tally>,
    worker: Handle,
    prober: OnceLock<Prober>,
}

/// Logs in to a host. How many logins run at once is for the caller to limit: sshd drops some of
/// more than ten (`MaxStartups`).
///
/// # Errors
/// Every stage up to [`RemoteError::Authentication`].
pub async fn connect(target: Target) -> Result<Connection, RemoteError> {
    let target = Arc::new(target);
    let span = debug_span!("login", address = target.host, port = target.port);
    let connected =
        in_turn(&target, |tally| log_in(Arc::clone(&target), tally)).instrument(span.clone()).await;
    span.in_scope(|| match &connected {
        Ok(_) => debug!("logged in"),
        Err(error) => debug!(stage = %error.stage(), "not logged in: {error}"),
    });
    connected
}

/// Logins that ask a person for more than a key go one after the other, each from its connection on. The first ones of a
/// host start side by side, because nobody knows yet that it asks.
async fn in_turn<T, Login: Future<Output = Result<T, RemoteError>>>(
    target: &Target,
    login: impl Fn(Arc<Tally>) -> Login,
) -> Result<T, RemoteError> {
    loop {
        let turn = if target.asks() {
            debug!("awaiting a turn to ask for what the host wants beside a key");
            Some(target.passphrases.turn().await)
        } else {
            None
        };
        // The login that had the turn may be one that is kept, which spares this one the question.
        let tally = Arc::new(Tally::with(turn.filter(|_| target.asks())));
        let ended = login(Arc::clone(&tally)).await;
        tally.end_turn();
        match ended {
            // It may be the passphrase of a key that somebody is asked for.
            Err(error) if error.waits_for_its_turn() => tokio::time::sleep(NEXT_LOOK).await,
            ended => return ended,
        }
    }
}

async fn log_in(target: Arc<Target>, tally: Arc<Tally>) -> Result<Connection, RemoteError> {
    debug!("awaiting the address of the host's name");
    let addresses: Arc<[SocketAddr]> = resolve(&target).await?.into();
    let (ours, theirs, counted) = (Arc::clone(&target), Arc::clone(&addresses), Arc::clone(&tally));
    let worker = on_thread(&target, move || {
        let link = login(&ours, &theirs, &counted)?;
        counted.count_connection();
        Handle::start(link, ours).map_err(|error| RemoteError::Session { why: error.to_string() })
    })
    .await?;
    let inner = Inner { target, addresses, tally, worker, prober: OnceLock::new() };
    Ok(Connection { inner: Arc::new(inner) })
}

/// A session that is logged in and belongs to whoever asked, as [`connect`] makes one.
pub(crate) async fn linked(target: Arc<Target>) -> Result<Link, RemoteError> {
    let log_in = |tally: Arc<Tally>| {
        let target = Arc::clone(&target);
        async move {
            let addresses = resolve(&target).await?;
            let ours = Arc::clone(&target);
            on_thread(&target, move || login(&ours, &addresses, &tally)).await
        }
    };
    in_turn(&target, log_in).await
}

impl Connection {
    /// Runs a script on the host as root and returns its verified reply. Runs of one connection go
    /// on side by side, as many as the server allows; further ones wait.
    ///
    /// # Errors
    /// A script that ends with a status other than 0 is an `Ok` reply. After an error for which
    /// [`RemoteError::outcome_unknown`] holds, the host must be looked at before anything is done
    /// again. Dropping the future stops listening, not the script.
    pub async fn run(&self, call: Call) -> Result<Reply, RemoteError> {
        self.inner.worker.run(call, Output::Reply).await
    }

    /// Runs a script that also streams: what it writes to its file descriptor 3 goes into `out` as it comes, in
    /// bounded memory, and no faster than somebody reads it there. The reply is that of [`Self::run`], and comes once
    /// `out` has taken all of the stream.
    ///
    /// # Errors
    /// As of [`Self::run`]. Without a reply nothing says that what went into `out` is whole.
    pub async fn stream(&self, call: Call, out: PipeWriter) -> Result<Reply, RemoteError> {
        self.inner.worker.run(call, Output::Streamed(out)).await
    }

    /// Whether the host can open a TCP connection to `address`, and how long it took to learn that.
    /// Uses a second login, kept for further questions; they are answered one after the other.
    ///
    /// # Errors
    /// When the host could not be asked.
    pub async fn probe(
        &self,
        address: SocketAddr,
        timeout: Duration,
    ) -> Result<Probed, RemoteError> {
        self.prober().probe(address, timeout).await
    }

    /// Sends `question` over a TCP connection that the host makes to `address`, and returns the
    /// answer: two bytes of length, and as many more. Asked the way that [`Self::probe`] is.
    ///
    /// # Errors
    /// When the host could not be asked, or no whole answer came in time.
    pub async fn exchange(
        &self,
        address: SocketAddr,
        question: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<u8>, RemoteError> {
        self.prober().exchange(address, question, timeout).await
    }

    /// What a server at `address` shows in a TLS handshake to somebody who trusts these CAs, as PEM, over a TCP
    /// connection that the host makes. Asked the way that [`Self::probe`] is.
    ///
    /// # Errors
    /// When the host could not be asked.
    pub async fn handshake(
        &self,
        address: SocketAddr,
        trusted: Vec<u8>,
        timeout: Duration,
    ) -> Result<Shown, RemoteError> {
        self.prober().handshake(address, trusted, timeout).await
    }

    fn prober(&self) -> &Prober {
        let inner = &self.inner;
        inner.prober.get_or_init(|| {
            Prober::start(
                Arc::clone(&inner.target),
                Arc::clone(&inner.addresses),
                Arc::clone(&inner.tally),
            )
        })
    }

    /// Whether the connection has ended, as far as is known here: nothing will run on it again.
    pub fn is_over(&self) -> bool {
        self.inner.worker.is_over()
    }

    /// Whether both are the same login.
    pub fn is_same(&self, other: &Connection) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// What this connection cost so far.
    pub fn counters(&self) -> Counters {
        self.inner.tally.read()
    }

    /// Where this connection leads.
    pub fn target(&self) -> &Target {
        &self.inner.target
    }

    /// Ends the connection for every clone. Runs that are still open are lost.
    pub async fn close(self) {
        self.inner.worker.close().await;
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}@{})", self.inner.target.user, self.inner.target.host)
    }
}

/// A host key that a server offers, unverified: showing it to a person is what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedKey {
    /// The kind of the key, such as `ssh-ed25519`.
    pub kind: String,
    /// The pin for the inventory.
    pub fingerprint: Fingerprint,
    /// The line for a known_hosts file.
    pub known_hosts_line: String,
}

/// Asks a host for all its keys, best first. Nothing is trusted, and nobody is logged in.
///
/// # Errors
/// Stages up to [`RemoteError::KeyExchange`].
pub async fn scan_host_keys(target: Target) -> Result<Vec<ScannedKey>, RemoteError> {
    let target = Arc::new(target);
    in_turn(&target, |tally| scan(Arc::clone(&target), tally)).await
}

async fn scan(target: Arc<Target>, tally: Arc<Tally>) -> Result<Vec<ScannedKey>, RemoteError> {
    let addresses = resolve(&target).await?;
    let ours = Arc::clone(&target);
    on_thread(&target, move || {
        let mut keys = Vec::new();
        let mut refusal = None;
        for host_keys in groups(&ours.algorithms) {
            match greet(&ours, &addresses, &host_keys, &tally) {
                Ok((link, key)) => {
                    link.hang_up();
                    keys.push(scanned(&ours, &key));
                }
                // The server has no key of this kind.
                Err(error @ RemoteError::KeyExchange { .. }) => refusal = Some(error),
                Err(error) => return Err(error),
            }
        }
        match refusal {
            Some(error) if keys.is_empty() => Err(error),
            _ => Ok(keys),
        }
    })
    .await
}

fn scanned(target: &Target, key: &HostKey) -> ScannedKey {
    let (host, port) = target.known_as();
    ScannedKey {
        kind: key.kind().to_owned(),
        fingerprint: key.fingerprint(),
        known_hosts_line: key.known_hosts_line(host, port),
    }
}

/// Sessions are made and used on threads, because waiting for a socket and for an agent blocks.
async fn on_thread<T: Send + 'static>(
    target: &Target,
    work: impl FnOnce() -> Result<T, RemoteError> + Send + 'static,
) -> Result<T, RemoteError> {
    let (answer, answered) = oneshot::channel();
    let failed = |why: &str| RemoteError::Session { why: why.to_owned() };
    let span = Span::current();
    std::thread::Builder::new()
        .name(format!("ssh {}", target.host))
        .spawn(move || {
            let _in = span.entered();
            // Nobody may be waiting any more; what was made is dropped, and so closed.
            let _ = answer.send(work());
        })
        .map_err(|error| failed(&error.to_string()))?;
    match tokio::time::timeout(LOGIN_LIMIT, answered).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(failed("the login stopped without a verdict")),
        Err(_) => Err(failed(
            "the login took longer than 120 s: does the SSH agent hang, or is a passphrase prompt unanswered?",
        )),
    }
}
