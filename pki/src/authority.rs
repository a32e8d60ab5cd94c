//! A certificate authority with its key: born once, opened with suspicion, issuing leaves.

use inventories::inventory::San;
use inventories::{ClusterName, SiteName};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::digest::{Sha256Digest, hex};
use crate::facts::{ExtendedKeyUsage, KeyUsage};
use crate::lint::{self, Defect};
use crate::profile::{AUTHORITY_LIFE, BACKDATE, CaKind, LEAF_LIFE, LeafKind, LeafRequest};
use crate::secret::{CaKey, KeyPem};

mod error;

pub use error::{IssueError, OpenError, OutsideLife};

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
    /// Shorter, because the CA expires then: it is time for another CA.
    EndsWithAuthority,
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
        belongs_together(&certificate, &certificate, &pair)?;
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
        check_certificate(&certificate, now)?;
        let pair = key.key_pair().map_err(OpenError::Key)?;
        if public_key(&pair) != certificate.facts().public_key {
            let subject = certificate.facts().subject.clone();
            return Err(OpenError::WrongKey { subject });
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
        belongs_together(&certificate, &self.certificate, &pair)?;
        let key = KeyPem::from_pkcs8_der(pair.serialized_der());
        Ok(Leaf { certificate, key, life })
    }

    fn issuer(&self) -> Result<Issuer<'_, Signer>, IssueError> {
        let pair = Signer(self.key.key_pair().map_err(IssueError::Key)?);
        Ok(Issuer::from_ca_cert_der(&self.certificate.der().into(), pair)?)
    }
}

/// Checks what can be checked of a CA without its key, as a plan does: it is a CA's certificate,
/// signed by itself, it may sign, and `now` is within its life.
pub fn check_certificate(certificate: &Certificate, now: OffsetDateTime) -> Result<(), OpenError> {
    let facts = certificate.facts();
    let subject = || facts.subject.clone();
    if !facts.authority.is_ca() {
        return Err(OpenError::NotAuthority { subject: subject() });
    }
    if !facts.key_usages.contains(&KeyUsage::KeyCertSign) {
        return Err(OpenError::MayNotSign { subject: subject() });
    }
    if !certificate.signed_by(certificate) {
        return Err(OpenError::NotSelfSigned { subject: subject() });
    }
    if facts.subject_key_id.is_none() {
        return Err(OpenError::NoKeyId { subject: subject() });
    }
    within_life(certificate, now)?;
    Ok(())
}

/// The CA's key while it signs; cleared when dropped, which the library's own type is not.
struct Signer(Zeroizing<KeyPair>);

impl PublicKeyData for Signer {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        PublicKeyData::algorithm(&*self.0)
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

/// A positive number of exactly 16 bytes with 126 random bits: the sign bit is clear and
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

fn belongs_together(
    made: &Certificate,
    authority: &Certificate,
    pair: &KeyPair,
) -> Result<(), IssueError> {
    if !made.signed_by(authority) {
        return Err(IssueError::BadSignature);
    }
    if made.facts().public_key != public_key(pair) {
        return Err(IssueError::ForeignKey);
    }
    Ok(())
}

fn public_key(pair: &KeyPair) -> Sha256Digest {
    Sha256Digest::hash(&pair.subject_public_key_info())
}
