//! What a host says of a restore that is not finished: the record that `script/sh/restoring.sh` writes.

use planner::facts::{RestorePhase, RestoreRecord};

use super::unread::Unread;

/// Reads the record. Every line counts: what is not exactly what quorate wrote says nothing.
pub(super) fn record(text: &str) -> Result<RestoreRecord, Unread> {
    let mut lines = text.split('\n');
    let mut line = |word: &str| {
        let value = lines.next().and_then(|line| line.strip_prefix(word)?.strip_prefix(' '));
        value.ok_or_else(|| Unread::odd(format!("its line {word} is missing")))
    };
    match line("quorate-restore")? {
        "1" => {}
        format => {
            return Err(Unread::odd(format!("it is of format {format}, and this quorate knows 1")));
        }
    }
    let token =
        line("token")?.parse().map_err(|error| Unread::odd(format!("its token {error}")))?;
    let sha256 = line("sha256")?;
    let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    if sha256.len() != 64 || !sha256.bytes().all(is_digit) {
        return Err(Unread::odd("its sha256 is not one"));
    }
    let members = line("members")?.to_owned();
    let bump = match line("bump")? {
        "none" => None,
        bump => Some(bump.parse().map_err(|_| Unread::odd("its bump is not a number"))?),
    };
    let phase = match line("phase")? {
        "staged" => RestorePhase::Staged,
        "set-aside" => RestorePhase::SetAside,
        "placed" => RestorePhase::Placed,
        _ => return Err(Unread::odd("it names no phase of a restore")),
    };
    if (lines.next(), lines.next()) != (Some(""), None) {
        return Err(Unread::odd("it continues after its end"));
    }
    Ok(RestoreRecord { token, sha256: sha256.to_owned(), members, bump, phase })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    const MEMBERS: &str = "etcd-1=https://10.0.0.1:2380,etcd-2=https://10.0.0.2:2380";

    fn text(bump: &str, phase: &str) -> String {
        format!(
            "quorate-restore 1\ntoken 0123456789abcdef0123456789abcdef\nsha256 {SUM}\nmembers {MEMBERS}\nbump {bump}\nphase {phase}\n"
        )
    }

    #[test]
    fn a_record_says_which_snapshot_and_how_far_it_is() {
        let read = record(&text("1000000000", "placed")).unwrap();
        assert_eq!((read.sha256.as_str(), read.bump), (SUM, Some(1_000_000_000)));
        assert_eq!((read.members.as_str(), read.phase), (MEMBERS, RestorePhase::Placed));
        let read = record(&text("none", "set-aside")).unwrap();
        assert_eq!((read.bump, read.phase), (None, RestorePhase::SetAside));
        assert_eq!(record(&text("none", "staged")).unwrap().phase, RestorePhase::Staged);
    }

    #[test]
    fn what_is_not_exactly_a_record_says_nothing() {
        let whole = text("none", "staged");
        for cut in 0..whole.len() {
            assert!(record(&whole[..cut]).is_err(), "{cut}");
        }
        for odd in [
            text("-1", "staged"),
            text("99999999999999999999", "staged"),
            text("none", "done"),
            format!("{whole}\n"),
            format!("{whole}phase placed\n"),
            whole.replace("restore 1", "restore 2"),
            whole.replace(SUM, &SUM.to_uppercase()),
            whole.replace(SUM, "$(id)"),
            whole.replace("token ", "token \u{1b}"),
        ] {
            assert!(record(&odd).is_err(), "{odd:?}");
        }
    }
}
