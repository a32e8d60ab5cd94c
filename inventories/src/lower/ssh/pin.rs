//! Pins of SSH host keys.

use crate::inventory::HostKeyPin;

/// The pin in `text`; else what to write.
pub(super) fn read(text: &str) -> Result<HostKeyPin, String> {
    HostKeyPin::new(text).ok_or_else(|| {
        let unpadded = text.trim_end_matches('=');
        if HostKeyPin::new(unpadded).is_some() {
            format!("write it without the '=': \"{unpadded}\"")
        } else if HostKeyPin::new(&format!("SHA256:{text}")).is_some() {
            format!("write: \"SHA256:{text}\"")
        } else {
            HINT.to_owned()
        }
    })
}

const HINT: &str =
    "write what `quorate trust` or `ssh-keygen -lf` prints: \"SHA256:\" and 43 characters";

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
