//! The host's clock against ours.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::records::Records;
use super::unread::Unread;

/// When a call was sent and when its reply was here, by our clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) sent: SystemTime,
    pub(super) received: SystemTime,
}

/// The host's clock minus ours, and how far off that may be, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Skew {
    pub(super) skew_ms: i64,
    pub(super) error_ms: i64,
}

/// The host reads its clock first and last. What passes on the host between the two is not on the
/// way, so a slow look blurs nothing.
pub(super) fn skew(records: &Records, span: Span) -> Result<Skew, Unread> {
    let read = |key| seconds(records.need(key, "what time it is")?);
    let (first, last) = (read("clock-first")?, read("clock-last")?);
    let (sent, received) = (micros(span.sent), micros(span.received));
    let way = ((received - sent) - (last - first)).abs();
    let skew = ((first - sent) + (last - received)) / 2;
    Ok(Skew { skew_ms: skew / 1000, error_ms: way / 2000 + 1 })
}

/// `SECONDS.NANOSECONDS` in microseconds.
fn seconds(text: &str) -> Result<i64, Unread> {
    let odd = || Unread::odd("the host's clock can't be read");
    let (whole, fraction) = text.trim().split_once('.').ok_or_else(odd)?;
    let whole: i64 = whole.parse().map_err(|_| odd())?;
    let micros: i64 = fraction.get(..6).and_then(|digits| digits.parse().ok()).ok_or_else(odd)?;
    whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(micros)).ok_or_else(odd)
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(first: &str, last: &str) -> Records {
        let reply =
            format!("clock-first {}\n{first}\nclock-last {}\n{last}\n", first.len(), last.len());
        Records::parse(reply.as_bytes()).unwrap()
    }

    fn span(sent_ms: u64, received_ms: u64) -> Span {
        let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        Span { sent: at(sent_ms), received: at(received_ms) }
    }

    #[test]
    fn a_slow_look_does_not_blur_the_skew() {
        let records = host("1002.050000000", "1005.050000000");
        let skew = skew(&records, span(1_000_000, 1_003_100)).unwrap();
        assert_eq!(skew, Skew { skew_ms: 2_000, error_ms: 51 });
    }

    #[test]
    fn a_clock_behind_is_negative() {
        let records = host("990.000000000", "990.000000000");
        assert_eq!(skew(&records, span(1_000_000, 1_000_000)).unwrap().skew_ms, -10_000);
    }

    #[test]
    fn a_clock_that_says_nonsense_is_an_error() {
        for text in ["", "12", "x.y", "9223372036854775807.000000000", "1.5"] {
            assert!(skew(&host(text, text), span(0, 0)).is_err(), "{text:?}");
        }
    }
}
