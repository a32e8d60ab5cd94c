//! What is asked of one host, as the arguments of `facts.sh`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use inventories::inventory::{Ports, Runtime};
use inventories::{AccountName, EtcdVersion, HostName};
use planner::SiteSpec;
use planner::layout::{own, parents};
use planner::spec::ClusterSpec;
use templates::layout::{
    APPLIED_FILE, DATA_ROOT, KUBEADM_KUBELET_CONFIG, KUBELET_CONFIG, KUBELET_DROP_IN, KUBELET_UNIT,
    LOCK_FILE, MANIFESTS, PkiFile, ReleaseLayout, SITE_FILE, UNITS,
};
use templates::{Bootstrap, Member};

use super::{machine, processes};

/// What is asked of one host.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The members that belong here, one a cluster.
    pub(super) members: Vec<Member>,
    /// Where it is asked from which address it would speak to: the peers that they have elsewhere, and with a firewall
    /// all members of clusters that it has to do with.
    pub(super) peers: BTreeSet<IpAddr>,
    /// The ports of its members whose clients a firewall might cut off; empty without one.
    pub(super) callers: BTreeSet<u16>,
    /// Where its members and their peers are to be found, by the inventory.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// The names by which members are to find each other.
    pub(super) names: BTreeSet<String>,
    /// Whether a member is to run as a pod, so that the kubelet matters.
    pub(super) kubelet: bool,
    /// The releases that its members may be changed to.
    pub(super) releases: BTreeSet<EtcdVersion>,
}

impl Request {
    /// The request for each host that a cluster or an API server uses.
    pub(super) fn all(spec: &SiteSpec) -> BTreeMap<HostName, Self> {
        let mut requests: BTreeMap<HostName, Self> = BTreeMap::new();
        for cluster in spec.clusters.values() {
            for (host, member) in &cluster.members {
                let request = requests.entry(host.clone()).or_insert_with(Self::empty);
                if let Bootstrap::DnsSrv(dns) = &member.bootstrap {
                    request.names.extend(cluster.members.keys().map(|host| dns.target(host)));
                }
                request.kubelet |= cluster.runtime == Runtime::StaticPod;
                request.members.push(member.member.clone());
                request.releases = spec.releases();
                let others = cluster.members.iter().filter(|(other, _)| *other != host);
                request.peers.extend(others.map(|(_, peer)| peer.member.peer_address));
                let all = cluster.members.values().map(|member| &member.member);
                request.addresses.extend(all.flat_map(Member::addresses));
                if spec.firewall.is_some() {
                    let Ports { client, peer, metrics } = member.member.ports;
                    request.callers.extend([client, peer, metrics]);
                    request.peers.extend(clients_at(cluster, host));
                }
            }
        }
        for host in spec.api_servers() {
            let request = requests.entry(host.clone()).or_insert_with(Self::empty);
            request.addresses.extend(spec.addresses_of(host));
        }
        let walled = spec.configured().filter(|_| spec.firewall.is_some());
        for (host, kubernetes) in
            walled.flat_map(|(_, one)| one.apiservers.iter().map(move |host| (host, one)))
        {
            let request = requests.entry(host.clone()).or_insert_with(Self::empty);
            let used = kubernetes.clusters().filter_map(|name| spec.clusters.get(name));
            request.peers.extend(used.flat_map(|cluster| clients_at(cluster, host)));
        }
        requests
    }

    /// What a host is asked that no cluster uses.
    pub(super) fn empty() -> Self {
        Self {
            members: Vec::new(),
            peers: BTreeSet::new(),
            callers: BTreeSet::new(),
            addresses: BTreeSet::new(),
            names: BTreeSet::new(),
            kubelet: false,
            releases: BTreeSet::new(),
        }
    }

    /// The accounts that the members run as.
    pub(super) fn accounts(&self) -> BTreeSet<AccountName> {
        self.members.iter().map(|member| member.account.clone()).collect()
    }

