//! etcd versions. Only the released form `MAJOR.MINOR.PATCH` is accepted.

use std::fmt;

/// A minor line of etcd 3 that quorate knows as a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Minor {
    /// The 3.4 line, at end of life since June 2026.
    V3_4,
    /// The 3.5 line.
    V3_5,
    /// The 3.6 line.
    V3_6,
    /// The 3.7 line.
    V3_7,
}

impl Minor {
    /// Every known minor, oldest first.
    pub const ALL: [Minor; 4] = [Minor::V3_4, Minor::V3_5, Minor::V3_6, Minor::V3_7];

    /// The number after `3.`.
    pub fn number(self) -> u32 {
        match self {
            Minor::V3_4 => 4,
            Minor::V3_5 => 5,
            Minor::V3_6 => 6,
            Minor::V3_7 => 7,
        }
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}", self.number())
    }
}

/// A released etcd 3 version of a known minor, such as `3.6.16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtcdVersion {
    minor: Minor,
    patch: u32,
}

/// Why a text is not a version that quorate can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The text is not three numbers with dots between.
    #[error("is not a version: write it as MAJOR.MINOR.PATCH, for example 3.6.16")]
    Syntax,
    /// The minor is not in the flag table.
    #[error("is of an etcd line that quorate does not know; it knows 3.4, 3.5, 3.6 and 3.7")]
    UnknownMinor,
}

impl EtcdVersion {
    /// A version of a known minor.
    pub const fn new(minor: Minor, patch: u32) -> Self {
        Self { minor, patch }
    }

    /// The newest release of a line when this program was made (November 2026). A newer one can be
    /// run, with a warning: a security release must not wait for us.
    pub const fn newest_known(minor: Minor) -> Self {
        let patch = match minor {
            Minor::V3_4 => 45,
            Minor::V3_5 => 35,
            Minor::V3_6 => 16,
            Minor::V3_7 => 3,
        };
        Self { minor, patch }
    }

    /// Whether a member of this version tells whether it lives apart from whether it can serve: a pod
    /// needs that, for one that is restarted over an alarm never gets out of it.
    pub fn tells_liveness(self) -> bool {
        let since = match self.minor {
            Minor::V3_4 => 29,
            Minor::V3_5 => 11,
            Minor::V3_6 | Minor::V3_7 => 0,
        };
        self.patch >= since
    }

    /// Whether the tools of this version can restore a snapshot at a higher revision than its own, so that no watcher
    /// and no cache sees revisions that it has seen before.
    pub fn bumps_revisions(self) -> bool {
        let since = match self.minor {
            Minor::V3_4 => 27,
            Minor::V3_5 => 10,
            Minor::V3_6 | Minor::V3_7 => 0,
        };
        self.patch >= since
    }

    /// The minor line.
    pub fn minor(self) -> Minor {
        self.minor
    }

    /// The patch number.
    pub fn patch(self) -> u32 {
        self.patch
    }
}

impl std::str::FromStr for EtcdVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let number = |part: &str| -> Result<u32, VersionError> {
            let canonical = part == "0" || !part.starts_with('0');
            if !canonical || part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(VersionError::Syntax);
            }
            part.parse().map_err(|_| VersionError::Syntax)
        };
        let parts = text.split('.').map(number).collect::<Result<Vec<_>, _>>()?;
        let [major, minor, patch] = parts[..] else {
            return Err(VersionError::Syntax);
        };
        Minor::ALL
            .into_iter()
            .find(|known| major == 3 && known.number() == minor)
            .map(|minor| Self { minor, patch })
            .ok_or(VersionError::UnknownMinor)
    }
}

impl fmt::Display for EtcdVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.minor, self.patch)
    }
}

impl serde::Serialize for EtcdVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for EtcdVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(|why| serde::de::Error::custom(format!("{text:?} {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_by_number_not_by_text() {
        let parse = |text: &str| text.parse::<EtcdVersion>().unwrap();
        assert!(parse("3.5.9") < parse("3.5.10"));
        assert!(parse("3.5.35") < parse("3.6.0"));
    }

    #[test]
    fn only_the_released_form_is_a_version() {
        for bad in [
            "",
            "3",
            "3.6",
            "v3.6.1",
            "3.6.1-rc.0",
            "3.06.1",
            "3.6.+1",
            "3.6.1.0",
            "3.6.99999999999",
        ] {
            assert_eq!(bad.parse::<EtcdVersion>(), Err(VersionError::Syntax), "{bad:?}");
        }
        assert_eq!("3.3.27".parse::<EtcdVersion>(), Err(VersionError::UnknownMinor));
        assert_eq!("4.6.1".parse::<EtcdVersion>(), Err(VersionError::UnknownMinor));
    }
}
