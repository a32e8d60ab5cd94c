//! New certificates under a running member: how they come into use, and what a trial of them may find.

use serde::Serialize;

/// How a generation of certificates comes into use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Swap {
    /// No member that serves reads it yet.
    AtOnce,
    /// A running member reads it at its next handshake: a trial follows.
    Tried,
}

/// What it means that a member is silent while its certificates are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Silence {
    /// It answered with the certificates before: these are bad, and those before are put back.
    Fails,
    /// It did not answer before either, for example because its certificates have expired or its cluster has no
    /// quorum: only a wrong certificate fails the test.
    SaysNothing,
}
