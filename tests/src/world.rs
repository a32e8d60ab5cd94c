//! The state of the simulated hosts, and the rules that hold between them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use inventories::{AccountName, ClusterName, EtcdVersion, HostName, Minor, SiteName};
use pki::CertificateAuthority;
use planner::facts::{Marker, RestoreRecord};
use templates::BootstrapToken;
use templates::layout::PkiFile;
use time::OffsetDateTime;

use crate::api_server::SimApiServer;
use crate::database::Database;
use crate::invariants::{self, Broken};
pub use crate::log::Log;
use crate::places::advertised;
use crate::registry::{self, Registry};
use crate::roster::Listed;
use crate::shared::Shared;
use crate::zone::Zone;

/// The revision of the data of a cluster that was never restored.
pub const REVISION: u64 = 4_000;

/// All hosts, and what is remembered about the clusters that ever had a quorum on them.
#[derive(Debug, Clone)]
pub struct World {
    /// The operator's clock.
    pub now: OffsetDateTime,
    /// Hosts by name.
    pub hosts: BTreeMap<HostName, Shared<SimHost>>,
    /// The CAs beside the inventory, by cluster.
    pub authorities: Arc<BTreeMap<ClusterName, AuthorityPair>>,
    /// The id of the one cluster of each name that ever had a quorum.
    pub formed: BTreeMap<ClusterName, String>,
    /// The leader of each cluster that has a quorum.
    pub leaders: BTreeMap<ClusterName, HostName>,
    /// Members that were in a quorum once, by cluster id and member id: the others keep what they published, which is
    /// where clients find them.
    pub published: BTreeMap<(String, String), String>,
    /// The member list of each cluster that ever had a quorum, by cluster id.
    pub lists: BTreeMap<String, Vec<Listed>>,
    /// Whether the step that runs is killed between its record and what the record says.
    pub cut: bool,
    /// Hosts that never come back.
    pub gone: BTreeSet<HostName>,
    /// The revision of each cluster's data, by cluster id, where it is not [`REVISION`].
    pub revisions: BTreeMap<String, u64>,
    /// The cluster version of each cluster that ever had all its members running, by cluster id.
    pub versions: BTreeMap<String, Minor>,
    /// The minor that a cluster is being downgraded to, by cluster id, until all its members are there.
    pub downgrades: BTreeMap<String, Minor>,
    /// How many members were ever added to a list: no two get one id.
    pub added: u64,
    /// Where the members are that raised the alarm that the space is used up.
    pub full: BTreeMap<ClusterName, BTreeSet<HostName>>,
    /// The ids of members that raised the alarm that their data is not what the others have.
    pub corrupt: BTreeMap<ClusterName, BTreeSet<String>>,
    /// What DNS says, on every host.
    pub zone: Zone,
    /// What discovery services keep.
    pub registry: Registry,
    /// What kubeadm has on record of Kubernetes prod: its `ClusterConfiguration`.
    pub kubeadm: Option<String>,
    /// Whether what is issued from now on is broken.
    pub issues_broken: bool,
    /// Certificates that were issued: the same request gives the same ones, which no rule minds.
    pub issued: Arc<Mutex<BTreeMap<String, BTreeMap<PkiFile, String>>>>,
    /// What was done, for the story of a failure.
    pub story: Vec<String>,
}