    /// The words that the script reads. All of them are made of names, numbers and our own paths:
    /// the script relies on that no value holds a blank.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut words = vec![
            "format=1".to_owned(),
            format!("text={SITE_FILE}"),
            format!("text={APPLIED_FILE}"),
            format!("text={LOCK_FILE}"),
            format!("records={},{DATA_ROOT},{UNITS}", records_root()),
            format!("boot={UNITS},{KUBELET_UNIT},{KUBEADM_KUBELET_CONFIG},{MANIFESTS}"),
            format!("releases={}", ReleaseLayout::ROOT),
            format!("room={}", ReleaseLayout::ROOT),
        ];
        words.extend(self.accounts().iter().map(|name| format!("account={name}")));
        if self.kubelet {
            words.push(format!("kubelet={KUBELET_UNIT}"));
            words.extend([KUBELET_DROP_IN, KUBELET_CONFIG].map(|path| format!("text={path}")));
        }
        for version in &self.releases {
            words.push(format!("release={version}"));
            words.push(format!("text={}", ReleaseLayout::new(*version).manifest()));
        }
        for member in &self.members {
            words.extend(files_of(member));
            words.push(format!("room={}", member.layout().data_dir()));
            words.push(format!("member={}", member_word(member)));
        }
        words.extend(self.peers.iter().map(|peer| format!("route={peer}")));
        words.extend(self.callers.iter().map(|port| format!("callers={port}")));
        let more = self.addresses.difference(&self.peers);
        words.extend(more.map(|address| format!("address={address}")));
        words.extend(self.names.iter().map(|name| format!("name={name}")));
        words.extend(processes::NAMES.iter().map(|name| format!("process={name}")));
        words.extend(machine::tools().map(|tool| format!("tool={tool}")));
        words
    }
}

/// Where the members on other hosts are found by clients.
fn clients_at<'a>(
    cluster: &'a ClusterSpec,
    host: &'a HostName,
) -> impl Iterator<Item = IpAddr> + 'a {
    let others = cluster.members.iter().filter(move |(other, _)| *other != host);
    others.map(|(_, member)| member.member.client_address)
}

/// Where quorate keeps its records: the directory that the site's file is in.
fn records_root() -> &'static str {
    SITE_FILE.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// What is asked about a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum About {
    /// Its owner and mode.
    Directory,
    /// The same of one above a member's own, and who may enter it by a list of its own.
    Above,
    /// Where it leads.
    Link,
    /// Its digest too, but never its content.
    Secret,
    /// Its content too.
    Text,
}

impl About {
    /// The key of the script's word.
    fn key(self) -> &'static str {
        match self {
            About::Directory => "directory",
            About::Above => "above",
            About::Link => "link",
            About::Secret => "secret",
            About::Text => "text",
        }
    }
}

fn files_of(member: &Member) -> Vec<String> {
    let layout = &member.layout();
    let more = [
        (About::Directory, layout.wal_dir()),
        (About::Directory, layout.quorum_witness()),
        (About::Link, layout.pki_current()),
        (About::Text, layout.restart_due()),
        (About::Text, layout.proof_due()),
        (About::Text, layout.restore_record()),
    ];
    let all = facts(member).into_iter().chain(more);
    all.map(|(about, path)| format!("{}={path}", about.key())).collect()
}

/// The paths that are facts of a member as they are. One list for the question and for reading the answer: a
/// file that is asked for and not read looks absent to the planner.
pub(super) fn facts(member: &Member) -> Vec<(About, String)> {
    let layout = &member.layout();
    let texts = [
        layout.pki_manifest(),
        layout.pki_untried(),
        layout.unit_file(),
        layout.pod_manifest(),
        layout.marker(),
        layout.token_file(),
        layout.discovery_ca(),
        layout.discovery_note(),
    ];
    let mut all: Vec<_> = own(layout).into_iter().map(|path| (About::Directory, path)).collect();
    all.extend(parents(member).into_iter().map(|path| (About::Above, path)));
    all.extend(texts.map(|path| (About::Text, path)));
    all.push((About::Secret, layout.discovery_password()));
    all.extend(PkiFile::ALL.map(|file| (about(file), layout.pki_file(file))));
    all
}

/// A key is hashed and never shown.
fn about(file: PkiFile) -> About {
    match file {
        PkiFile::ServerKey | PkiFile::PeerKey | PkiFile::HealthcheckKey => About::Secret,
        PkiFile::ClientCa
        | PkiFile::PeerCa
        | PkiFile::ServerCert
        | PkiFile::PeerCert
        | PkiFile::HealthcheckCert => About::Text,
    }
}

/// The fields of a member, in the order in which the script takes them.
fn member_word(member: &Member) -> String {
    let layout = member.layout();
    let Ports { client, peer, metrics } = member.ports;
    [
        member.cluster.to_string(),
        layout.unit_name(),
        layout.data_dir(),
        layout.wal_dir(),
        layout.marker(),
        layout.quorum_witness(),
        member.loopback_client_url().to_string(),
        ReleaseLayout::new(member.version).etcdctl(),
        layout.pki_file(PkiFile::ClientCa),
        layout.pki_file(PkiFile::HealthcheckCert),
        layout.pki_file(PkiFile::HealthcheckKey),
        layout.config_dir(),
        layout.drop_in_dir(),
        client.to_string(),
        peer.to_string(),
        metrics.to_string(),
    ]
    .join(",")
}
