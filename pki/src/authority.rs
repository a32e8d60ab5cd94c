//! A certificate authority with its key: born once, opened with suspicion, issuing leaves.

use std::fmt;

use inventories::inventory::San;
use inventories::{ClusterName, SiteName};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::certificate::{CertError, Certificate};
use crate::digest::{Sha256Digest, hex};
use crate::facts::{ExtendedKeyUsage, KeyUsage};
use crate::lint::{self, Defect};
use crate::profile::{AUTHORITY_LIFE, BACKDATE, CaKind, LEAF_LIFE, LeafKind, LeafRequest};
use crate::secret::{CaKey, KeyError, KeyPem};

/// A CA that can issue: its certificate and the key that belongs to it.
#[derive(Debug)]
pub struct CertificateAuthority {
    kind: CaKind,
    certificate: Certificate,
    key: CaKey,
}

/// A certificate that was just issued, and its private key.
#[derive(Debug)]
pub struct Leaf {
    /// The certificate.
    pub certificate: Certificate,
    /// The only copy of its key.
    pub key: KeyPem,
    /// Whether it lasts as long as its profile says.
    pub life: LeafLife,
}

/// Whether a leaf got its full life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafLife {
    /// As long as the profile says.
    Full,
    /// Shorter, because the CA ends then: it is time for another CA.
    EndsWithAuthority,
}

