//! Quorum arithmetic.

use serde::Serialize;

/// How many entries of the log a member may lack and still count as caught up. A leader keeps so many for
/// members that lag; one that lacks more needs a snapshot first. And one that has so many left to apply
/// refuses to serve.
pub const NEAR: u64 = 5000;

/// Voters of a cluster and how many of them are healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Quorum {
    /// Voting members.
    pub voters: usize,
    /// Voting members that are known to be healthy. Those that were not seen do not count.
    pub healthy: usize,
}

impl Quorum {
    /// Members that must agree: more than half of the voters.
    pub fn size(self) -> usize {
        self.voters / 2 + 1
    }

    /// Whether enough members are healthy.
    pub fn holds(self) -> bool {
        self.healthy >= self.size()
    }

    /// How many more healthy members can fail before the quorum is lost.
    pub fn margin(self) -> usize {
        self.healthy.saturating_sub(self.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_more_than_half() {
        let sizes = [1, 2, 3, 4, 5, 6, 7].map(|voters| Quorum { voters, healthy: voters }.size());
        assert_eq!(sizes, [1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn the_margin_is_what_can_still_fail() {
        assert_eq!(Quorum { voters: 3, healthy: 3 }.margin(), 1);
        assert_eq!(Quorum { voters: 3, healthy: 2 }.margin(), 0);
        assert_eq!(Quorum { voters: 5, healthy: 1 }.margin(), 0);
        assert!(!Quorum { voters: 5, healthy: 2 }.holds());
        assert!(Quorum { voters: 5, healthy: 3 }.holds());
    }
}
