//! For how long a host has been silent: only the time in which we listened counts. A thread that got no turn, on a
//! machine under load or one that was suspended, has heard nothing because it did not listen.

use std::time::Duration;

/// The silence of one host.
pub(super) struct Silence {
    limit: Duration,
    listened: Duration,
}

impl Silence {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, listened: Duration::ZERO }
    }

    /// The host was heard, or nobody waited for it before.
    pub(super) fn broken(&mut self) {
        self.listened = Duration::ZERO;
    }

    /// Nothing came while we listened. Of a sleep that took longer than it was meant to, the rest was spent waiting
    /// for a turn.
    pub(super) fn listened(&mut self, meant: Duration, took: Duration) {
        self.listened += took.min(meant);
    }

    /// How much longer we listen.
    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.listened)
    }

    pub(super) fn is_over(&self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_host_is_lost_after_the_limit_of_listening_in_vain() {
        let mut silence = Silence::new(12 * SECOND);
        for _ in 0..3 {
            assert!(!silence.is_over());
            silence.listened(4 * SECOND, 4 * SECOND);
        }
        assert!(silence.is_over());
        silence.broken();
        assert_eq!(silence.left(), 12 * SECOND);
    }

    #[test]
    fn time_without_a_turn_is_no_silence() {
        let mut silence = Silence::new(12 * SECOND);
        silence.listened(4 * SECOND, 3600 * SECOND);
        silence.listened(Duration::ZERO, 3600 * SECOND);
        assert_eq!(silence.left(), 8 * SECOND);
        // A sleep that something else cut short lasted as long as it did.
        silence.listened(4 * SECOND, SECOND);
        assert_eq!(silence.left(), 7 * SECOND);
    }
}
