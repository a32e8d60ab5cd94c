//! Every flag of the API server that is about its storage, in Kubernetes 1.24 to 1.37, as its source has them
//! (`captured.tsv`). Later versions are taken to have the flags of the newest one here.

use inventories::KubernetesMinor;

use super::Standing::{self, NotOfEtcd, Open, Owned};
use crate::flags::value::Kind::{self, Bool, Duration, Number, Text};

/// A flag in all versions that ever had it.
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) standing: Standing,
    /// The first version with it; `None`: the oldest one that is known here has it.
    pub(super) since: Option<KubernetesMinor>,
    /// The last version with it, where a later one has dropped it.
    pub(super) until: Option<KubernetesMinor>,
}

const FILES: &str = "quorate issues the certificate and names its files";
const INT: Kind = Number { from: 0, to: i64::MAX };

pub(super) const ENTRIES: &[Entry] = &[
    flag("default-watch-cache-size", INT, NotOfEtcd),
    flag("delete-collection-workers", INT, NotOfEtcd),
    flag("enable-garbage-collector", Bool, NotOfEtcd),
    flag("encryption-provider-config", Text, NotOfEtcd),
    flag("encryption-provider-config-automatic-reload", Bool, NotOfEtcd).since(26),
    flag("etcd-cafile", Text, Owned(FILES)),
    flag("etcd-certfile", Text, Owned(FILES)),
    flag("etcd-compaction-interval", Duration, Open),
    flag("etcd-count-metric-poll-period", Duration, Open),
    flag("etcd-db-metric-poll-interval", Duration, Open),
    flag("etcd-healthcheck-timeout", Duration, Open),
    flag("etcd-keyfile", Text, Owned(FILES)),
    flag("etcd-prefix", Text, Owned("use the key `prefix`")),
    flag("etcd-readycheck-timeout", Duration, Open).since(25),
    flag("etcd-servers", Text, Owned("use the key `cluster`: its members are the servers")),
    flag(
        "etcd-servers-overrides",
        Text,
        Owned("use the key `overrides`, such as overrides = { \"/events\" = \"events\" }"),
    ),
    flag("lease-reuse-duration-seconds", INT, NotOfEtcd),
    flag("storage-backend", Text, NotOfEtcd),
    flag("storage-media-type", Text, NotOfEtcd),
    flag("watch-cache", Bool, NotOfEtcd),
    flag("watch-cache-sizes", Text, NotOfEtcd),
];

const fn flag(name: &'static str, kind: Kind, standing: Standing) -> Entry {
    Entry { name, kind, standing, since: None, until: None }
}

impl Entry {
    const fn since(self, minor: u16) -> Self {
        Self { since: Some(KubernetesMinor::new(minor)), ..self }
    }

    /// Whether a version has the flag; without one, whether any has it.
    pub(super) fn is_in(&self, version: Option<KubernetesMinor>) -> bool {
        version.is_none_or(|version| {
            self.since.is_none_or(|since| version >= since)
                && self.until.is_none_or(|until| version <= until)
        })
    }
}

/// The flag of this name, in whichever version.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const CAPTURED: &str = include_str!("captured.tsv");

    /// By version, the flags and the types of their values.
    fn captured() -> BTreeMap<KubernetesMinor, BTreeSet<(&'static str, &'static str)>> {
        let mut all = BTreeMap::<_, BTreeSet<_>>::new();
        for line in CAPTURED.lines().filter(|line| !line.starts_with('#')) {
            let [module, name, kind] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
            let minor = module.split('.').nth(1).unwrap().parse().unwrap();
            all.entry(KubernetesMinor::new(minor)).or_default().insert((name, kind));
        }
        all
    }

    fn go_type(entry: &Entry) -> &'static str {
        match entry.kind {
            Bool => "Bool",
            Duration => "Duration",
            Number { .. } if entry.name == "lease-reuse-duration-seconds" => "Int64",
            Number { .. } => "Int",
            _ if matches!(
                entry.name,
                "etcd-servers" | "etcd-servers-overrides" | "watch-cache-sizes"
            ) =>
            {
                "StringSlice"
            }
            _ => "String",
        }
    }

    #[test]
    fn the_table_is_what_the_source_of_each_version_has() {
        let captured = captured();
        assert_eq!(captured.len(), 14);
        for (version, flags) in captured {
            let here = ENTRIES.iter().filter(|entry| entry.is_in(Some(version)));
            let here: BTreeSet<_> = here.map(|entry| (entry.name, go_type(entry))).collect();
            assert_eq!(here, flags, "{version}");
        }
    }
}