/// The two CAs of a cluster.
#[derive(Debug)]
pub struct AuthorityPair {
    /// Signs peers.
    pub peer: CertificateAuthority,
    /// Signs servers and clients.
    pub client: CertificateAuthority,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimHost {
    /// Whether it is switched on.
    pub on: bool,
    /// Whether SSH gets through.
    pub reachable: bool,
    /// Its addresses, where they are not simply what the inventory says.
    pub addresses: Option<BTreeSet<IpAddr>>,
    /// Whether it answers too late: a step's effect happens and nobody hears of it in time, and its
    /// members count for raft but leave every question without an answer.
    pub slow: bool,
    /// The site that marked it.
    pub site: Option<SiteName>,
    /// The numbers of the accounts that are there.
    pub accounts: BTreeMap<AccountName, u32>,
    /// Whether its kubelet runs.
    pub kubelet: bool,
    /// Whether its container runtime gets the images that it lacks.
    pub images: bool,
    /// What quorate had it stand alone by: its drop-in and its configuration.
    pub standalone: Option<(String, String)>,
    /// Bytes that are free for a copy of a database.
    pub room: u64,
    /// Installed releases, with the digest of their archive.
    pub releases: BTreeMap<EtcdVersion, String>,
    /// The API server, where one is a static pod here.
    pub api_server: Option<SimApiServer>,
    /// What is there of each cluster.
    pub members: BTreeMap<ClusterName, SimMember>,
}

impl SimHost {
    /// A new machine.
    pub fn empty() -> Self {
        Self {
            on: true,
            reachable: true,
            addresses: None,
            slow: false,
            site: None,
            accounts: BTreeMap::new(),
            kubelet: true,
            images: true,
            room: 1 << 40,
            standalone: None,
            releases: BTreeMap::new(),
            api_server: None,
            members: BTreeMap::new(),
        }
    }
}

/// What a host holds of one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimMember {
    /// Whether the directories are there.
    pub directories: bool,
    /// Whose they are, and all that etcd made there.
    pub owner: u32,
    /// The account that the process has.
    pub uid: u32,
    /// The certificates in use.
    pub generation: Option<Generation>,
    /// While nobody has tried those: the ones that were proven last.
    pub untried: Option<Option<Generation>>,
    /// The stored bootstrap token.
    pub token: Option<BootstrapToken>,
    /// The CA of the discovery service.
    pub discovery_ca: Option<String>,
    /// Whether the password for it is there.
    pub discovery_password: bool,
    /// What was noted of the record that was made from here.
    pub discovery_note: Option<String>,
    /// The unit's file.
    pub unit: Option<String>,
    /// The text that systemd has in memory, and whether it starts at boot.
    pub loaded: Option<(String, bool)>,
    /// Drop-ins that somebody else wrote.
    pub drop_ins: Vec<String>,
    /// Drop-ins that a generator writes again whenever systemd reads its units.
    pub generated: Vec<String>,
    /// The manifest in the kubelet's folder.
    pub manifest: Option<String>,
    /// The text of the unit or pod that the running process was started from.
    pub process: Option<String>,
    /// The drop-ins that the running process was started under.
    pub under: Vec<String>,
    /// What ends each process of its unit soon after its start, so that systemd starts it again and again.
    pub loops: Option<Loops>,
    /// Whether systemd has started it again, and it was not ready since.
    pub restarted: bool,
    /// Whether the running process was noted as due for a restart.
    pub restart_due: bool,
    /// The minor to which members changed, where its host noted that the change is not proven yet.
    pub proof_due: Option<Minor>,
    /// The write-ahead log.
    pub log: Option<Log>,
    /// The oldest minor whose records are read when the log is: those before its newest snapshot are not.
    pub oldest: Option<Minor>,
    /// The logs that were set aside.
    pub archived: Vec<Log>,
    /// Whether the unit has written its witness.
    pub quorum_seen: bool,
    /// Our marker.
    pub marker: Option<Marker>,
    /// How many entries of its cluster's log it has yet to apply.
    pub behind: u64,
    /// How large its database is.
    pub database: Database,
    /// The copy of its manifest, while the manifest itself is removed.
    pub kept: Option<String>,
    /// The record of a restore that is not finished.
    pub restore: Option<RestoreRecord>,
    /// What that restore has made and not put into its place.
    pub staged: Option<Log>,
    /// Clients whose connections to it are open, by address.
    pub clients: Vec<String>,
}

/// Why a unit's process ends soon after each start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loops {
    /// Its last words.
    pub words: String,
    /// When it no longer does.
    pub until: Until,
}

/// What ends a crash loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Nothing that quorate does.
    Never,
    /// The drop-ins of the unit's own folder are gone.
    DropInsGone,
    /// Its cause is gone: the next start brings it up, no matter who starts it.
    NextStart,
}

