//! Names of labs and of the hosts in them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a lab: 1 to 12 of `a-z`, `0-9` and `-`.
///
/// Twelve, because the operator's end of the lab's link is called after it and the kernel takes
/// 15 bytes for the name of an interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LabName(String);

/// Why a text is not the name of a lab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a lab's name: 1 to 12 of a-z, 0-9 and '-', beginning and ending with a letter or digit"
)]
pub struct LabNameError;

impl LabName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which the machine knows one of the lab's things: a namespace, a control
    /// group, a container.
    pub fn thing(&self, what: &str) -> String {
        format!("quorate-{}-{what}", self.0)
    }
}

impl Default for LabName {
    /// The lab that the command line means when it names none.
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl FromStr for LabName {
    type Err = LabNameError;

    fn from_str(text: &str) -> Result<Self, LabNameError> {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=12).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if good { Ok(Self(text.to_owned())) } else { Err(LabNameError) }
    }
}

impl TryFrom<String> for LabName {
    type Error = LabNameError;

    fn try_from(text: String) -> Result<Self, LabNameError> {
        text.parse()
    }
}

impl From<LabName> for String {
    fn from(name: LabName) -> Self {
        name.0
    }
}

impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A host of a lab, by its number from 1. Its host name, and its name in the inventory, is
/// `etcd-N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct HostId(u8);

/// Why a text is not a host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a host of a lab: write its number, 1 to {}", HostId::MAX)]
pub struct HostIdError;

impl HostId {
    /// The highest number: hosts 1 to 200 have the addresses .11 to .210.
    pub const MAX: u8 = 200;

    /// The host with this number.
    pub fn new(number: u8) -> Result<Self, HostIdError> {
        if (1..=Self::MAX).contains(&number) { Ok(Self(number)) } else { Err(HostIdError) }
    }

    /// The first `count` hosts.
    pub fn first(count: u8) -> impl Iterator<Item = Self> {
        (1..=count.min(Self::MAX)).map(Self)
    }

    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl FromStr for HostId {
    type Err = HostIdError;

    /// Accepts the number (`3`) and the name (`etcd-3`).
    fn from_str(text: &str) -> Result<Self, HostIdError> {
        let digits = text.strip_prefix("etcd-").unwrap_or(text);
        digits.parse().map_err(|_| HostIdError).and_then(Self::new)
    }
}

impl TryFrom<u8> for HostId {
    type Error = HostIdError;

    fn try_from(number: u8) -> Result<Self, HostIdError> {
        Self::new(number)
    }
}

impl From<HostId> for u8 {
    fn from(id: HostId) -> Self {
        id.0
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("etcd-{}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_not_fit_the_kernel_or_a_path_are_refused() {
        for bad in ["", "-a", "a-", "A", "a/b", "..", "a b", "a.b", "thirteen-long"] {
            assert_eq!(bad.parse::<LabName>(), Err(LabNameError), "{bad:?}");
        }
        for good in ["a", "main", "twelve-chars"] {
            assert!(good.parse::<LabName>().is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_host_is_named_by_number_or_by_name() {
        assert_eq!("3".parse::<HostId>(), HostId::new(3));
        assert_eq!("etcd-3".parse::<HostId>(), HostId::new(3));
        for bad in ["0", "201", "-1", "etcd-", "etcd-x", "x"] {
            assert_eq!(bad.parse::<HostId>(), Err(HostIdError), "{bad:?}");
        }
    }
}
