//! Ctrl-C and SIGTERM.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::CliError;
use crate::exit::ExitCode;

/// Both ways in which an operator or a CI system says stop.
#[derive(Debug)]
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    heard: u32,
}

impl Interrupts {
    /// From now on the signals no longer end the process.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            heard: 0,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        self.heard += 1;
    }

    /// Cleans up behind a run, unless it was interrupted twice by then: `None`.
    pub async fn unless_twice<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        while self.heard < 2 {
            tokio::select! {
                done = &mut work => return Some(done),
                () = self.next() => {}
            }
        }
        None
    }

    /// Cleans up, even after a second interrupt: only another one ends it.
    pub async fn unless_again<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.next() => None,
        }
    }

    /// Does what may be dropped at any moment, because it changes nothing.
    pub async fn give_way<T>(
        &mut self,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        tokio::select! {
            done = work => done,
            () = self.next() => {
                Err(CliError::new(ExitCode::Interrupted, "interrupted; nothing was changed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_said_stop_twice_waits_for_nothing() {
        let mut interrupts = Interrupts::listen().unwrap();
        assert_eq!(interrupts.unless_twice(async { 1 }).await, Some(1));
        interrupts.heard = 1;
        assert_eq!(interrupts.unless_twice(async { 1 }).await, Some(1));
        interrupts.heard = 2;
        assert_eq!(interrupts.unless_twice(std::future::pending::<()>()).await, None);
        assert_eq!(interrupts.unless_again(async { 1 }).await, Some(1));
    }
}