impl SimMember {
    /// The last words of a process that is started now, where it ends at once.
    pub fn ends_with(&self) -> Option<&str> {
        let loops = self.loops.as_ref()?;
        let ends = match loops.until {
            Until::Never => true,
            Until::DropInsGone => !self.drop_ins.is_empty(),
            Until::NextStart => false,
        };
        ends.then_some(&loops.words)
    }

    /// Makes its unit's process end again and again; whether it has a unit.
    pub fn loop_until(&mut self, until: Until, words: &str) -> bool {
        if self.loaded.is_none() || self.process.as_deref().is_some_and(is_pod) {
            return false;
        }
        self.process = None;
        self.loops = Some(Loops { words: words.to_owned(), until });
        true
    }

    /// Whether its unit is about to witness a quorum that it is in.
    fn is_witnessed(&self) -> bool {
        !self.quorum_seen && self.process.as_ref().is_some_and(|text| !is_pod(text))
    }
}

/// Whether a text is that of a pod, and not of a unit.
pub fn is_pod(text: &str) -> bool {
    text.contains("kind: Pod")
}

/// A generation of certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its directory's name.
    pub name: String,
    /// The account that may read its keys.
    pub owner: u32,
    /// Content by file; a key's is its digest only, nobody reads more.
    pub files: BTreeMap<PkiFile, String>,
    /// Whether no handshake comes about with it, whatever it says.
    pub broken: bool,
}

