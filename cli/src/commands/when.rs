//! A moment of the past, as an operator writes it.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, Time};

/// Reads `90s`, `15m`, `2h` or `3d` as so long ago, a date as its first moment in UTC, or RFC 3339; for clap.
pub(super) fn moment(text: &str) -> Result<OffsetDateTime, String> {
    before(OffsetDateTime::now_utc(), text).ok_or_else(|| {
        "write how long ago, such as 15m, 2h or 3d, or 2026-11-29, or 2026-11-29T03:00:00Z"
            .to_owned()
    })
}

/// Reads `90s`, `15m`, `2h` or `3d`; for clap.
pub(super) fn span(text: &str) -> Result<std::time::Duration, String> {
    // A year is more than anybody waits, and no clock ends there.
    let most = 366 * 86400;
    seconds(text)
        .filter(|seconds| *seconds <= most)
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map(std::time::Duration::from_secs)
        .ok_or_else(|| "write a time such as 90s, 15m or 2h".to_owned())
}

/// A number and its unit, in seconds.
fn seconds(text: &str) -> Option<i64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: i64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    number.checked_mul(unit)
}

fn before(now: OffsetDateTime, text: &str) -> Option<OffsetDateTime> {
    let day = format_description!("[year]-[month]-[day]");
    if let Ok(date) = Date::parse(text, &day) {
        return Some(date.with_time(Time::MIDNIGHT).assume_utc());
    }
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(at);
    }
    now.checked_sub(Duration::seconds(seconds(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_moment_is_so_long_ago_or_a_date_or_a_time() {
        let now = datetime!(2026-11-29 12:00 UTC);
        for (text, at) in [
            ("90s", datetime!(2026-11-29 11:58:30 UTC)),
            ("15m", datetime!(2026-11-29 11:45 UTC)),
            ("2h", datetime!(2026-11-29 10:00 UTC)),
            ("3d", datetime!(2026-11-26 12:00 UTC)),
            ("2026-11-01", datetime!(2026-11-01 0:00 UTC)),
            ("2026-11-29T03:00:00+01:00", datetime!(2026-11-29 2:00 UTC)),
        ] {
            assert_eq!(before(now, text), Some(at), "{text}");
        }
        assert_eq!(span("15m"), Ok(std::time::Duration::from_secs(900)));
        assert!(span("400d").is_err() && span("2026-11-01").is_err());
        for bad in ["", "2", "h", "-1h", "2 h", "yesterday", "9223372036854775807d", "2026-13-01"] {
            assert_eq!(before(now, bad), None, "{bad}");
        }
    }
}
