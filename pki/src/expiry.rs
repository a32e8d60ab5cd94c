//! How long a certificate still lasts. `now` is always the caller's.

use time::{Duration, OffsetDateTime};

use crate::facts::CertFacts;

/// Where `now` lies in a certificate's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Before `notBefore`: whose clock is wrong?
    NotYetValid,
    /// Valid, and no reason to renew.
    Valid,
    /// Valid, but two thirds of its life are over.
    RenewDue,
    /// After `notAfter`: TLS refuses it.
    Expired,
}

/// A certificate's expiry, seen at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// Where in its life the certificate is.
    pub phase: Phase,
    /// What is left of it; negative once expired.
    pub remaining: Duration,
    /// When renewal becomes due.
    pub renew_at: OffsetDateTime,
}

impl CertFacts {
    /// The certificate's expiry at `now`.
    ///
    /// Renewal is due at two thirds of the life, as with cert-manager and step-ca: for a year that
    /// leaves four months in which somebody runs `apply`.
    pub fn expiry(&self, now: OffsetDateTime) -> Expiry {
        let life = self.not_after - self.not_before;
        let renew_at = self.not_before + life * 2 / 3;
        let phase = if now > self.not_after {
            Phase::Expired
        } else if now < self.not_before {
            Phase::NotYetValid
        } else if now >= renew_at {
            Phase::RenewDue
        } else {
            Phase::Valid
        };
        Expiry { phase, remaining: self.not_after - now, renew_at }
    }
}
