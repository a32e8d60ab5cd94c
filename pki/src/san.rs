//! Subject alternative names as text, for facts and for words.

use std::fmt;
use std::net::IpAddr;

use inventories::inventory::San;

/// A subject alternative name as a person writes it: `etcd-1`, `10.0.0.4`.
pub(crate) struct Words<'a>(pub(crate) &'a San);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            San::Dns(name) => f.write_str(name),
            San::Ip(address) => write!(f, "{address}"),
        }
    }
}

/// Sets of names as `["dns:etcd-1", "ip:10.0.0.4"]`, for `#[serde(with)]`.
pub(crate) mod tagged {
    use std::collections::BTreeSet;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        sans: &BTreeSet<San>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(sans.iter().map(|san| match san {
            San::Dns(name) => format!("dns:{name}"),
            San::Ip(address) => format!("ip:{address}"),
        }))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeSet<San>, D::Error> {
        Vec::<String>::deserialize(deserializer)?
            .iter()
            .map(|text| parse(text).ok_or_else(|| D::Error::custom("is not a tagged name")))
            .collect()
    }

    fn parse(text: &str) -> Option<San> {
        match text.split_once(':')? {
            ("dns", name) => Some(San::Dns(name.to_owned())),
            ("ip", address) => Some(San::Ip(address.parse::<IpAddr>().ok()?)),
            _ => None,
        }
    }
}
