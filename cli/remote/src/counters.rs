//! What a connection cost.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::passphrases::{Passphrases, Turn};

/// What a connection cost so far. Round trips are not among it: libssh2 does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Logins, those for reachability probes included.
    pub connections: u64,
    /// Commands started on the host.
    pub execs: u64,
    /// Bytes of stdout and stderr received, before encryption.
    pub bytes_in: u64,
    /// Bytes of scripts and payload sent, before encryption.
    pub bytes_out: u64,
    /// How often a thread slept although something that it had received was waiting. Never, or a run
    /// stands still until the next keepalive.
    pub overslept: u64,
}

/// Counters that several threads write; and while a connection is being made, its turn to ask a person.
#[derive(Default)]
pub(crate) struct Tally {
    turn: Mutex<Option<Turn>>,
    connections: AtomicU64,
    execs: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    overslept: AtomicU64,
}

impl Tally {
    /// The login that has this turn.
    pub(crate) fn with(turn: Option<Turn>) -> Self {
        Self { turn: Mutex::new(turn), ..Self::default() }
    }

    /// Whether this login may ask a person: it has the turn, or takes it now, where nobody has it.
    pub(crate) fn may_ask(&self, passphrases: &Passphrases) -> bool {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        *turn = turn.take().or_else(|| passphrases.turn_at_once());
        turn.is_some()
    }

    /// The login is over: others may ask.
    pub(crate) fn end_turn(&self) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn count_connection(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_exec(&self) {
        self.execs.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_overslept(&self) {
        self.overslept.fetch_add(1, Relaxed);
    }

    pub(crate) fn count(&self, traffic: Traffic) {
        self.bytes_in.fetch_add(traffic.received as u64, Relaxed);
        self.bytes_out.fetch_add(traffic.sent as u64, Relaxed);
    }

    pub(crate) fn read(&self) -> Counters {
        Counters {
            connections: self.connections.load(Relaxed),
            execs: self.execs.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            overslept: self.overslept.load(Relaxed),
        }
    }
}

/// Bytes that a step moved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) sent: usize,
    pub(crate) received: usize,
}
