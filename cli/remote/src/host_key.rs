//! Public keys of hosts, and how people write them.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// A public key as SSH sends it.
#[derive(Clone, PartialEq, Eq)]
pub struct HostKey {
    blob: Vec<u8>,
}

impl HostKey {
    /// A key in SSH's wire format, or `None` when it does not begin with the name of its kind.
    pub(crate) fn new(blob: Vec<u8>) -> Option<Self> {
        kind_of(&blob)?;
        Some(Self { blob })
    }

    /// The kind of the key, such as `ssh-ed25519`.
    pub fn kind(&self) -> &str {
        kind_of(&self.blob).unwrap_or_default()
    }

    /// The key as SSH sends it.
    pub(crate) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Its length, if it is an RSA key.
    pub(crate) fn rsa_bits(&self) -> Option<u32> {
        super::identity::rsa_bits(&self.blob)
    }

    /// The fingerprint that ssh-keygen and ssh print.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(&self.blob).into())
    }

    /// The line that lets ssh and quorate know this key as that of `host`.
    pub fn known_hosts_line(&self, host: &str, port: u16) -> String {
        format!("{} {} {}", lookup_name(host, port), self.kind(), STANDARD.encode(&self.blob))
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.fingerprint())
    }
}

/// The name under which known_hosts lists a host.
pub(crate) fn lookup_name(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

fn kind_of(blob: &[u8]) -> Option<&str> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let name = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    std::str::from_utf8(name)
        .ok()
        .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()))
}

/// The SHA-256 digest of a public key, written `SHA256:` and 43 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

/// A text that is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a fingerprint: SHA256: and 43 characters of base64, as ssh-keygen -l prints it")]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let digest = text.strip_prefix("SHA256:").ok_or(FingerprintError)?;
        let digest = STANDARD_NO_PAD.decode(digest).map_err(|_| FingerprintError)?;
        digest.try_into().map(Self).map_err(|_| FingerprintError)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with ssh-keygen, and so is its fingerprint.
    const LINE: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn a_fingerprint_is_what_ssh_keygen_prints() {
        let key = HostKey::new(STANDARD.decode(LINE).unwrap()).unwrap();
        assert_eq!(key.kind(), "ssh-ed25519");
        let printed = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
        assert_eq!(key.fingerprint().to_string(), printed);
        assert_eq!(printed.parse(), Ok(key.fingerprint()));
        assert_eq!(
            key.known_hosts_line("GitHub.com", 22),
            format!("github.com ssh-ed25519 {LINE}")
        );
        assert_eq!(key.known_hosts_line("h", 2222), format!("[h]:2222 ssh-ed25519 {LINE}"));
    }

    #[test]
    fn what_is_no_key_or_fingerprint_is_refused() {
        for bad in
            [&b""[..], b"\0\0\0", b"\0\0\0\x09abc", b"\xff\xff\xff\xffabc", b"\0\0\0\x01\x1b"]
        {
            assert!(HostKey::new(bad.to_vec()).is_none());
        }
        for bad in [
            "",
            "SHA256:",
            "MD5:00",
            "SHA256:AAAA",
            "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU=",
        ] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(FingerprintError));
        }
    }
}
