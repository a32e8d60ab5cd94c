//! Whether a certificate is exactly what quorate's profile says, read from the finished bytes.
//!
//! What issues certificates does not get to say whether they are right: each is read again by
//! another library and compared with the request before anybody sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::Duration;

use crate::facts::{Authority, CertFacts, Criticality, ExtendedKeyUsage, KeyAlgorithm, KeyUsage};
use crate::profile::{AUTHORITY_LIFE, BACKDATE, LEAF_LIFE, LeafRequest};

/// How a certificate breaks the profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// The subject is not the wanted common name and nothing else.
    Subject(String),
    /// The subject is the issuer: the two could not be told apart in a chain.
    SubjectIsIssuer,
    /// The alternative names are not the wanted ones.
    Sans,
    /// The key usages are not the profile's.
    KeyUsages(BTreeSet<KeyUsage>),
    /// The extended key usages are not the profile's.
    ExtendedKeyUsages(BTreeSet<ExtendedKeyUsage>),
    /// An extension is missing, too many, or wrongly critical: what is there, by object identifier.
    Extensions(BTreeMap<String, Criticality>),
    /// It says the wrong thing about being a CA.
    Authority(Authority),
    /// It lasts longer than the profile allows, or ends before it begins.
    Life(Duration),
    /// The serial number is not 16 bytes of a positive number.
    Serial(String),
    /// The key is not of the profile's kind.
    Key(KeyAlgorithm),
    /// A key identifier is missing or empty.
    KeyIds,
}

/// Says what is wrong with a leaf that was issued for `request`.
pub fn leaf(facts: &CertFacts, request: &LeafRequest) -> Vec<Defect> {
    let mut extensions = vec![
        ("2.5.29.14", Criticality::Optional), // subjectKeyIdentifier
        ("2.5.29.15", Criticality::Critical), // keyUsage
        ("2.5.29.19", Criticality::Critical), // basicConstraints
        ("2.5.29.35", Criticality::Optional), // authorityKeyIdentifier
        ("2.5.29.37", Criticality::Optional), // extKeyUsage
    ];
    if !request.sans().is_empty() {
        extensions.push(("2.5.29.17", Criticality::Optional)); // subjectAltName
    }
    let profile = Profile {
        common_name: request.common_name(),
        key_usages: BTreeSet::from([KeyUsage::DigitalSignature]),
        extended_key_usages: request.kind().extended_key_usages(),
        extensions,
        authority: Authority::Leaf,
        life: LEAF_LIFE,
    };
    let mut defects = profile.defects(facts);
    if facts.sans != *request.sans() || !facts.other_sans.is_empty() {
        defects.push(Defect::Sans);
    }
    if facts.subject == facts.issuer {
        defects.push(Defect::SubjectIsIssuer);
    }
    if facts.authority_key_id.as_deref().is_none_or(str::is_empty) {
        defects.push(Defect::KeyIds);
    }
    defects
}

/// Says what is wrong with a CA certificate that was made for `common_name`.
///
/// A CA from elsewhere need not follow this profile; opening it checks what it must be able to do.
pub fn authority(facts: &CertFacts, common_name: &str) -> Vec<Defect> {
    let profile = Profile {
        common_name,
        key_usages: BTreeSet::from([KeyUsage::KeyCertSign, KeyUsage::CrlSign]),
        extended_key_usages: BTreeSet::new(),
        extensions: vec![
            ("2.5.29.14", Criticality::Optional), // subjectKeyIdentifier
            ("2.5.29.15", Criticality::Critical), // keyUsage
            ("2.5.29.19", Criticality::Critical), // basicConstraints
        ],
        authority: Authority::Depth(0),
        life: AUTHORITY_LIFE,
    };
    let mut defects = profile.defects(facts);
    if !facts.sans.is_empty() || !facts.other_sans.is_empty() {
        defects.push(Defect::Sans);
    }
    defects
}

struct Profile<'a> {
    common_name: &'a str,
    key_usages: BTreeSet<KeyUsage>,
    extended_key_usages: BTreeSet<ExtendedKeyUsage>,
    extensions: Vec<(&'static str, Criticality)>,
    authority: Authority,
    life: Duration,
}

impl Profile<'_> {
    fn defects(&self, facts: &CertFacts) -> Vec<Defect> {
        let mut defects = Vec::new();
        if facts.subject != format!("CN={}", self.common_name) {
            defects.push(Defect::Subject(facts.subject.clone()));
        }
        if facts.key_usages != self.key_usages {
            defects.push(Defect::KeyUsages(facts.key_usages.clone()));
        }
        if facts.extended_key_usages != self.extended_key_usages {
            defects.push(Defect::ExtendedKeyUsages(facts.extended_key_usages.clone()));
        }
        let extensions = self.extensions.iter().map(|(oid, must)| ((*oid).to_owned(), *must));
        if facts.extensions != extensions.collect() {
            defects.push(Defect::Extensions(facts.extensions.clone()));
        }
        if facts.authority != self.authority {
            defects.push(Defect::Authority(facts.authority));
        }
        let life = facts.not_after - facts.not_before;
        if !life.is_positive() || life > self.life + BACKDATE {
            defects.push(Defect::Life(life));
        }
        let first = u8::from_str_radix(facts.serial.get(..2).unwrap_or("00"), 16);
        if facts.serial.len() != 32 || !matches!(first, Ok(0x01..=0x7f)) {
            defects.push(Defect::Serial(facts.serial.clone()));
        }
        if facts.key_algorithm != KeyAlgorithm::Ecdsa(256) {
            defects.push(Defect::Key(facts.key_algorithm.clone()));
        }
        if facts.subject_key_id.as_deref().is_none_or(str::is_empty) {
            defects.push(Defect::KeyIds);
        }
        defects
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Defect::Subject(is) => write!(f, "wrong subject {is}"),
            Defect::SubjectIsIssuer => f.write_str("subject and issuer are the same"),
            Defect::Sans => f.write_str("wrong alternative names"),
            Defect::KeyUsages(is) => write!(f, "wrong key usages {is:?}"),
            Defect::ExtendedKeyUsages(is) => write!(f, "wrong extended key usages {is:?}"),
            Defect::Extensions(are) => write!(f, "wrong extensions {are:?}"),
            Defect::Authority(is) => write!(f, "wrong basic constraints {is:?}"),
            Defect::Life(is) => write!(f, "a life of {is}"),
            Defect::Serial(is) => write!(f, "a serial number that is not 128 bits: {is}"),
            Defect::Key(is) => write!(f, "a key of the wrong kind {is:?}"),
            Defect::KeyIds => f.write_str("a missing key identifier"),
        }
    }
}
