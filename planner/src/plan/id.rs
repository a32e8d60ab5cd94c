//! The name of a step: the host that it runs on, what it serves there, and what it does.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use inventories::{ClusterName, HostName};

use super::Verb;

/// What a step serves on its host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The host, and with it every member there.
    Host,
    /// The host's member of this cluster.
    Member(ClusterName),
}

impl Scope {
    /// The cluster of the member that it serves.
    pub fn cluster(&self) -> Option<&ClusterName> {
        match self {
            Scope::Host => None,
            Scope::Member(cluster) => Some(cluster),
        }
    }
}

/// The name of a step. As text it is `HOST/VERB`, or `HOST/CLUSTER/VERB` where it serves one member.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StepId {
    /// The host it runs on.
    pub host: HostName,
    /// What it serves there.
    pub scope: Scope,
    /// What it does.
    pub verb: Verb,
}

impl StepId {
    /// The name of a step that serves the whole host.
    pub fn for_host(host: &HostName, verb: Verb) -> Self {
        Self { host: host.clone(), scope: Scope::Host, verb }
    }

    /// The name of a step that serves one member.
    pub fn for_member(host: &HostName, cluster: &ClusterName, verb: Verb) -> Self {
        Self { host: host.clone(), scope: Scope::Member(cluster.clone()), verb }
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, scope, verb } = self;
        let text = match scope {
            Scope::Host => format!("{host}/{verb}"),
            Scope::Member(cluster) => format!("{host}/{cluster}/{verb}"),
        };
        f.pad(&text)
    }
}

/// Why a text names no step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a step: HOST/VERB, or HOST/CLUSTER/VERB")]
pub struct StepIdError(String);

impl FromStr for StepId {
    type Err = StepIdError;

    fn from_str(text: &str) -> Result<Self, StepIdError> {
        let parsed = || {
            let (host, rest) = text.split_once('/')?;
            let (cluster, verb) = match rest.split_once('/') {
                None => (None, rest),
                Some((cluster, verb)) => (Some(ClusterName::new(cluster).ok()?), verb),
            };
            let verb = Verb::named(verb).filter(|verb| verb.serves_host() == cluster.is_none())?;
            let scope = cluster.map_or(Scope::Host, Scope::Member);
            Some(Self { host: HostName::new(host).ok()?, scope, verb })
        };
        parsed().ok_or_else(|| StepIdError(text.to_owned()))
    }
}

impl PartialEq<str> for StepId {
    fn eq(&self, text: &str) -> bool {
        bytes(self, &self.verb.name()).eq(text.bytes())
    }
}

impl PartialEq<&str> for StepId {
    fn eq(&self, text: &&str) -> bool {
        self == *text
    }
}

/// Ids are ordered as their texts are, because plans are: what could come next in any order comes by name.
impl Ord for StepId {
    fn cmp(&self, other: &Self) -> Ordering {
        // A plan compares ids millions of times: the names of verbs are only put together where they decide.
        let (own, its) = (self.host.as_str(), other.host.as_str());
        if !own.starts_with(its) && !its.starts_with(own) {
            return own.cmp(its);
        }
        if self == other {
            return Ordering::Equal;
        }
        let (own, its) = (self.verb.name(), other.verb.name());
        bytes(self, &own).cmp(bytes(other, &its))
    }
}

impl PartialOrd for StepId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The bytes of an id's text, without making the text.
fn bytes<'a>(id: &'a StepId, verb: &'a str) -> impl Iterator<Item = u8> + 'a {
    let host = id.host.as_str().bytes().chain([b'/']);
    let cluster = id.scope.cluster().map(|cluster| cluster.as_str().bytes().chain([b'/']));
    host.chain(cluster.into_iter().flatten()).chain(verb.bytes())
}

impl serde::Serialize for StepId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for StepId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_printed() {
        let host = HostName::new("etcd-1").unwrap();
        let cluster = ClusterName::new("main").unwrap();
        let with_data = ["account", "account-etcd-events", "install-etcd-3.6.16"];
        let with_data = with_data.map(|text| Verb::named(text).unwrap());
        for verb in Verb::WORDS.iter().cloned().chain(with_data) {
            let id = match verb.serves_host() {
                true => StepId::for_host(&host, verb),
                false => StepId::for_member(&host, &cluster, verb),
            };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for wrong in
            ["", "etcd-1", "etcd-1/dance", "etcd-1/main/dance", "etcd-1/start", "a/b/c/start"]
        {
            assert!(wrong.parse::<StepId>().is_err(), "{wrong}");
        }
        assert!("etcd-1/main/account".parse::<StepId>().is_err());
    }

    #[test]
    fn ids_are_ordered_as_their_texts() {
        let texts = [
            "a-1/account",
            "a/account",
            "a/account-etcd-b",
            "a/b/start",
            "a/b-1/start",
            "a/start/unit",
        ];
        let mut ids: Vec<StepId> = texts.map(|text| text.parse().unwrap()).to_vec();
        let mut sorted = texts.to_vec();
        sorted.sort_unstable();
        ids.sort();
        assert_eq!(ids.iter().map(StepId::to_string).collect::<Vec<_>>(), sorted);
    }
}
