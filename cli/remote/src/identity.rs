//! What can be learned from a private key file without its passphrase.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::bounded;

/// A key file that the user named.
pub(crate) struct Identity {
    /// The private key, or the public half of one that an agent holds.
    pub(crate) path: PathBuf,
    /// The public key in wire format, where the file or its `.pub` neighbour shows it.
    pub(crate) public: Option<Vec<u8>>,
    /// What the file itself can do.
    pub(crate) usable: Usable,
}

/// Whether we can sign with the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Usable {
    /// It is a private key in clear.
    Yes,
    /// It needs a passphrase.
    Locked,
    /// It is a public key: the private one is elsewhere.
    PublicOnly,
    /// It cannot be read.
    Unreadable(String),
}

impl Identity {
    /// Looks at the file and at its `.pub` neighbour.
    pub(crate) fn read(path: &Path) -> Self {
        let text = match bounded::read(path, bounded::SMALL) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => {
                let usable = Usable::Unreadable(error.to_string());
                return Self { path: path.to_owned(), public: None, usable };
            }
        };
        let (usable, inside) = inspect(&text);
        let mut neighbour = path.as_os_str().to_owned();
        neighbour.push(".pub");
        let beside = || {
            bounded::read(Path::new(&neighbour), bounded::SMALL)
                .ok()
                .and_then(|text| public_key_line(&text))
        };
        Self { path: path.to_owned(), public: inside.or_else(beside), usable }
    }
}

fn inspect(text: &[u8]) -> (Usable, Option<Vec<u8>>) {
    if let Some(public) = public_key_line(text) {
        return (Usable::PublicOnly, Some(public));
    }
    match openssh_envelope(text) {
        Some(Envelope { cipher: Some(cipher), public }) if !is_supported(&cipher) => {
            let why = format!(
                "is encrypted with {cipher}, which is not supported: ssh-keygen -p -Z aes256-ctr -f it"
            );
            (Usable::Unreadable(why), Some(public))
        }
        Some(envelope) if envelope.cipher.is_some() => (Usable::Locked, Some(envelope.public)),
        Some(envelope) => (Usable::Yes, Some(envelope.public)),
        // PKCS #8 has it in its first line, the older form in a header.
        None if text.windows(9).any(|window| window == b"ENCRYPTED") => (Usable::Locked, None),
        None => (Usable::Yes, None),
    }
}

fn public_key_line(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split_ascii_whitespace();
    let kind = words.next().filter(|kind| !kind.starts_with('-'))?;
    let blob = STANDARD.decode(words.next()?).ok()?;
    let (name, _) = string(&blob)?;
    (name == kind.as_bytes()).then_some(blob)
}

struct Envelope {
    /// How the private part is encrypted, if it is.
    cipher: Option<String>,
    public: Vec<u8>,
}

/// Whether libssh2 can decrypt with it: AES in the modes that ssh-keygen uses unless told otherwise.
fn is_supported(cipher: &str) -> bool {
    cipher.starts_with("aes") && (cipher.ends_with("-ctr") || cipher.ends_with("-cbc"))
}

/// The part of an OpenSSH private key that is never encrypted (PROTOCOL.key of OpenSSH).
fn openssh_envelope(text: &[u8]) -> Option<Envelope> {
    let text = std::str::from_utf8(text).ok()?;
    let body = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----")?.1;
    let body = body.split_once("-----END")?.0;
    let mut packed = Zeroizing::new(body.to_owned());
    packed.retain(|c| !c.is_ascii_whitespace());
    let blob = Zeroizing::new(STANDARD.decode(packed.as_bytes()).ok()?);
    let rest = blob.strip_prefix(b"openssh-key-v1\0")?;
    let (cipher, rest) = string(rest)?;
    let (_kdf, rest) = string(rest)?;
    let (_options, rest) = string(rest)?;
    let (_count, rest) = rest.split_first_chunk::<4>()?;
    let (public, _) = string(rest)?;
    let cipher = std::str::from_utf8(cipher).ok()?.to_owned();
    let cipher = (cipher != "none").then_some(cipher);
    Some(Envelope { cipher, public: public.to_vec() })
}

/// A string of SSH's wire format, and what follows it.
pub(super) fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Whether the private half of a key, or of a certificate's, is in a security token (FIDO).
pub(super) fn is_in_token(public: &[u8]) -> bool {
    string(public)
        .is_some_and(|(kind, _)| kind.starts_with(b"sk-") || kind.starts_with(b"webauthn-sk-"))
}

/// The length of an RSA key, or of a certificate's; `None` for other kinds.
pub(super) fn rsa_bits(public: &[u8]) -> Option<u32> {
    let (kind, rest) = string(public)?;
    let rest = match kind {
        b"ssh-rsa" => rest,
        // A nonce comes first.
        b"ssh-rsa-cert-v01@openssh.com" => string(rest)?.1,
        _ => return None,
    };
    let (_exponent, rest) = string(rest)?;
    let (modulus, _) = string(rest)?;
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let first = modulus[start].leading_zeros();
    u32::try_from((modulus.len() - start) * 8).ok()?.checked_sub(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn keygen(dir: &Path, name: &str, args: &[&str]) -> PathBuf {
        let path = dir.join(name);
        let done =
            Command::new("ssh-keygen").args(["-q", "-f"]).arg(&path).args(args).status().unwrap();
        assert!(done.success());
        path
    }

    #[test]
    fn locked_and_open_keys_of_every_format_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        for (name, args, usable) in [
            ("open", &["-t", "ed25519", "-N", ""][..], Usable::Yes),
            ("locked", &["-t", "ed25519", "-N", "secret"], Usable::Locked),
            ("pem-open", &["-t", "ecdsa", "-m", "PEM", "-N", ""], Usable::Yes),
            ("pem-locked", &["-t", "ecdsa", "-m", "PEM", "-N", "secret"], Usable::Locked),
            ("pkcs8-locked", &["-t", "ecdsa", "-m", "PKCS8", "-N", "secret"], Usable::Locked),
        ] {
            let path = keygen(dir.path(), name, args);
            let identity = Identity::read(&path);
            assert_eq!(identity.usable, usable, "{name}");
            let public = Identity::read(&path.with_extension("pub"));
            assert_eq!(public.usable, Usable::PublicOnly);
            assert_eq!(identity.public, public.public, "{name}");
            assert!(identity.public.is_some());
        }
    }

    #[test]
    fn an_openssh_key_shows_its_public_half_without_a_neighbour() {
        let dir = tempfile::tempdir().unwrap();
        let path = keygen(dir.path(), "k", &["-t", "ed25519", "-N", "secret"]);
        let with = Identity::read(&path).public;
        std::fs::remove_file(path.with_extension("pub")).unwrap();
        assert_eq!(Identity::read(&path).public, with);
    }

    #[test]
    fn a_missing_file_says_why() {
        let identity = Identity::read(Path::new("/nonexistent/key"));
        assert!(matches!(identity.usable, Usable::Unreadable(why) if why.contains("No such file")));
    }
}
