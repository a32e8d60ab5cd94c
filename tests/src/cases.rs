//! How many cases a law is tried with.

use proptest::test_runner::Config;

/// The configuration of a law that is tried with so many cases, and with twenty times as many where
/// `QUORATE_PROVE` is set. What breaks it is printed whole, so that no file remembers its seed.
pub fn cases(number: u32) -> Config {
    let times = if std::env::var_os("QUORATE_PROVE").is_some() { 20 } else { 1 };
    Config { cases: number * times, failure_persistence: None, ..Config::default() }
}
