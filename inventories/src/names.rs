//! Names that are DNS labels, so that they are safe in file names, unit names and certificates.

use std::borrow::Borrow;
use std::fmt;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a DNS label: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"
)]
pub struct NameError;

fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(inner)
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Accepts a DNS label (RFC 1123).
            pub fn new(text: &str) -> Result<Self, NameError> {
                if is_dns_label(text) { Ok(Self(text.to_owned())) } else { Err(NameError) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::new(&text).map_err(|why| serde::de::Error::custom(format!("{text:?} {why}")))
            }
        }
    };
}

name! {
    /// The name of a host in the inventory; also the name of the member that runs on it.
    HostName
}
name! {
    /// The name of an etcd cluster in the inventory.
    ClusterName
}
name! {
    /// The name of a site: one inventory, one site.
    SiteName
}
name! {
    /// The name of a Kubernetes cluster in the inventory.
    KubernetesName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        for bad in
            ["", "-a", "a-", "A", "a.b", "a b", "a/b", "..", "$(x)", "а", "a\n", &"a".repeat(64)]
        {
            assert!(HostName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn dns_labels_are_accepted() {
        for good in ["a", "0", "etcd-1", &"a".repeat(63)] {
            assert_eq!(HostName::new(good).map(|n| n.to_string()), Ok(good.to_owned()));
        }
    }
}
