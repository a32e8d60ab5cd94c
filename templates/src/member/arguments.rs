//! The argument list of a member: what etcd reads, in an order that a person can read.
//!
//! Everything is on the command line and nothing in the environment: etcd only warns of an unknown
//! variable but refuses an unknown flag, and audit tools read argv.

use std::collections::BTreeMap;
use std::fmt::Display;

use inventories::inventory::FlagValue;
use inventories::{EtcdVersion, HostName, Minor};

use super::{Bootstrap, Formation, Member};
use crate::flags::{self, gates, renames::Setting, renames::settings};
use crate::layout::PkiFile;
use crate::token::PLACEHOLDER;
use crate::url::PeerUrl;

impl Member {
    /// The arguments of `etcd`, without the program: identity, listeners, what is advertised, TLS,
    /// the cluster, then settings by name.
    ///
    /// The token of a bootstrap stands as [`PLACEHOLDER`].
    pub fn arguments(&self) -> Vec<String> {
        [
            self.identity(),
            self.listeners(),
            self.advertised(),
            self.tls(),
            self.cluster_formation(),
            self.settings().into_iter().collect(),
        ]
        .into_iter()
        .flatten()
        .map(|(flag, value)| format!("--{flag}={value}"))
        .collect()
    }

    fn identity(&self) -> Vec<(String, String)> {
        vec![
            argument("name", &self.name),
            // CIS 1.1.12 finds the data directory here.
            argument("data-dir", &self.layout().data_dir()),
        ]
    }

    fn listeners(&self) -> Vec<(String, String)> {
        vec![
            argument("listen-peer-urls", &self.peer_listen_url()),
            argument(
                "listen-client-urls",
                &format!("{},{}", self.client_listen_url(), self.loopback_client_url()),
            ),
            argument("listen-metrics-urls", &self.metrics_listen_urls()),
        ]
    }

    fn metrics_listen_urls(&self) -> String {
        let urls = self.metrics_listeners().map(|socket| format!("http://{socket}"));
        urls.collect::<Vec<_>>().join(",")
    }

    fn advertised(&self) -> Vec<(String, String)> {
        vec![
            argument("initial-advertise-peer-urls", &self.peer_url()),
            argument("advertise-client-urls", &self.client_url()),
        ]
    }

    fn tls(&self) -> Vec<(String, String)> {
        let layout = self.layout();
        let file = |flag, file| argument(flag, &layout.pki_file(file));
        vec![
            file("cert-file", PkiFile::ServerCert),
            file("key-file", PkiFile::ServerKey),
            argument("client-cert-auth", &true),
            file("trusted-ca-file", PkiFile::ClientCa),
            file("peer-cert-file", PkiFile::PeerCert),
            file("peer-key-file", PkiFile::PeerKey),
            argument("peer-client-cert-auth", &true),
            file("peer-trusted-ca-file", PkiFile::PeerCa),
        ]
    }

    fn cluster_formation(&self) -> Vec<(String, String)> {
        match &self.formation {
            Formation::New { bootstrap, initial_cluster } => {
                let found = match bootstrap {
                    Bootstrap::Static => vec![listed(initial_cluster)],
                    Bootstrap::DnsSrv(dns) => {
                        let name = dns.service_name.iter();
                        let name = name.map(|name| argument("discovery-srv-name", name));
                        std::iter::once(argument("discovery-srv", &dns.domain))
                            .chain(name)
                            .collect()
                    }
                    Bootstrap::V3(service) => service.arguments(&self.layout()),
                    Bootstrap::V2(service) => service.arguments(self.version),
                };
                let state = argument("initial-cluster-state", &"new");
                // A discovery service has a token of its own, and etcd reads none beside it: then it
                // only tells which bootstrap a process belongs to.
                let token = argument("initial-cluster-token", &PLACEHOLDER);
                [vec![state], found, vec![token]].concat()
            }
            Formation::Joining { initial_cluster } => {
                vec![argument("initial-cluster-state", &"existing"), listed(initial_cluster)]
            }
            // With a write-ahead log etcd reads neither. Without one it has lost its memory: then it
            // looks for the cluster among the other members that are listed here, and where there are
            // none it ends. So no runtime, and no operator by mistake, starts it on an empty disk.
            Formation::Existing { .. } => {
                let alone = format!("{}={}", self.name, self.peer_url());
                vec![
                    argument("initial-cluster-state", &"existing"),
                    argument("initial-cluster", &alone),
                ]
            }
        }
    }

