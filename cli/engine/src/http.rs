//! How HTTP is spoken: one GET, bounded in time and size, and what every other client has in common with it.

use std::io::Read as _;
use std::time::Duration;

use ureq::config::ConfigBuilder;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;

/// How long one connection attempt may take, name lookup aside.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// Why a download failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// There is nothing at that URL, or it was not given to us.
    #[error("{url}: the server answered {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// No answer came, or not all of it.
    #[error("{url}: {why}")]
    Transport {
        /// What was asked for.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The answer is longer than it may be.
    #[error("{url} is longer than {limit} bytes")]
    TooLong {
        /// What was asked for.
        url: String,
        /// How long it may be, in bytes.
        limit: u64,
    },
}

/// How every request is carried: one TLS library, no wait without an end, and the proxy that the environment names.
/// `patience` is for a request and its answer.
pub(super) fn config(roots: RootCerts, patience: Duration) -> ConfigBuilder<AgentScope> {
    let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(patience))
        .timeout_connect(Some(CONNECT_LIMIT))
        .user_agent(concat!("quorate/", env!("CARGO_PKG_VERSION")))
}

/// Downloads a URL, at most `limit` bytes in at most `patience`. Follows redirects, and uses the proxy
/// that the environment names. Blocks.
pub(super) fn get(url: &str, limit: u64, patience: Duration) -> Result<Vec<u8>, HttpError> {
    let transport = |why: &dyn std::fmt::Display| HttpError::Transport {
        url: url.to_owned(),
        why: why.to_string(),
    };
    let agent: ureq::Agent = config(RootCerts::PlatformVerifier, patience).build().into();
    let response = agent.get(url).call().map_err(|error| match error {
        ureq::Error::StatusCode(status) => HttpError::Status { url: url.to_owned(), status },
        error => transport(&error),
    })?;
    let mut bytes = Vec::new();
    let mut body = response.into_body().into_reader().take(limit + 1);
    body.read_to_end(&mut bytes).map_err(|error| transport(&error))?;
    if bytes.len() as u64 > limit {
        return Err(HttpError::TooLong { url: url.to_owned(), limit });
    }
    Ok(bytes)
}
