//! What values a flag takes. etcd parses flags with Go's `flag` package, so its rules are these.

use std::borrow::Cow;

use inventories::inventory::FlagValue;

use super::gates;
use super::meant;
use super::problem::{Code, Problem};

/// What values a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number, within bounds that are allowed themselves.
    Number {
        /// The lowest.
        from: i64,
        /// The highest.
        to: i64,
    },
    /// A Go duration, such as `100ms` or `1h30m`.
    Duration,
    /// A Go duration, or a number of hours or revisions: `auto-compaction-retention`.
    Retention,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `Gate=true,…` with these gates.
    Gates(&'static [&'static str]),
    /// `*`, or URLs of scheme, host and port, with commas between.
    Urls,
    /// Any text.
    Text,
}

impl Kind {
    /// A value of this kind, as it is written in TOML.
    pub fn example(self) -> String {
        match self {
            Kind::Bool => "true".to_owned(),
            Kind::Number { from, to } => 1000.clamp(from, to).to_string(),
            Kind::Duration => r#""100ms""#.to_owned(),
            Kind::Retention => r#""8h""#.to_owned(),
            Kind::Choice(words) => format!("{:?}", words.first().copied().unwrap_or_default()),
            Kind::Gates(gates) => {
                format!(r#""{}=true""#, gates.first().copied().unwrap_or_default())
            }
            Kind::Urls => r#""https://example.net:443""#.to_owned(),
            Kind::Text => r#""…""#.to_owned(),
        }
    }

    fn noun(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Kind::Number { from, to } => return number_noun(from, to),
            Kind::Bool => "true or false",
            Kind::Duration => "a duration",
            Kind::Retention => "a duration or a number, in quotes",
            Kind::Choice(_) => "one word of a list",
            Kind::Gates(_) => "a list of feature gates",
            Kind::Urls => "* or URLs with a port and no path",
            Kind::Text => "text",
        })
    }
}

fn number_noun(from: i64, to: i64) -> Cow<'static, str> {
    match (from, to) {
        (i64::MIN, _) => "a whole number".into(),
        (_, i64::MAX) => format!("a whole number from {from}").into(),
        _ => format!("a whole number from {from} to {to}").into(),
    }
}

/// What is wrong with a value, if anything is.
pub(crate) fn check(name: &str, kind: Kind, value: &FlagValue) -> Result<(), Problem> {
    match (kind, value) {
        (Kind::Bool, FlagValue::Bool(_)) => Ok(()),
        (Kind::Number { from, to }, FlagValue::Int(number)) if (from..=to).contains(number) => {
            Ok(())
        }
        (_, FlagValue::Text(text)) => {
            refuse_control_characters(name, text)?;
            check_text(name, kind, text)
        }
        _ => Err(wrong_kind(name, kind, value)),
    }
}

fn check_text(name: &str, kind: Kind, text: &str) -> Result<(), Problem> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match kind {
        Kind::Text => Ok(()),
        Kind::Duration if is_duration(text) => Ok(()),
        Kind::Retention if is_duration(text) || is_number(text) => Ok(()),
        Kind::Urls if text == "*" || text.split(',').all(is_url) => Ok(()),
        Kind::Choice(words) if words.contains(&text) => Ok(()),
        Kind::Choice(words) => Err(not_a_choice(name, words, text)),
        Kind::Gates(known) => gates::check(name, known, text),
        Kind::Bool | Kind::Number { .. } | Kind::Duration | Kind::Retention | Kind::Urls => {
            Err(wrong_kind(name, kind, &FlagValue::Text(text.to_owned())))
        }
    }
}

fn not_a_choice(name: &str, words: &[&str], text: &str) -> Problem {
    let problem = Problem::error(
        Code::Type,
        format!("`{name}` takes one of {}, not {text:?}", words.join(", ")),
    );
    match inventories::suggest::closest(text, words.iter().copied()) {
        Some(word) => problem.hint(format!("did you mean {word:?}?")),
        None => problem,
    }
}

fn wrong_kind(name: &str, kind: Kind, value: &FlagValue) -> Problem {
    let written = match value {
        FlagValue::Text(text) => format!("{text:?}"),
        FlagValue::Bool(_) | FlagValue::Int(_) => value.to_string(),
    };
    Problem::error(Code::Type, format!("`{name}` takes {}, not {written}", kind.noun()))
        .hint(format!("write it as {name} = {}", meant::instead(name, kind, value)))
}

fn refuse_control_characters(name: &str, text: &str) -> Result<(), Problem> {
    match text.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => Err(Problem::error(
            Code::Type,
            format!("the value of `{name}` holds the control character U+{:04X}", u32::from(c)),
        )),
    }
}

