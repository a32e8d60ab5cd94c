//! The transport against a real OpenSSH server, and the shell source against real shells.

mod algorithms;
mod authentication;
mod handshake;
mod host_certificates;
mod host_keys;
mod jump;
mod passphrases;
mod reach;
mod runs;
mod second_factors;
mod sftp;
mod shells;
mod streams;
mod trouble;
mod user_certificates;
mod wakeups;

use crate::{HostKeyError, RemoteError, Target, connect};

/// Why a host is not trusted.
async fn refusal(target: Target) -> HostKeyError {
    match connect(target).await {
        Err(RemoteError::HostKey(error)) => error,
        other => panic!("{other:?}"),
    }
}