impl World {
    /// Hosts with nothing on them.
    pub fn of_hosts(
        hosts: impl IntoIterator<Item = HostName>,
        authorities: Arc<BTreeMap<ClusterName, AuthorityPair>>,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            now,
            hosts: hosts.into_iter().map(|name| (name, Shared::new(SimHost::empty()))).collect(),
            authorities,
            formed: BTreeMap::new(),
            published: BTreeMap::new(),
            lists: BTreeMap::new(),
            cut: false,
            gone: BTreeSet::new(),
            revisions: BTreeMap::new(),
            versions: BTreeMap::new(),
            downgrades: BTreeMap::new(),
            added: 0,
            full: BTreeMap::new(),
            corrupt: BTreeMap::new(),
            zone: Zone::default(),
            registry: Registry::default(),
            kubeadm: None,
            issues_broken: false,
            leaders: BTreeMap::new(),
            issued: Arc::default(),
            story: Vec::new(),
        }
    }

    /// Lets time pass: members that reach each other elect a leader, and systemd witnesses it.
    ///
    /// # Panics
    /// On what [`World::elect`] refuses.
    pub fn settle(&mut self) {
        self.elect().unwrap_or_else(|broken| panic!("{broken}\n{}", self.story.join("\n")));
    }

    /// Lets time pass, or says that two clusters of one name both have a quorum (I6): the disaster
    /// that tokens are there to prevent.
    pub fn elect(&mut self) -> Result<(), Broken> {
        self.meet();
        let voting = self.voting();
        let quorate = self.quorate();
        self.enlist(&quorate, &voting);
        self.leaders.retain(|cluster, leader| {
            quorate.iter().any(|key| key.0 == *cluster && voting[key].contains(leader))
        });
        for key in &quorate {
            let first = voting[key].first().cloned();
            if let (None, Some(first)) = (self.leaders.get(&key.0), first) {
                self.leaders.insert(key.0.clone(), first);
            }
        }
        let running = self.running();
        self.agree(&quorate, &running);
        for key in quorate {
            invariants::one_cluster(self, &key)?;
            let (cluster, id) = &key;
            let first = self.formed.insert(cluster.clone(), id.clone());
            if let Some(first) = first.filter(|first| first != id) {
                invariants::restore::revisions_go_up(self, cluster, (&first, id))?;
            }
            for name in &running[&key] {
                let log = self.hosts[name].members[cluster].log.as_ref();
                let member = log.map(|log| (id.clone(), log.member_id()));
                let process = self.hosts[name].members[cluster].process.as_deref();
                let url = advertised(process.unwrap_or_default()).unwrap_or_default().to_owned();
                self.published.extend(member.map(|member| (member, url)));
                let Some(host) = self.hosts.get_mut(name) else { continue };
                // A pod has no such witness.
                let is_news = |member: &SimMember| member.is_witnessed() || member.restarted;
                if host.members.get(cluster).is_some_and(is_news)
                    && let Some(member) = host.members.get_mut(cluster)
                {
                    member.quorum_seen |= member.is_witnessed();
                    // It is ready, and systemd forgets nothing of what it counted; its process is left alone.
                    member.restarted = false;
                }
            }
        }
        Ok(())
    }

    /// Members that wait at a discovery service find each other once all of them are registered.
    fn meet(&mut self) {
        for host in self.hosts.values_mut() {
            let waits = |member: &SimMember| member.process.is_some() && member.log.is_none();
            if !host.members.values().any(waits) {
                continue;
            }
            for member in host.members.values_mut().filter(|member| waits(member)) {
                let text = member.process.as_deref().unwrap_or_default();
                member.log = registry::found(text, &self.registry);
            }
        }
    }

    /// A digest of everything that an apply is responsible for. Random values are masked.
    pub fn digest(&self) -> BTreeMap<String, String> {
        let mut digest = BTreeMap::new();
        digest.insert("full".to_owned(), format!("{:?}", self.full));
        digest.insert("corrupt".to_owned(), format!("{}", self.corrupt.len()));
        digest.insert("records of discovery".to_owned(), self.registry.left().to_string());
        for (name, host) in &self.hosts {
            digest.insert(format!("{name}/site"), format!("{:?}", host.site));
            let accounts = host.accounts.keys().collect::<Vec<_>>();
            digest.insert(format!("{name}/accounts"), format!("{accounts:?}"));
            digest.insert(format!("{name}/kubelet"), format!("{:?}", host.standalone));
            digest.insert(format!("{name}/releases"), format!("{:?}", host.releases));
            let api_server = host.api_server.as_ref();
            let api_server = api_server.map(|it| (&it.manifest, &it.process, it.files.len()));
            digest.insert(format!("{name}/API server"), format!("{api_server:?}"));
            for (cluster, member) in &host.members {
                let mut put = |what: &str, value: String| {
                    digest.insert(format!("{name}/{cluster}/{what}"), value);
                };
                let owner = host.accounts.iter().find(|(_, number)| **number == member.owner);
                let owner = owner.map(|(name, _)| name);
                put("directories", format!("{} of {owner:?}", member.directories));
                put(
                    "certificates",
                    format!("{:?}", member.generation.as_ref().map(|g| g.files.len())),
                );
                put("token", member.token.is_some().to_string());
                let discovery = (
                    &member.discovery_ca,
                    member.discovery_password,
                    member.discovery_note.is_some(),
                );
                put("discovery", format!("{discovery:?}"));
                put("unit", format!("{:?}", member.unit));
                put("manifest", format!("{:?}", member.manifest));
                put("enabled", format!("{:?}", member.loaded.as_ref().map(|(_, enabled)| enabled)));
                put("running", member.process.is_some().to_string());
                put(
                    "log",
                    member.log.as_ref().map_or(String::new(), |log| log.initial_cluster.clone()),
                );
                // The list that the member is in, without the ids, which are random.
                let list = member.log.as_ref().and_then(|log| self.lists.get(&log.cluster_id()));
                let rows = list.into_iter().flatten();
                let rows: Vec<_> =
                    rows.map(|row| (&row.name, &row.peer_url, row.learner)).collect();
                put("listed", format!("{rows:?}"));
                put("kept", format!("{:?}", member.kept));
                put("marked", member.marker.is_some().to_string());
                put("restore", format!("{:?}", member.restore.as_ref().map(|it| it.phase)));
                put("staged", member.staged.is_some().to_string());
            }
        }
        digest
    }
}
