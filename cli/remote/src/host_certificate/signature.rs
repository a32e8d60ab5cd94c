//! Signatures of the kinds that SSH's authorities make (RFC 4253, 5656, 8332, 8709), by OpenSSL.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey};
use openssl::rsa::Rsa;
use openssl::sign::Verifier;

use crate::identity::string;

/// The algorithm that a signature says to be made by.
pub(super) fn kind(signature: &[u8]) -> Option<&str> {
    std::str::from_utf8(string(signature)?.0).ok()
}

/// Whether `key`, a public key as SSH writes it, made this signature over `message`.
pub(super) fn is_by(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    verify(key, message, signature).and_then(Result::ok).unwrap_or_default()
}

/// `None` where something cannot be read, or key and signature are of different kinds.
fn verify(key: &[u8], message: &[u8], signature: &[u8]) -> Option<Result<bool, ErrorStack>> {
    let (key_kind, key) = string(key)?;
    let (kind, signature) = string(signature)?;
    let (signature, rest) = string(signature)?;
    if !rest.is_empty() {
        return None;
    }
    match (key_kind, kind) {
        (b"ssh-ed25519", b"ssh-ed25519") => {
            let (point, rest) = string(key)?;
            rest.is_empty().then(|| by_ed25519(point, message, signature))
        }
        (b"ssh-rsa", b"rsa-sha2-256") => by_rsa(key, message, signature, MessageDigest::sha256()),
        (b"ssh-rsa", b"rsa-sha2-512") => by_rsa(key, message, signature, MessageDigest::sha512()),
        (key_kind, kind) if key_kind == kind => {
            let (curve, digest) = match kind {
                b"ecdsa-sha2-nistp256" => (Nid::X9_62_PRIME256V1, MessageDigest::sha256()),
                b"ecdsa-sha2-nistp384" => (Nid::SECP384R1, MessageDigest::sha384()),
                b"ecdsa-sha2-nistp521" => (Nid::SECP521R1, MessageDigest::sha512()),
                _ => return None,
            };
            let (name, key) = string(key)?;
            let (point, rest) = string(key)?;
            if !rest.is_empty() || !kind.ends_with(name) || name.len() != "nistp256".len() {
                return None;
            }
            let (r, signature) = string(signature)?;
            let (s, rest) = string(signature)?;
            rest.is_empty().then(|| by_ecdsa((curve, point), &hash(digest, message)?, (r, s)))
        }
        _ => None,
    }
}

fn by_ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
    let key = PKey::public_key_from_raw_bytes(key, Id::ED25519)?;
    Verifier::new_without_digest(&key)?.verify_oneshot(signature, message)
}

fn by_rsa(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
    digest: MessageDigest,
) -> Option<Result<bool, ErrorStack>> {
    let (exponent, key) = string(key)?;
    let (modulus, rest) = string(key)?;
    rest.is_empty().then(|| {
        let [modulus, exponent] = [modulus, exponent].map(BigNum::from_slice);
        let key = PKey::from_rsa(Rsa::from_public_components(modulus?, exponent?)?)?;
        let mut verifier = Verifier::new(digest, &key)?;
        verifier.update(message)?;
        verifier.verify(signature)
    })
}

fn by_ecdsa(
    (curve, point): (Nid, &[u8]),
    digest: &[u8],
    (r, s): (&[u8], &[u8]),
) -> Result<bool, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let point = EcPoint::from_bytes(&group, point, &mut *BigNumContext::new()?)?;
    let key = EcKey::from_public_key(&group, &point)?;
    key.check_key()?;
    EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?
        .verify(digest, &key)
}
