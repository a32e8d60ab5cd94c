//! Which certificate a server shows in a new TLS handshake, asked through `direct-tcpip`.
//!
//! Nobody logs in: the server asks for a client certificate and gets none, so what it thinks of the handshake
//! does not count. What it showed before does.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use openssl::error::ErrorStack;
use openssl::ssl::{HandshakeError, Ssl, SslContextBuilder, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use ssh2::Channel;

use super::link::Link;
use super::probe::{Reach, of_session};

/// What a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A certificate that the given CAs vouch for, for this address and at this time: its DER.
    Trusted(Vec<u8>),
    /// Another one.
    Untrusted {
        /// Why it is not to be trusted.
        why: String,
    },
    /// None: the connection ended, or nothing came in time.
    Nothing {
        /// What happened instead.
        why: String,
    },
    /// No connection was made, so nothing was learned.
    Unreached(Reach),
}

/// A channel that waits for its session, until its deadline.
struct Tunnel<'a> {
    link: &'a Link,
    channel: &'a mut Channel,
    deadline: Instant,
}

impl Read for Tunnel<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Self { link, channel, deadline } = self;
        let read = || channel.read(into).map_err(|error| of_session(&error));
        link.drive(*deadline, read).map_err(|stopped| io::Error::other(stopped.why()))
    }
}

impl Write for Tunnel<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let Self { link, channel, deadline } = self;
        let write = || channel.write(from).map_err(|error| of_session(&error));
        link.drive(*deadline, write).map_err(|stopped| io::Error::other(stopped.why()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the server at `address`, to which the channel leads, shows to somebody who trusts these CAs.
pub(super) fn shown(
    link: &Link,
    channel: &mut Channel,
    address: SocketAddr,
    trusted: &[u8],
    deadline: Instant,
) -> Result<Shown, ErrorStack> {
    let seen: Arc<Mutex<Option<Shown>>> = Arc::default();
    let ssl = asking(address, trusted, Arc::clone(&seen))?;
    let ended = match ssl.connect(Tunnel { link, channel, deadline }) {
        Ok(_) => String::new(),
        Err(HandshakeError::SetupFailure(defect)) => return Err(defect),
        Err(HandshakeError::Failure(half) | HandshakeError::WouldBlock(half)) => {
            half.error().to_string()
        }
    };
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(seen.unwrap_or(Shown::Nothing { why: ended }))
}

fn asking(
    address: SocketAddr,
    trusted: &[u8],
    seen: Arc<Mutex<Option<Shown>>>,
) -> Result<Ssl, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for authority in X509::stack_from_pem(trusted)? {
        store.add_cert(authority)?;
    }
    let mut context = SslContextBuilder::new(SslMethod::tls_client())?;
    context.set_cert_store(store.build());
    context.set_verify_callback(SslVerifyMode::PEER, move |is_trusted, chain| {
        let verdict = match (is_trusted, chain.error_depth()) {
            (false, _) => Some(Shown::Untrusted { why: chain.error().to_string() }),
            // The server's own, after all above it.
            (true, 0) => {
                let der = chain.current_cert().and_then(|shown| shown.to_der().ok());
                der.map(Shown::Trusted)
            }
            (true, _) => None,
        };
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = verdict;
        is_trusted
    });
    let mut ssl = Ssl::new(&context.build())?;
    ssl.param_mut().set_ip(address.ip())?;
    Ok(ssl)
}
