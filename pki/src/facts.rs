//! What a certificate says, as plain data that can be compared, shown and kept.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use inventories::inventory::San;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name};

use crate::certificate::{CertError, Certificate};
use crate::digest::{Sha256Digest, hex};

/// What a certificate says. All of it is public.
///
/// The issuer of the certificate chose its texts: characters that would steer a terminal are escaped
/// (`\u{1b}`), so that every text here can be shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CertFacts {
    /// The subject, as `CN=etcd-1`.
    pub subject: String,
    /// The issuer's subject, as the certificate has it.
    pub issuer: String,
    /// The common name in the subject, if it has exactly one.
    pub common_name: Option<String>,
    /// DNS names and addresses that the certificate is good for.
    #[serde(with = "crate::san::tagged")]
    pub sans: BTreeSet<San>,
    /// Alternative names of other kinds (mail, URI, …), which quorate never writes.
    pub other_sans: BTreeSet<String>,
    /// What the key may be used for.
    pub key_usages: BTreeSet<KeyUsage>,
    /// Which side of a TLS connection the certificate may be on.
    pub extended_key_usages: BTreeSet<ExtendedKeyUsage>,
    /// Every extension by its object identifier, and whether it is critical.
    pub extensions: BTreeMap<String, Criticality>,
    /// Whether it may sign certificates, and how many CAs below it.
    pub authority: Authority,
    /// Not valid before.
    #[serde(with = "time::serde::rfc3339")]
    pub not_before: OffsetDateTime,
    /// Not valid after.
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
    /// The serial number's bytes as the certificate has them, in lower-case hexadecimal digits.
    pub serial: String,
    /// Which key of the issuer signed it, in hexadecimal digits.
    pub authority_key_id: Option<String>,
    /// The identifier of its own key, in hexadecimal digits.
    pub subject_key_id: Option<String>,
    /// The kind of its public key.
    pub key_algorithm: KeyAlgorithm,
    /// The digest of its public key (SubjectPublicKeyInfo).
    pub public_key: Sha256Digest,
    /// The digest of the whole certificate: its name everywhere in quorate.
    pub fingerprint: Sha256Digest,
}

/// Whether an extension must be understood by who reads the certificate.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Criticality {
    /// A reader that does not know it must refuse the certificate.
    Critical,
    /// A reader may ignore it.
    Optional,
}

/// Whether a certificate may sign others.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// It does not say; everybody takes it for a leaf.
    Unsaid,
    /// It says that it is a leaf.
    Leaf,
    /// A CA that may sign CAs without limit.
    AnyDepth,
    /// A CA below which there may be so many CAs; 0 signs leaves only.
    Depth(u32),
}

impl Authority {
    /// Whether the certificate is a CA's.
    pub fn is_ca(self) -> bool {
        match self {
            Authority::Unsaid | Authority::Leaf => false,
            Authority::AnyDepth | Authority::Depth(_) => true,
        }
    }
}

/// What a key may be used for (RFC 5280, 4.2.1.3).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum KeyUsage {
    DigitalSignature,
    NonRepudiation,
    KeyEncipherment,
    DataEncipherment,
    KeyAgreement,
    KeyCertSign,
    CrlSign,
    EncipherOnly,
    DecipherOnly,
}

/// What a certificate may be used for (RFC 5280, 4.2.1.12).
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ExtendedKeyUsage {
    /// Answers TLS connections.
    ServerAuth,
    /// Opens TLS connections.
    ClientAuth,
    /// Anything else, by name or object identifier.
    Other(String),
}

impl std::fmt::Display for ExtendedKeyUsage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ExtendedKeyUsage::ServerAuth => "serverAuth",
            ExtendedKeyUsage::ClientAuth => "clientAuth",
            ExtendedKeyUsage::Other(name) => name,
        })
    }
}

/// The kind of a public key.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// ECDSA on an elliptic curve, by its size in bits.
    Ecdsa(u32),
    /// RSA, by the size of its modulus in bits.
    Rsa(u32),
    /// Anything else, by object identifier.
    Other(String),
}

impl CertFacts {
    /// Reads the one certificate of a PEM text.
    pub fn from_pem(text: &str) -> Result<Self, CertError> {
        Certificate::from_pem(text).map(Certificate::into_facts)
    }

