//! The likely meaning of a value that etcd does not take: a size with a unit, a number in quotes, a time.

use inventories::inventory::FlagValue;

use super::value::{Kind, nanoseconds};

/// The value to write, as TOML: the one that was meant, or a usual one where that is unclear.
pub(super) fn instead(name: &str, kind: Kind, value: &FlagValue) -> String {
    let meant = match kind {
        Kind::Number { from, to } => {
            let fits = |number: &i64| (from..=to).contains(number);
            let number = number(name, value).filter(fits).unwrap_or_else(|| usual(name, from, to));
            Some(number.to_string())
        }
        Kind::Bool => switch(value),
        Kind::Duration => duration(value),
        Kind::Retention => match value {
            FlagValue::Int(hours) if *hours >= 0 => Some(format!("\"{hours}h\"")),
            value => duration(value),
        },
        _ => None,
    };
    meant.unwrap_or_else(|| kind.example())
}

const KIB: i64 = 1024;

/// A number with digits grouped, a size with its unit, or a time in the unit that the flag counts in.
fn number(name: &str, value: &FlagValue) -> Option<i64> {
    let FlagValue::Text(text) = value else { return None };
    let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '_').collect();
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let nanoseconds = |unit: f64| Some((nanoseconds(&text)? / unit).round() as i64);
    match name {
        "heartbeat-interval" | "election-timeout" => nanoseconds(1e6),
        "auth-token-ttl" => nanoseconds(1e9),
        _ if name.ends_with("-bytes") => scaled(&text, KIB, 1),
        _ if name.ends_with("-megabytes") => scaled(&text, KIB, KIB * KIB),
        _ => scaled(&text, 1000, 1),
    }
}

/// `8G`, `8GB` and `8GiB` mean the same when they are meant for etcd.
fn scaled(text: &str, step: i64, unit: i64) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, suffix) = text.split_at(digits);
    let power = match suffix.to_ascii_lowercase().as_str() {
        "b" | "bytes" => 0,
        "k" | "kb" | "ki" | "kib" => 1,
        "m" | "mb" | "mi" | "mib" => 2,
        "g" | "gb" | "gi" | "gib" => 3,
        "t" | "tb" | "ti" | "tib" => 4,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    let exact = number * (step as f64).powi(power) / unit as f64;
    (exact < 9.0e18).then_some(exact.round() as i64)
}

/// etcd's default, or what a Kubernetes cluster usually has.
fn usual(name: &str, from: i64, to: i64) -> i64 {
    let number = match name {
        "quota-backend-bytes" => 8 * KIB * KIB * KIB,
        "max-request-bytes" => 1_572_864,
        "snapshot-count" => 10_000,
        "heartbeat-interval" => 100,
        "auth-token-ttl" => 300,
        "bcrypt-cost" => 10,
        "max-txn-ops" => 128,
        "max-wals" | "max-snapshots" => 5,
        "max-learners" | "self-signed-cert-validity" => 1,
        "snapshot-catchup-entries" | "experimental-snapshot-catchup-entries" => 5000,
        "backend-batch-limit" => 10_000,
        _ => 1000,
    };
    number.clamp(from, to)
}

fn switch(value: &FlagValue) -> Option<String> {
    let on = match value.to_string().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "enabled" => true,
        "false" | "no" | "off" | "0" | "disabled" => false,
        _ => return None,
    };
    Some(on.to_string())
}

/// A number without a unit counts seconds; etcd knows no days.
fn duration(value: &FlagValue) -> Option<String> {
    let text = value.to_string().replace(|c: char| c.is_whitespace(), "").to_ascii_lowercase();
    let written = match text.strip_suffix('d').map(str::parse::<u32>) {
        Some(Ok(days)) => format!("{}h", u64::from(days) * 24),
        _ if text.parse::<u32>().is_ok() => format!("{text}s"),
        _ => text,
    };
    nanoseconds(&written).map(|_| format!("\"{written}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Kind = Kind::Number { from: i64::MIN, to: i64::MAX };

    fn of(name: &str, kind: Kind, text: &str) -> String {
        instead(name, kind, &FlagValue::Text(text.to_owned()))
    }

    #[test]
    fn a_size_or_a_number_in_quotes_becomes_the_number_that_was_meant() {
        for text in ["8G", "8 GiB", "8gb", "8589934592", "8_589_934_592", "8192M", "8192MiB"] {
            assert_eq!(of("quota-backend-bytes", ANY, text), "8589934592", "{text}");
        }
        assert_eq!(of("max-request-bytes", ANY, "1.5Mi"), "1572864");
        assert_eq!(of("snapshot-count", ANY, "10k"), "10000");
        assert_eq!(of("bootstrap-defrag-threshold-megabytes", ANY, "1G"), "1024");
        assert_eq!(of("heartbeat-interval", ANY, "250"), "250");
        assert_eq!(of("election-timeout", ANY, "2.5s"), "2500");
        assert_eq!(of("auth-token-ttl", ANY, "5m"), "300");
    }

    #[test]
    fn what_nobody_can_tell_becomes_a_usual_value_of_that_flag() {
        assert_eq!(of("quota-backend-bytes", ANY, "large"), "8589934592");
        assert_eq!(of("max-request-bytes", ANY, "9999999999T"), "1572864");
        let heartbeat = Kind::Number { from: 1, to: 10_000 };
        assert_eq!(instead("heartbeat-interval", heartbeat, &FlagValue::Int(0)), "100");
    }

    #[test]
    fn times_and_switches_are_written_as_etcd_takes_them() {
        assert_eq!(of("x", Kind::Duration, "1d"), "\"24h\"");
        assert_eq!(of("x", Kind::Duration, "10 s"), "\"10s\"");
        assert_eq!(instead("x", Kind::Duration, &FlagValue::Int(30)), "\"30s\"");
        assert_eq!(instead("x", Kind::Retention, &FlagValue::Int(8)), "\"8h\"");
        assert_eq!(of("x", Kind::Bool, "off"), "false");
        assert_eq!(of("x", Kind::Bool, "perhaps"), "true");
    }
}
