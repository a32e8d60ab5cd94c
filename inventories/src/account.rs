//! The system account that the members of a cluster run as.

use std::borrow::Borrow;
use std::fmt;

/// Why a text can't name such an account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is neither `etcd` nor `etcd-` and 1 to 26 of a-z, 0-9 and '-'")]
pub struct AccountNameError;

/// The name of the account, and of its group.
///
/// quorate creates the account, and takes its login shell. So the name begins with `etcd`: no typo makes it
/// somebody's own account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct AccountName(String);

impl AccountName {
    /// Accepts `etcd`, and `etcd-` with something after it, within the 31 characters that every system takes.
    pub fn new(text: &str) -> Result<Self, AccountNameError> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let rest = text.strip_prefix("etcd-");
        let fits =
            rest.is_some_and(|rest| (1..=26).contains(&rest.len()) && rest.bytes().all(plain));
        if text == "etcd" || fits { Ok(Self(text.to_owned())) } else { Err(AccountNameError) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the one of clusters that name none.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for AccountName {
    fn default() -> Self {
        Self(crate::defaults::ACCOUNT.to_owned())
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for AccountName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_surely_etcd_s_are_taken() {
        let longest = format!("etcd-{}", "a".repeat(26));
        for good in ["etcd", "etcd-events", "etcd-1", &longest] {
            assert_eq!(AccountName::new(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        let long = format!("etcd-{}", "a".repeat(27));
        for bad in [
            "", "root", "alice", "etcdx", "etcd-", "etcd-A", "etcd-a b", "etcd-a:0", "etcd-a\n",
            &long,
        ] {
            assert!(AccountName::new(bad).is_err(), "{bad:?}");
        }
    }
}
