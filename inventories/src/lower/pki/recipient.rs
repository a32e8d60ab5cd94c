//! Public keys that age seals for, checked so far that a slip of the hand is found. Sealing checks
//! them again.

/// Fine, or what to write.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if text.starts_with("age1") {
        return if is_age(text) { Ok(()) } else { Err(AGE) };
    }
    let mut words = text.split(' ');
    let (kind, body) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let clean = !text.chars().any(char::is_control) && is_base64(body);
    match kind {
        "ssh-ed25519" if clean && body.starts_with(ED25519) && body.len() == 68 => Ok(()),
        "ssh-rsa" if clean && body.starts_with(RSA) && body.len() >= 360 => Ok(()),
        "ssh-ed25519" | "ssh-rsa" => Err(SSH),
        _ if kind.starts_with("ecdsa-") || kind.starts_with("sk-") || kind == "ssh-dss" => {
            Err(OTHER_SSH)
        }
        _ => Err(NEITHER),
    }
}

const AGE: &str = "an age public key is 62 characters, as `age-keygen` prints it; one of these is wrong or missing";
const SSH: &str = "write the whole line of the .pub file; an RSA key needs 2048 bits";
const OTHER_SSH: &str =
    "age seals for ssh-ed25519 and ssh-rsa keys only; `age-keygen` makes a key of its own";
const NEITHER: &str =
    "write \"age1…\", or the line of an SSH .pub file: \"ssh-ed25519 …\" or \"ssh-rsa …\"";

/// Every key blob begins with its own type's name.
const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAI";
const RSA: &str = "AAAAB3NzaC1yc2E";

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && !body.is_empty()
        && body.bytes().all(plain)
}

/// A Bech32 text (BIP 173) of 32 bytes with age's prefix and a right checksum.
fn is_age(text: &str) -> bool {
    const CHARSET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let Some(data) = text.strip_prefix("age1").filter(|data| data.len() == 58) else {
        return false;
    };
    let values = data.bytes().map(|b| CHARSET.iter().position(|c| *c == b));
    // "age" as the checksum counts it: the high bits of each letter, a zero, the low bits.
    let prefix = [3, 3, 3, 0, 1, 7, 5].into_iter().map(Some);
    let checksum = prefix.chain(values).try_fold(1u32, |sum, value| {
        let top = sum >> 25;
        let sum = ((sum & 0x01ff_ffff) << 5) ^ u32::try_from(value?).ok()?;
        let generators = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let set = generators.into_iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1);
        Some(set.fold(sum, |sum, (_, generator)| sum ^ generator))
    });
    checksum == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the documentation of age.
    const KEY: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    #[test]
    fn a_wrong_letter_in_an_age_key_is_found() {
        assert_eq!(check(KEY), Ok(()));
        for at in 4..KEY.len() {
            let other = if KEY.as_bytes()[at] == b'q' { "p" } else { "q" };
            let mut wrong = KEY.to_owned();
            wrong.replace_range(at..=at, other);
            assert_eq!(check(&wrong), Err(AGE), "{wrong}");
        }
    }

    #[test]
    fn ssh_keys_are_taken_with_and_without_a_comment() {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
        assert_eq!(check(key), Ok(()));
        assert_eq!(check(&format!("{key} alice@host")), Ok(()));
        assert_eq!(check(&key[..70]), Err(SSH));
        assert_eq!(check(&format!("{key}\nssh-rsa x")), Err(SSH));
        assert_eq!(check("ecdsa-sha2-nistp256 AAAA"), Err(OTHER_SSH));
        assert_eq!(check("alice"), Err(NEITHER));
    }
}
