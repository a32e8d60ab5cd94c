//! Numbers as etcdctl prints them, and as the JSON of protocol buffers prints them: 64 bits may
//! stand as a number or as a string.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// An unsigned number of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Number(pub(super) u64);

impl Number {
    /// As etcdctl writes ids: hex, lower case, no padding.
    pub(super) fn id(self) -> String {
        format!("{:x}", self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of 64 bits without a sign")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map(Number).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Digits)
    }
}