    /// The operator's flags, and quorate's defaults where the operator says nothing.
    fn settings(&self) -> BTreeMap<String, String> {
        let flags = flags::translated(self.version, &self.flags).flags;
        let mut arguments: BTreeMap<String, String> =
            flags.iter().map(|(flag, value)| (flag.clone(), value.to_string())).collect();
        for (flag, value) in defaults(self.version) {
            if flags::has(self.version, flag) && !self.operator_sets(Setting::Flag(flag)) {
                arguments.insert(flag.to_owned(), value.to_owned());
            }
        }
        if let Some(gates) = self.gates(flags.get(gates::FLAG)) {
            arguments.insert(gates::FLAG.to_owned(), gates);
        }
        arguments
    }

    /// Feature gates are one flag, so quorate's are merged into the operator's.
    fn gates(&self, set: Option<&FlagValue>) -> Option<String> {
        if self.version.minor() < gates::SINCE {
            return None;
        }
        let mut gates = match set {
            Some(FlagValue::Text(text)) => gates::parse(text),
            Some(FlagValue::Bool(_) | FlagValue::Int(_)) | None => BTreeMap::new(),
        };
        for gate in DEFAULT_GATES {
            if !self.operator_sets(Setting::Gate(gate)) {
                gates.insert(gate, "true");
            }
        }
        let gates: Vec<String> =
            gates.into_iter().map(|(gate, value)| format!("{gate}={value}")).collect();
        (!gates.is_empty()).then(|| gates.join(","))
    }

    fn operator_sets(&self, setting: Setting<'_>) -> bool {
        // A default goes by the name that its version has, a setting by its latest name.
        let wanted = match setting {
            Setting::Flag(flag) => settings(flag, &FlagValue::Bool(true)),
            Setting::Gate(_) => [setting].into(),
        };
        self.flags.iter().any(|(flag, value)| !settings(flag, value).is_disjoint(&wanted))
    }
}

/// The list of members that etcd looks for the cluster by.
fn listed(members: &BTreeMap<HostName, PeerUrl>) -> (String, String) {
    let members: Vec<String> = members.iter().map(|(name, url)| format!("{name}={url}")).collect();
    argument("initial-cluster", &members.join(","))
}

pub(super) fn argument(flag: &str, value: &dyn Display) -> (String, String) {
    (flag.to_owned(), value.to_string())
}

/// What quorate sets unless the operator does, where the very version has it.
///
/// Corruption is looked for at every start and, from 3.5.5, at every compaction: since 3.5.0–3.5.2
/// lost data silently, etcd's own advice. Defaults that suit are left to etcd: API servers compact,
/// and 3.6 chose a better snapshot count.
fn defaults(version: EtcdVersion) -> Vec<(&'static str, &'static str)> {
    const TLS: (&str, &str) = ("tls-min-version", "TLS1.2");
    const AT_START: (&str, &str) = ("experimental-initial-corrupt-check", "true");
    const AT_COMPACTION: (&str, &str) = ("experimental-compact-hash-check-enabled", "true");
    match version.minor() {
        // The other logger is gone from 3.5, and a member that comes back should not depose the
        // leader: both are the defaults from 3.5.
        Minor::V3_4 => vec![TLS, AT_START, ("logger", "zap"), ("pre-vote", "true")],
        Minor::V3_5 => vec![TLS, AT_START, AT_COMPACTION],
        Minor::V3_6 | Minor::V3_7 => vec![TLS],
    }
}

/// The same checks from 3.6, where they are feature gates.
const DEFAULT_GATES: [&str; 2] = ["CompactHashCheck", "InitialCorruptCheck"];

#[cfg(test)]
mod tests;