/// Whether etcd takes the text as a URL: it wants a port, and no path.
fn is_url(text: &str) -> bool {
    let authority = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let port = authority.and_then(|authority| authority.rsplit_once(':'));
    port.is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', ' ', '?', '#']) && port.parse::<u16>().is_ok()
    })
}

/// Whether Go's `time.ParseDuration` takes the text. Negative durations, which Go takes, mean
/// nothing to etcd and are refused.
fn is_duration(text: &str) -> bool {
    nanoseconds(text).is_some()
}

/// How long a duration is that Go takes.
pub(super) fn nanoseconds(text: &str) -> Option<f64> {
    if text == "0" {
        return Some(0.0);
    }
    let mut rest = text;
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let (length, after) = split_duration_part(rest)?;
        nanoseconds += length;
        rest = after;
    }
    // The largest float below 2⁶³: near that limit, 292 years, nobody needs precision.
    (!text.is_empty() && nanoseconds < 9.2e18).then_some(nanoseconds)
}

fn split_duration_part(text: &str) -> Option<(f64, &str)> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1.0),
        ("us", 1e3),
        ("µs", 1e3),
        ("μs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("m", 60e9),
        ("h", 3600e9),
    ];
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|&end| end > 0)?;
    let (number, rest) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    UNITS.iter().find_map(|(unit, length)| Some((number * length, rest.strip_prefix(unit)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: Kind = Kind::Number { from: 1, to: 65535 };

    fn text(text: &str) -> FlagValue {
        FlagValue::Text(text.to_owned())
    }

    #[test]
    fn durations_are_what_go_takes() {
        for good in ["0", "0s", "100ms", "1h30m", "1.5h", ".5s", "1µs", "2540400h"] {
            assert!(is_duration(good), "{good:?}");
        }
        for bad in ["", "10", "10 s", "s", "1d", "-1s", "1..5s", ".", "1e3s", "1h-1m", "3000000h"] {
            assert!(!is_duration(bad), "{bad:?}");
        }
    }

    #[test]
    fn urls_need_a_port_and_no_path() {
        for good in ["http://a:80", "https://[fd00::1]:443"] {
            assert!(is_url(good), "{good:?}");
        }
        for bad in ["", "x", "https://a", "https://a:443/", "https://a/b:443", "ftp://a:1", "a:1"] {
            assert!(!is_url(bad), "{bad:?}");
        }
    }

    #[test]
    fn each_kind_takes_its_own_example() {
        let gates: &[&str] = &["InitialCorruptCheck"];
        for (kind, value) in [
            (Kind::Bool, FlagValue::Bool(true)),
            (PORT, FlagValue::Int(1)),
            (PORT, FlagValue::Int(65535)),
            (Kind::Duration, text("100ms")),
            (Kind::Retention, text("8h")),
            (Kind::Retention, text("8")),
            (Kind::Choice(&["a", "b"]), text("b")),
            (Kind::Gates(gates), text("InitialCorruptCheck=true")),
            (Kind::Urls, text("*")),
            (Kind::Urls, text("http://a:1,https://b:2")),
            (Kind::Text, text("$(x) 'y' \"z\" %i")),
        ] {
            assert_eq!(check("x", kind, &value), Ok(()), "{kind:?}");
        }
    }

    #[test]
    fn a_value_of_another_kind_is_refused_with_what_to_write() {
        let problem = |kind, value| check("x", kind, &value).unwrap_err();
        assert_eq!(problem(Kind::Bool, text("true")).hint.as_deref(), Some("write it as x = true"));
        assert_eq!(
            problem(Kind::Duration, FlagValue::Int(100)).hint.as_deref(),
            Some(r#"write it as x = "100s""#)
        );
        assert_eq!(problem(Kind::Text, FlagValue::Bool(true)).message, "`x` takes text, not true");
        assert_eq!(
            problem(Kind::Choice(&["basic", "extensive"]), text("basics")).hint.as_deref(),
            Some(r#"did you mean "basic"?"#)
        );
    }

    #[test]
    fn numbers_outside_the_bounds_are_refused() {
        for number in [0, 65536, -1] {
            let problem = check("x", PORT, &FlagValue::Int(number)).unwrap_err();
            assert_eq!(
                problem.message,
                format!("`x` takes a whole number from 1 to 65535, not {number}")
            );
        }
    }

    #[test]
    fn no_value_can_hold_a_line_break_or_nul() {
        for hostile in ["a\nb", "a\0b", "a\u{1b}[31m", "a\u{85}"] {
            assert!(check("x", Kind::Text, &text(hostile)).is_err(), "{hostile:?}");
        }
    }
}