    pub(crate) fn from_x509(der: &[u8], x509: &X509Certificate<'_>) -> Result<Self, CertError> {
        let mut facts = Self {
            subject: showable(&x509.subject().to_string()),
            issuer: showable(&x509.issuer().to_string()),
            common_name: only_common_name(x509.subject()),
            sans: BTreeSet::new(),
            other_sans: BTreeSet::new(),
            key_usages: BTreeSet::new(),
            extended_key_usages: BTreeSet::new(),
            extensions: BTreeMap::new(),
            authority: Authority::Unsaid,
            not_before: x509.validity().not_before.to_datetime(),
            not_after: x509.validity().not_after.to_datetime(),
            serial: hex(x509.raw_serial()),
            authority_key_id: None,
            subject_key_id: None,
            key_algorithm: key_algorithm(x509.public_key()),
            public_key: Sha256Digest::hash(x509.public_key().raw),
            fingerprint: Sha256Digest::hash(der),
        };
        for extension in x509.extensions() {
            let criticality =
                if extension.critical { Criticality::Critical } else { Criticality::Optional };
            let oid = extension.oid.to_id_string();
            if facts.extensions.insert(oid, criticality).is_some() {
                return Err(CertError::Malformed);
            }
            facts.read_extension(extension.parsed_extension())?;
        }
        Ok(facts)
    }

    fn read_extension(&mut self, extension: &ParsedExtension<'_>) -> Result<(), CertError> {
        match extension {
            ParsedExtension::SubjectAlternativeName(names) => {
                for name in &names.general_names {
                    self.read_name(name)?;
                }
            }
            ParsedExtension::KeyUsage(usage) => {
                self.key_usages = KeyUsage::ALL
                    .into_iter()
                    .enumerate()
                    .filter_map(|(bit, name)| (usage.flags >> bit & 1 == 1).then_some(name))
                    .collect();
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                let named = [
                    (usage.server_auth, ExtendedKeyUsage::ServerAuth),
                    (usage.client_auth, ExtendedKeyUsage::ClientAuth),
                    (usage.any, ExtendedKeyUsage::Other("any".to_owned())),
                    (usage.code_signing, ExtendedKeyUsage::Other("code-signing".to_owned())),
                    (usage.email_protection, ExtendedKeyUsage::Other("mail".to_owned())),
                    (usage.time_stamping, ExtendedKeyUsage::Other("time-stamping".to_owned())),
                    (usage.ocsp_signing, ExtendedKeyUsage::Other("ocsp-signing".to_owned())),
                ];
                let set = named.into_iter().filter_map(|(set, name)| set.then_some(name));
                let other =
                    usage.other.iter().map(|oid| ExtendedKeyUsage::Other(oid.to_id_string()));
                self.extended_key_usages = set.chain(other).collect();
            }
            ParsedExtension::BasicConstraints(constraints) => {
                self.authority = match (constraints.ca, constraints.path_len_constraint) {
                    (false, _) => Authority::Leaf,
                    (true, None) => Authority::AnyDepth,
                    (true, Some(depth)) => Authority::Depth(depth),
                };
            }
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                self.authority_key_id = id.key_identifier.as_ref().map(|id| hex(id.0));
            }
            ParsedExtension::SubjectKeyIdentifier(id) => self.subject_key_id = Some(hex(id.0)),
            ParsedExtension::ParseError { .. } => return Err(CertError::Malformed),
            _ => {}
        }
        Ok(())
    }

    fn read_name(&mut self, name: &GeneralName<'_>) -> Result<(), CertError> {
        match name {
            GeneralName::DNSName(name) if name.bytes().all(|b| b.is_ascii_graphic()) => {
                self.sans.insert(San::Dns((*name).to_owned()));
            }
            GeneralName::IPAddress(octets) => {
                self.sans.insert(San::Ip(address(octets).ok_or(CertError::Malformed)?));
            }
            GeneralName::Invalid(..) => return Err(CertError::Malformed),
            other => {
                self.other_sans.insert(showable(&other.to_string()));
            }
        }
        Ok(())
    }
}

impl KeyUsage {
    /// Every usage, in the order of the extension's bits.
    const ALL: [KeyUsage; 9] = [
        KeyUsage::DigitalSignature,
        KeyUsage::NonRepudiation,
        KeyUsage::KeyEncipherment,
        KeyUsage::DataEncipherment,
        KeyUsage::KeyAgreement,
        KeyUsage::KeyCertSign,
        KeyUsage::CrlSign,
        KeyUsage::EncipherOnly,
        KeyUsage::DecipherOnly,
    ];
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

fn only_common_name(name: &X509Name<'_>) -> Option<String> {
    let mut names = name.iter_common_name();
    let first = names.next()?.as_str().ok()?;
    names.next().is_none().then(|| showable(first))
}

fn showable(text: &str) -> String {
    text.escape_debug().to_string()
}

fn key_algorithm(key: &SubjectPublicKeyInfo<'_>) -> KeyAlgorithm {
    match key.parsed() {
        Ok(PublicKey::EC(point)) => KeyAlgorithm::Ecdsa(bits(point.key_size())),
        Ok(PublicKey::RSA(rsa)) => KeyAlgorithm::Rsa(bits(rsa.key_size())),
        _ => KeyAlgorithm::Other(key.algorithm.algorithm.to_id_string()),
    }
}

fn bits(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
