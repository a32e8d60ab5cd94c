//! PEM, written and read inside buffers that are cleared and never grow.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Characters of base64 in a line (RFC 7468).
const COLUMNS: usize = 64;

/// Wraps DER in one PEM block.
///
/// Every buffer has its final size at once: one that grew would leave a copy of a key in freed
/// memory.
pub(crate) fn encode(label: &str, der: &[u8]) -> Zeroizing<Vec<u8>> {
    let (begin, end) = (begin(label), end(label));
    let mut base64 = Zeroizing::new(vec![0; der.len().div_ceil(3) * 4]);
    let length = STANDARD.encode_slice(der, &mut base64).unwrap_or_default();
    let newlines = length.div_ceil(COLUMNS) + 2;
    let size = begin.len() + length + newlines + end.len();
    let mut pem = Zeroizing::new(Vec::with_capacity(size));
    let lines = base64[..length].chunks(COLUMNS);
    for line in [begin.as_bytes()].into_iter().chain(lines).chain([end.as_bytes()]) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem
}

/// Unwraps a text that is one PEM block and nothing else.
pub(crate) fn decode(label: &str, pem: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let body = pem
        .trim_ascii()
        .strip_prefix(begin(label).as_bytes())?
        .strip_suffix(end(label).as_bytes())?;
    let mut base64 = Zeroizing::new(Vec::with_capacity(body.len()));
    base64.extend(body.iter().filter(|b| !b.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; base64.len()]);
    let length = STANDARD.decode_slice(base64.as_slice(), &mut der).ok()?;
    der.truncate(length);
    Some(der)
}

fn begin(label: &str) -> String {
    format!("-----BEGIN {label}-----")
}

fn end(label: &str) -> String {
    format!("-----END {label}-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_of_every_length_comes_back() {
        for length in 0..200 {
            let der = vec![0xa5; length];
            let pem = encode("PRIVATE KEY", &der);
            assert_eq!(pem.len(), pem.capacity(), "the buffer for {length} bytes grew");
            assert_eq!(decode("PRIVATE KEY", &pem).unwrap().as_slice(), der);
            assert!(decode("CERTIFICATE", &pem).is_none());
        }
    }
}