/// Why a CA cannot be opened: its files do not make a CA that may sign now.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The certificate cannot be read.
    #[error("the CA certificate cannot be read")]
    Certificate(#[source] CertError),
    /// The key cannot be read.
    #[error("the CA key cannot be read")]
    Key(#[source] KeyError),
    /// The certificate is a leaf's.
    #[error("the certificate of {subject} is not a CA's")]
    NotAuthority {
        /// Whose certificate it is.
        subject: String,
    },
    /// The certificate does not allow its key to sign certificates.
    #[error("the CA {subject} may not sign certificates: its key usage lacks keyCertSign")]
    MayNotSign {
        /// Whose certificate it is.
        subject: String,
    },
    /// The key is another certificate's.
    #[error("the key does not belong to the certificate of {subject}")]
    WrongKey {
        /// Whose certificate it is.
        subject: String,
    },
    /// The certificate's signature is not its own key's.
    #[error("the certificate of {subject} is not signed by itself, or was altered")]
    NotSelfSigned {
        /// Whose certificate it is.
        subject: String,
    },
    /// The CA's time is not now.
    #[error(transparent)]
    Outlived(#[from] OutsideLife),
}

/// A CA that is used outside its own life.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutsideLife {
    /// Too late.
    #[error("the CA {subject} expired on {}", at.date())]
    Expired {
        /// Which CA.
        subject: String,
        /// When it ended.
        at: OffsetDateTime,
    },
    /// Too early: the clock of this machine or of the one that made the CA is wrong.
    #[error("the CA {subject} is not valid before {at}; is this machine's clock right?")]
    NotYetValid {
        /// Which CA.
        subject: String,
        /// When it begins.
        at: OffsetDateTime,
    },
}

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The other CA signs certificates of this kind.
    #[error("a {leaf} certificate is signed by the {} CA, not by the {authority} CA", leaf.authority())]
    WrongAuthority {
        /// What was asked for.
        leaf: LeafKind,
        /// Which CA was asked.
        authority: CaKind,
    },
    /// The CA's time is not now.
    #[error(transparent)]
    Outlived(#[from] OutsideLife),
    /// The CA's key could not be used.
    #[error("the CA key cannot be used")]
    Key(#[source] KeyError),
    /// No randomness, or something that the library cannot encode.
    #[error("a certificate could not be made")]
    Library(#[from] rcgen::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// What was made cannot be read back.
    #[error("the certificate that was made cannot be read back")]
    Unreadable(#[source] CertError),
    /// What was made is not what was asked for; it has been thrown away.
    #[error("the certificate that was made is defective: {}", Defects(.0))]
    Defective(Vec<Defect>),
    /// What was made is not signed by the CA; it has been thrown away.
    #[error("the certificate that was made is not signed by its CA")]
    BadSignature,
}

impl CertificateAuthority {
    /// Makes a CA of a cluster. Its name is its own: no other CA, of this cluster or another, has it.
    pub fn generate(
        kind: CaKind,
        site: &SiteName,
        cluster: &ClusterName,
        now: OffsetDateTime,
    ) -> Result<Self, IssueError> {
        let serial = random_serial()?;
        let common_name = authority_name(kind, site, cluster, &hex(&serial[..4]));
        let pair = Zeroizing::new(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?);

        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(&common_name);
        params.serial_number = Some(serial.to_vec().into());
        params.not_before = whole_seconds(now) - BACKDATE;
        params.not_after = whole_seconds(now) + AUTHORITY_LIFE;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];

        let certificate = read_back(&params.self_signed(&*pair)?)?;
        accept(lint::authority(certificate.facts(), &common_name))?;
        let key = CaKey::from_pkcs8_der(pair.serialized_der());
        Ok(Self { kind, certificate, key })
    }

    /// Opens a CA from its two files. Neither file is believed: the certificate must be a CA's,
    /// signed by itself, allowed to sign, valid at `now`, and the key must be its own.
    pub fn open(
        kind: CaKind,
        certificate_pem: &str,
        key: CaKey,
        now: OffsetDateTime,
    ) -> Result<Self, OpenError> {
        let certificate = Certificate::from_pem(certificate_pem).map_err(OpenError::Certificate)?;
        let facts = certificate.facts();
        let subject = || facts.subject.clone();
        if !facts.authority.is_ca() {
            return Err(OpenError::NotAuthority { subject: subject() });
        }
        if !facts.key_usages.contains(&KeyUsage::KeyCertSign) {
            return Err(OpenError::MayNotSign { subject: subject() });
        }
        if !certificate.signed_by(&certificate) {
            return Err(OpenError::NotSelfSigned { subject: subject() });
        }
        within_life(&certificate, now)?;
        let pair = key.key_pair().map_err(OpenError::Key)?;
        if Sha256Digest::of(&rcgen::PublicKeyData::subject_public_key_info(&*pair))
            != facts.public_key
        {
            return Err(OpenError::WrongKey { subject: subject() });
        }
        Ok(Self { kind, certificate, key })
    }

    /// Which of the cluster's CAs this is.
    pub fn kind(&self) -> CaKind {
        self.kind
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The CA's key, to be sealed and stored.
    pub fn key(&self) -> &CaKey {
        &self.key
    }

    /// The CA's key, when the CA is only made to be stored.
    pub fn into_key(self) -> CaKey {
        self.key
    }

    /// Issues a certificate with a new key.
    ///
    /// It never outlives the CA: near the CA's end it gets the life that is left, and says so.
    pub fn issue(&self, request: &LeafRequest, now: OffsetDateTime) -> Result<Leaf, IssueError> {
        if request.kind().authority() != self.kind {
            let (leaf, authority) = (request.kind(), self.kind);
            return Err(IssueError::WrongAuthority { leaf, authority });
        }
        within_life(&self.certificate, now)?;
        let authority = self.certificate.facts();
        let full = whole_seconds(now) + LEAF_LIFE;
        let life =
            if full > authority.not_after { LeafLife::EndsWithAuthority } else { LeafLife::Full };

        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(request.common_name());
        params.serial_number = Some(random_serial()?.to_vec().into());
        params.not_before = (whole_seconds(now) - BACKDATE).max(authority.not_before);
        params.not_after = full.min(authority.not_after);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = purposes(request.kind());
        params.subject_alt_names = request.sans().iter().map(san).collect::<Result<_, _>>()?;

        let pair = Zeroizing::new(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?);
        let certificate = read_back(&params.signed_by(&*pair, &self.issuer()?)?)?;
        accept(lint::leaf(certificate.facts(), request))?;
        if !certificate.signed_by(&self.certificate) {
            return Err(IssueError::BadSignature);
        }
        let key = KeyPem::from_pkcs8_der(pair.serialized_der());
        Ok(Leaf { certificate, key, life })
    }

    fn issuer(&self) -> Result<Issuer<'_, Signer>, IssueError> {
        let pair = Signer(self.key.key_pair().map_err(IssueError::Key)?);
        Ok(Issuer::from_ca_cert_der(&self.certificate.der().into(), pair)?)
    }
}

/// The CA's key while it signs; cleared when dropped, which the library's own type is not.
struct Signer(Zeroizing<KeyPair>);

impl rcgen::PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        rcgen::PublicKeyData::algorithm(&*self.0)
    }
}

impl rcgen::SigningKey for Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

fn authority_name(kind: CaKind, site: &SiteName, cluster: &ClusterName, distinct: &str) -> String {
    // X.509 allows 64 characters. The names are for people, the distinct part makes the difference.
    const LONGEST: usize = 64;
    let tail = format!(" etcd {kind} CA {distinct}");
    let mut name = format!("{site}/{cluster}");
    if name.len() + tail.len() > LONGEST {
        name.truncate(LONGEST - tail.len() - 1);
        name.push('~');
    }
    name + &tail
}

/// A positive number of exactly 16 bytes, of which 126 bits are random: the sign bit is clear and
/// the next is set, so that the encoding has neither a leading zero nor fewer bytes.
fn random_serial() -> Result<[u8; 16], IssueError> {
    let mut serial = [0; 16];
    SystemRandom::new().fill(&mut serial).map_err(|_| IssueError::Randomness)?;
    serial[0] = serial[0] & 0x3f | 0x40;
    Ok(serial)
}

fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn purposes(kind: LeafKind) -> Vec<ExtendedKeyUsagePurpose> {
    kind.extended_key_usages()
        .into_iter()
        .filter_map(|usage| match usage {
            ExtendedKeyUsage::ServerAuth => Some(ExtendedKeyUsagePurpose::ServerAuth),
            ExtendedKeyUsage::ClientAuth => Some(ExtendedKeyUsagePurpose::ClientAuth),
            ExtendedKeyUsage::Other(_) => None,
        })
        .collect()
}

fn san(san: &San) -> Result<SanType, rcgen::Error> {
    Ok(match san {
        San::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
        San::Ip(address) => SanType::IpAddress(*address),
    })
}

fn within_life(certificate: &Certificate, now: OffsetDateTime) -> Result<(), OutsideLife> {
    let facts = certificate.facts();
    let subject = || facts.subject.clone();
    if now > facts.not_after {
        return Err(OutsideLife::Expired { subject: subject(), at: facts.not_after });
    }
    if now < facts.not_before {
        return Err(OutsideLife::NotYetValid { subject: subject(), at: facts.not_before });
    }
    Ok(())
}

fn whole_seconds(moment: OffsetDateTime) -> OffsetDateTime {
    moment.truncate_to_second()
}

fn read_back(made: &rcgen::Certificate) -> Result<Certificate, IssueError> {
    Certificate::from_der(made.der().to_vec()).map_err(IssueError::Unreadable)
}

fn accept(defects: Vec<Defect>) -> Result<(), IssueError> {
    if defects.is_empty() { Ok(()) } else { Err(IssueError::Defective(defects)) }
}

struct Defects<'a>(&'a [Defect]);

impl fmt::Display for Defects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, defect) in self.0.iter().enumerate() {
            write!(f, "{}{defect}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
