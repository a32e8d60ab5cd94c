//! Running scripts on hosts over SSH, with libssh2 and nothing on the host but a shell.
//!
//! - A resolved [`Target`] comes in; [`connect`] makes a [`Connection`] of it.
//! - A [`Call`] is a constant script with arguments and payload; a [`Reply`] is whole and verified,
//!   or it is a [`RemoteError`] that says at which [`Stage`], and whether the script may have run.
//! - [`sftp`]: files of a host, over the same logins.
//! - One thread a host owns the session. It never blocks, and nothing of the session leaves it.

mod advice;
mod again;
mod agent;
pub mod algorithms;
mod auth;
pub mod bounded;
mod buffer;
mod call;
mod certificate;
pub mod config;
mod connection;
mod counters;
mod error;
mod exec;
mod frame;
mod gate;
mod handshake;
mod host_certificate;
mod host_key;
mod host_trust;
mod identity;
mod jump;
mod known_hosts;
mod limited;
mod link;
mod login;
mod offer;
mod outgoing;
pub mod passphrases;
mod probe;
mod proxy;
mod script;
mod second_factor;
pub mod sftp;
mod silence;
mod stream;
mod target;
#[cfg(any(test, feature = "test-server"))]
pub mod test_server;
#[cfg(test)]
mod tests;
mod text;
mod worker;

pub use algorithms::Algorithms;
pub use auth::{Attempt, AuthenticationEnd, AuthenticationError, Outcome, Unanswered};
pub use call::{Call, Payload, Reply};
pub use config::{Answers, ConfigError, ConfigProblem, Family};
pub use connection::{Connection, ScannedKey, connect, scan_host_keys};
pub use counters::Counters;
pub use error::{Progress, RemoteError, Stage, SudoRefusal};
pub use frame::FrameError;
pub use handshake::Shown;
pub use host_certificate::CertificateFlaw;
pub use host_key::{Fingerprint, FingerprintError, HostKey};
pub use host_trust::{HostKeyError, Instead};
pub use probe::{Probed, Reach};
pub use script::lean;
pub use script::{NulError, quote};
pub use target::{AgentChoice, HostKeyPolicy, Target};
pub use text::clean;
