//! Pins of SSH host keys.

use crate::inventory::HostKeyPin;

/// `SHA256:` and the unpadded base64 of 32 bytes; else what to write.
pub(super) fn read(text: &str) -> Result<HostKeyPin, String> {
    let digest = text.strip_prefix("SHA256:");
    if digest.is_some_and(is_digest) {
        return Ok(HostKeyPin(text.to_owned()));
    }
    Err(if digest.is_some_and(|digest| is_digest(digest.trim_end_matches('='))) {
        format!("write it without the '=': \"{}\"", text.trim_end_matches('='))
    } else if is_digest(text) {
        format!("write: \"SHA256:{text}\"")
    } else {
        "write what `quorate trust` or `ssh-keygen -lf` prints: \"SHA256:\" and 43 characters"
            .to_owned()
    })
}

fn is_digest(text: &str) -> bool {
    let base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    // 43 characters hold 258 bits; of the last one only 4 are the digest's, the rest are zero.
    text.len() == 43 && text.bytes().all(base64) && text.ends_with(LAST)
}

const LAST: [char; 16] =
    ['A', 'E', 'I', 'M', 'Q', 'U', 'Y', 'c', 'g', 'k', 'o', 's', 'w', '0', '4', '8'];

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn only_a_whole_sha256_fingerprint_is_a_pin() {
        let pin = "SHA256:uNiVztksCsDhcc0u9e8BrXJXvS6mCJbxLJPSKBmuNzQ";
        assert!(!pin.ends_with("A") && read(pin).is_ok());
        for bad in [
            "",
            "SHA256:",
            &pin[..49],
            &pin[7..],
            &format!("{pin}="),
            &pin.replace("SHA256", "MD5"),
            &format!("{pin}\n"),
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
