//! Flags as words of a command line.

use std::fmt;

/// A flag that may be given again, with each of its values, each after a blank.
pub(crate) fn words(flag: &str, values: impl IntoIterator<Item = impl fmt::Display>) -> String {
    values.into_iter().map(|value| format!(" {flag} {value}")).collect()
}
