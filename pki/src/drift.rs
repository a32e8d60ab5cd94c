//! How a certificate on a host differs from the one that is wanted, by meaning.

use std::fmt;

use inventories::inventory::San;
use time::{Date, Duration, OffsetDateTime};

use crate::expiry::Phase;
use crate::facts::{CertFacts, ExtendedKeyUsage};
use crate::profile::LeafRequest;
use crate::san;

/// One reason to issue a certificate again.
///
/// Times are the certificate's own, never "in so many days": the same host gives the same reasons
/// tomorrow. [`CertChange::at`] says it in days for a reader.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertChange {
    /// Another CA signed it.
    Issuer {
        /// The issuer's name in the certificate.
        is: String,
        /// The name of the inventory's CA.
        wanted: String,
    },
    /// A CA of the same name, but with another key, signed it.
    IssuerKey,
    /// It is for somebody else.
    CommonName {
        /// The subject as it is.
        is: String,
        /// The common name that is wanted.
        wanted: String,
    },
    /// A name is missing.
    SanAdded(#[serde(serialize_with = "serialize_san")] San),
    /// A name is too many.
    SanRemoved(#[serde(serialize_with = "serialize_san")] San),
    /// A name of a kind that quorate never writes.
    OtherSanRemoved(String),
    /// A usage is missing: etcd would refuse some connections.
    UsageAdded(ExtendedKeyUsage),
    /// A usage is too many.
    UsageRemoved(ExtendedKeyUsage),
    /// It may sign certificates, which no leaf may.
    IsAuthority,
    /// It begins in the future.
    NotYetValid(#[serde(with = "time::serde::rfc3339")] OffsetDateTime),
    /// Two thirds of its life are over; it ends then.
    RenewDue(#[serde(with = "time::serde::rfc3339")] OffsetDateTime),
    /// It has ended.
    Expired(#[serde(with = "time::serde::rfc3339")] OffsetDateTime),
}

/// Says how `observed` differs from a certificate for `request`, issued by `issuer`, at `now`.
/// Empty when it will do as it is.
pub fn difference(
    observed: &CertFacts,
    request: &LeafRequest,
    issuer: &CertFacts,
    now: OffsetDateTime,
) -> Vec<CertChange> {
    // Every field is named, so that a new one does not compile until somebody decides about it.
    let CertFacts {
        subject,
        issuer: issuer_name,
        common_name,
        sans,
        other_sans,
        key_usages: _,
        extended_key_usages,
        extensions: _,
        authority,
        not_before,
        not_after,
        serial: _,
        authority_key_id,
        subject_key_id: _,
        key_algorithm: _,
        public_key: _,
        fingerprint: _,
    } = observed;

    let mut changes = Vec::new();
    if *issuer_name != issuer.subject {
        let (is, wanted) = (issuer_name.clone(), issuer.subject.clone());
        changes.push(CertChange::Issuer { is, wanted });
    } else if *authority_key_id != issuer.subject_key_id {
        changes.push(CertChange::IssuerKey);
    }
    if common_name.as_deref() != Some(request.common_name()) {
        let (is, wanted) = (subject.clone(), request.common_name().to_owned());
        changes.push(CertChange::CommonName { is, wanted });
    }
    let wanted = request.sans();
    changes.extend(wanted.difference(sans).cloned().map(CertChange::SanAdded));
    changes.extend(sans.difference(wanted).cloned().map(CertChange::SanRemoved));
    changes.extend(other_sans.iter().cloned().map(CertChange::OtherSanRemoved));
    let (is, wanted) = (extended_key_usages, request.kind().extended_key_usages());
    changes.extend(wanted.difference(is).cloned().map(CertChange::UsageAdded));
    changes.extend(is.difference(&wanted).cloned().map(CertChange::UsageRemoved));
    if authority.is_ca() {
        changes.push(CertChange::IsAuthority);
    }
    changes.extend(match observed.expiry(now).phase {
        Phase::Valid => None,
        Phase::NotYetValid => Some(CertChange::NotYetValid(*not_before)),
        Phase::RenewDue => Some(CertChange::RenewDue(*not_after)),
        Phase::Expired => Some(CertChange::Expired(*not_after)),
    });
    changes
}

impl CertChange {
    /// The reason in words, with times as seen at `now`: `expires in 12 days`.
    pub fn at(&self, now: OffsetDateTime) -> impl fmt::Display + '_ {
        At { change: self, now }
    }
}

/// The reason in words, with times as dates: the same text whenever it is written.
impl fmt::Display for CertChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertChange::Issuer { is, wanted } => write!(f, "issuer {is} -> {wanted}"),
            CertChange::IssuerKey => f.write_str("issuer has the CA's name, but another key"),
            CertChange::CommonName { is, wanted } => write!(f, "subject {is} -> CN={wanted}"),
            CertChange::SanAdded(name) => write!(f, "SAN + {}", san::Words(name)),
            CertChange::SanRemoved(name) => write!(f, "SAN - {}", san::Words(name)),
            CertChange::OtherSanRemoved(name) => write!(f, "SAN - {name}"),
            CertChange::UsageAdded(usage) => write!(f, "usage + {usage}"),
            CertChange::UsageRemoved(usage) => write!(f, "usage - {usage}"),
            CertChange::IsAuthority => f.write_str("may sign certificates, which no leaf may"),
            CertChange::NotYetValid(from) => write!(f, "is not valid before {}", day(*from)),
            CertChange::RenewDue(until) => write!(f, "expires on {}", day(*until)),
            CertChange::Expired(since) => write!(f, "expired on {}", day(*since)),
        }
    }
}

struct At<'a> {
    change: &'a CertChange,
    now: OffsetDateTime,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change {
            CertChange::NotYetValid(from) => {
                write!(f, "becomes valid in {}", Span(*from - self.now))
            }
            CertChange::RenewDue(until) => write!(f, "expires in {}", Span(*until - self.now)),
            CertChange::Expired(since) => write!(f, "expired {} ago", Span(self.now - *since)),
            dateless => dateless.fmt(f),
        }
    }
}

/// A length of time in its largest whole unit, down to minutes.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match self.0 {
            span if span.whole_days() > 0 => (span.whole_days(), "day"),
            span if span.whole_hours() > 0 => (span.whole_hours(), "hour"),
            span if span.whole_minutes() > 0 => (span.whole_minutes(), "minute"),
            _ => return f.write_str("less than a minute"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

fn day(moment: OffsetDateTime) -> Date {
    moment.to_offset(time::UtcOffset::UTC).date()
}

fn serialize_san<S: serde::Serializer>(san: &San, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&san::Words(san))
}
