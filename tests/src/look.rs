//! What observing the simulated world gives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use inventories::inventory::{Arch, Runtime};
use inventories::{AccountName, HostName};
use pki::{CertFacts, Sha256Digest};
use planner::facts::{
    Account, Clock, DataDirectory, DataOrigin, DiskTime, DropIn, EtcdFacts, EtcdProcess, FileFacts,
    HostFacts, InstalledRelease, KubeletFacts, ListedMember, Listener, Machine, MemberFacts, Names,
    Observed, PodProcess, Reach, RoundTrip, SiteFacts, UnitFacts,
};
use planner::layout::directories;
use planner::spec::{ClusterSpec, MemberSpec};
use planner::{MANIFEST_ATTRIBUTES, SiteSpec, attributes};
use templates::layout::{MANIFESTS, PkiFile, ReleaseLayout};
use templates::pod::Ids;
use templates::{Layout, head};

use crate::places::listens_for_peers;
use crate::roster::Listed;
use crate::world::{Generation, Log, SimHost, SimMember, World, is_pod};

/// The account etcd on every host.
pub const IDS: Ids = Ids { user: 998, group: 997 };

/// How many entries every log has.
const LOG: u64 = 1 << 20;

/// The numbers of an account etcd that has this one.
pub fn ids(user: u32) -> Ids {
    Ids { user, ..IDS }
}

/// Between hosts of one machine room.
const NEAR: RoundTrip = RoundTrip { time: Duration::from_micros(200), by: Clock::Connecting };

/// On a good disk.
const QUICK: DiskTime = DiskTime::Written { p99: Duration::from_micros(900), writes: 200 };

impl World {
    /// Looks at every host that the clusters of `spec` use.
    pub fn observe(&self, spec: &SiteSpec) -> SiteFacts {
        let names = spec.hosts();
        let look = |name: &HostName| match self.hosts.get(name) {
            Some(host) if host.reachable => Observed::Known(self.host_facts(name, host, spec)),
            Some(_) => Observed::Unknown("connect: timed out".to_owned()),
            None => panic!("the world has no host {name}"),
        };
        let hosts = names.into_iter().map(|name| (name.clone(), look(name))).collect();
        let traces = |name: &HostName| match self.hosts.get(name) {
            Some(host) if host.reachable => Observed::Known(traces(host)),
            Some(_) => Observed::Unknown("connect: timed out".to_owned()),
            None => panic!("the world has no host {name}"),
        };
        let bystanders = spec.bystanders.iter().map(|name| (name.clone(), traces(name))).collect();
        let misled = BTreeMap::new();
        let mut seen = SiteFacts { observed_at: self.now, hosts, misled, bystanders };
        if let Some(leaving) = seen.leaving(spec) {
            let look = |name: &HostName| match &self.hosts[name] {
                host if host.reachable => Observed::Known(self.host_facts(name, host, &leaving)),
                _ => Observed::Unknown("connect: timed out".to_owned()),
            };
            let hosts = leaving.hosts().into_iter();
            seen.add_leaving(hosts.map(|name| (name.clone(), look(name))).collect());
        }
        seen
    }

    fn host_facts(&self, name: &HostName, host: &SimHost, spec: &SiteSpec) -> HostFacts {
        let mine: Vec<(&ClusterSpec, &MemberSpec)> = spec
            .clusters
            .values()
            .filter_map(|cluster| Some((cluster, cluster.members.get(name)?)))
            .collect();
        let asked =
            |cluster: &ClusterSpec| (cluster.name.clone(), self.member_facts(name, cluster));
        let pid = |index: usize| 1000 + u32::try_from(index).unwrap_or_default();
        let running = || {
            let up = |member: &SimMember| member.process.is_some();
            mine.iter()
                .enumerate()
                .filter(move |(_, (cluster, _))| host.members.get(&cluster.name).is_some_and(up))
        };
        let listeners = running().flat_map(|(index, (_, member))| {
            [member.member.client_listen_url().socket(), member.member.peer_listen_url().socket()]
                .map(|at| Listener {
                    address: at.ip(),
                    port: at.port(),
                    process: "etcd".to_owned(),
                    pid: Some(pid(index)),
                })
        });
        let in_pod = |cluster: &ClusterSpec| {
            let process = host.members.get(&cluster.name).and_then(|m| m.process.as_deref());
            process.is_some_and(is_pod)
        };
        let processes = running().map(|(index, (cluster, _))| EtcdProcess {
            pid: pid(index),
            unit: (!in_pod(cluster)).then(|| Layout::new(&cluster.name).unit_name()),
        });
        let peers: BTreeSet<SocketAddr> = mine
            .iter()
            .flat_map(|(cluster, _)| cluster.members.values())
            .map(|member| member.member.peer_url().socket())
            .collect();
        // A plan times nothing in a formed cluster.
        let forming = || {
            let clusters = mine.iter().map(|(cluster, _)| *cluster);
            clusters.filter(|cluster| !self.formed.contains_key(&cluster.name))
        };
        let near = |cluster: &ClusterSpec| {
            let others = cluster.members.iter().filter(|(other, _)| *other != name);
            let times = others.map(|(_, peer)| (peer.member.peer_url().socket(), NEAR));
            times.collect::<Vec<_>>()
        };
        let mut clusters: BTreeMap<_, _> = mine.iter().map(|(cluster, _)| asked(cluster)).collect();
        for (index, (cluster, _)) in running() {
            match clusters.get_mut(&cluster.name) {
                Some(MemberFacts { pod: Observed::Known(pod), .. }) => pod.pid = pid(index),
                Some(MemberFacts { unit: Observed::Known(unit), .. }) => unit.main_pid = pid(index),
                _ => {}
            }
        }
        HostFacts {
            machine: machine(name),
            accounts: mine
                .iter()
                .map(|(_, member)| account(host, &member.member.account))
                .collect(),
            site: present(host.site.clone()),
            listeners: Observed::Known(listeners.collect()),
            etcd_processes: processes.collect(),
            etcd_at_boot: BTreeSet::new(),
            heavy_services: BTreeSet::new(),
            kubelet: if mine.iter().any(|(cluster, _)| cluster.runtime == Runtime::StaticPod) {
                Observed::Known(kubelet(host))
            } else {
                Observed::Absent
            },
            apiserver: (spec.api_servers().any(|host| host == name))
                .then(|| self.api_server_facts(name)),
            releases: spec
                .releases()
                .into_iter()
                .map(|version| (version, release(host.releases.get(&version))))
                .collect(),
            passed: BTreeMap::new(),
            entered: BTreeMap::new(),
            addresses: Observed::Known(addresses(host, &mine)),
            sources: self.sources(name, spec),
            callers: self.callers(name, spec),
            reach: peers.iter().map(|at| (*at, Reach::Refused)).collect(),
            round_trips: forming().flat_map(near).collect(),
            disks: forming().map(|cluster| (cluster.name.clone(), QUICK)).collect(),
            names: forming()
                .fold(Names::default(), |names, cluster| self.zone.names(names, cluster)),
            clusters,
            applied: Observed::Absent,
            holder: None,
            other_clusters: traces(host)
                .into_iter()
                .filter(|name| mine.iter().all(|(spec, _)| spec.name.as_str() != name))
                .collect(),
        }
    }

    fn member_facts(&self, host: &HostName, spec: &ClusterSpec) -> MemberFacts {
        let empty = SimMember::default();
        let member = self.hosts[host].members.get(&spec.name).unwrap_or(&empty);
        let host_accounts = &self.hosts[host].accounts;
        let account = &spec.members[host].member.account;
        let owned = |number| owner(number, host_accounts);
        MemberFacts {
            cluster: spec.name.clone(),
            marker: present(member.marker.clone()),
            quorum_seen: member.quorum_seen,
            token: present(member.token.clone()),
            restore: present(member.restore.clone()),
            files: files(&Layout::new(&spec.name), member, (account, host_accounts)),
            pki_generation: present(member.generation.as_ref().map(|g| g.name.clone())),
            data: present(member.directories.then(|| {
                DataDirectory {
                    restored: member.staged.is_some(),
                    mode: 0o700,
                    owner: owned(member.owner),
                    group: owned(member.owner),
                    empty: member.log.is_none(),
                    wal: member.log.is_some(),
                    owners: (member.log.iter())
                        .map(|_| [owned(member.owner), owned(member.owner)].join(":"))
                        .collect(),
                    origin: member.log.as_ref().map(origin).unwrap_or_default(),
                    archives: member.archived.iter().map(archive).collect(),
                }
            })),
            unit: present(member.loaded.as_ref().map(|(loaded, enabled)| UnitFacts {
                active: self.unit_state(host, spec).to_owned(),
                sub: sub_state(self.unit_state(host, spec), member).to_owned(),
                enabled: *enabled,
                needs_reload: member.unit.as_ref() != Some(loaded),
                main_pid: 0,
                invocation: String::new(),
                restarts: if is_looping(member) || member.restarted { 12 } else { 0 },
                running_for: None,
            })),
            drop_ins: Observed::Known(
                member.drop_ins.iter().chain(&member.generated).map(|path| drop_in(path)).collect(),
            ),
            folder_replaced: false,
            pod: present(member.process.as_deref().filter(|text| is_pod(text)).map(|text| {
                PodProcess {
                    pid: 0,
                    manifest: identity(text).unwrap_or_default(),
                    settings: BTreeSet::new(),
                }
            })),
            restart_due: member.restart_due && member.process.is_some(),
            proof_due: member.proof_due.map_or(Observed::Absent, Observed::Known),
            running: present(member.process.as_ref().map(|text| arguments(text))),
            runs_as: present(member.process.as_ref().map(|_| member.uid)),
            etcd: self.etcd_facts(host, spec, member),
            last_words: member.loops.as_ref().map(|loops| loops.words.clone()),
        }
    }

    fn unit_state(&self, host: &HostName, spec: &ClusterSpec) -> &'static str {
        let member = &self.hosts[host].members[&spec.name];
        match (&member.process, &member.log) {
            (None, _) if is_looping(member) => "activating",
            (None, _) => "inactive",
            (Some(text), _) if is_pod(text) => "inactive",
            (Some(_), Some(log))
                if self.quorate().contains(&(spec.name.clone(), log.cluster_id())) =>
            {
                "active"
            }
            (Some(_), _) => "activating",
        }
    }

    /// Whether etcdctl accepts the certificates that a member has.
    fn lets_in(&self, member: &SimMember) -> bool {
        let Some(used) = &member.generation else { return true };
        let server = used.files.get(&PkiFile::ServerCert);
        let ends = server.and_then(|pem| CertFacts::from_pem(pem).ok()).map(|cert| cert.not_after);
        !used.broken && ends.is_none_or(|ends| ends > self.now)
    }

    fn etcd_facts(
        &self,
        host: &HostName,
        spec: &ClusterSpec,
        member: &SimMember,
    ) -> Observed<EtcdFacts> {
        if member.process.is_none() {
            return Observed::Absent;
        }
        // It does not listen before it has found the others.
        let Some(log) = &member.log else {
            return Observed::Unknown("connection refused".to_owned());
        };
        if !self.lets_in(member) {
            return Observed::Unknown("tls: failed to verify certificate".to_owned());
        }
        let key = (spec.name.clone(), log.cluster_id());
        if self.hosts[host].slow || !self.quorate().contains(&key) {
            return Observed::Unknown("context deadline exceeded".to_owned());
        }
        let nobody = BTreeSet::new();
        let running = self.running();
        if !running.get(&key).unwrap_or(&nobody).contains(host) && !self.is_removed(log) {
            return Observed::Unknown("context deadline exceeded".to_owned());
        }
        let id_of = |host: &HostName| {
            let member = self.hosts[host].members.get(&spec.name)?;
            member.log.as_ref().map(Log::member_id)
        };
        // A member publishes its client URL once it is in the quorum for the first time.
        let published = |id: &str| self.published.get(&(key.1.clone(), id.to_owned()));
        let row = |listed: Listed| {
            let Listed { id, name, peer_url, learner } = listed;
            // A member that DNS named is known by a number until it tells its name.
            let by_dns = peer_url.trim_start_matches("https://").parse::<SocketAddr>().is_err();
            ListedMember {
                name: if by_dns && published(&id).is_none() { "0".to_owned() } else { name },
                client_urls: published(&id).cloned().into_iter().collect(),
                peer_urls: vec![peer_url],
                id,
                learner,
            }
        };
        let list = self.list_of(log);
        let learner = list.iter().any(|listed| listed.id == log.member_id() && listed.learner);
        Observed::Known(EtcdFacts {
            cluster_id: log.cluster_id(),
            member_id: log.member_id(),
            leader: self.leaders.get(&spec.name).and_then(id_of),
            version: member.process.as_deref().and_then(version_in).unwrap_or_default(),
            storage: self.storage(member, &log.cluster_id()),
            downgrade: self.downgrade(member, &log.cluster_id()),
            db_size: member.database.size,
            db_in_use: member.database.in_use,
            raft_index: LOG - member.behind,
            raft_applied: LOG - member.behind,
            raft_term: 2,
            revision: self.revision(&log.cluster_id()),
            learner,
            errors: self.alarms(&spec.name),
            forbids_us: false,
            authentication: self.authentication(member),
            // A learner answers to little more than the question how it is.
            members: if learner {
                Observed::Unknown("etcdserver: rpc not supported for learner".to_owned())
            } else {
                Observed::Known(list.into_iter().map(row).collect())
            },
        })
    }
}

/// Those that the host is asked for: of the inventory, and where its processes listen.
fn addresses(host: &SimHost, mine: &[(&ClusterSpec, &MemberSpec)]) -> BTreeSet<IpAddr> {
    let wanted = mine.iter().flat_map(|(_, own)| own.member.listen_addresses());
    let Some(has) = &host.addresses else { return wanted.collect() };
    let asked = mine.iter().flat_map(|(cluster, _)| cluster.members.values());
    let asked = asked.flat_map(|member| member.member.addresses());
    let processes = host.members.values().filter_map(|member| member.process.as_deref());
    let listens = processes.filter_map(listens_for_peers).map(|at| at.ip());
    asked.chain(listens).filter(|address| has.contains(address)).collect()
}

/// From where a host speaks to another one: from its address in that network, or else from its first.
pub(crate) fn source(host: &SimHost, to: IpAddr, own: IpAddr) -> IpAddr {
    let network = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.octets()[..3].to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    };
    let has = host.addresses.iter().flatten();
    let near = has.clone().find(|address| network(address) == network(&to));
    near.or(has.clone().next()).copied().unwrap_or(own)
}

/// The clusters that are, or may be, formed here: of a pod nobody witnesses that it was in a quorum.
fn traces(host: &SimHost) -> BTreeSet<String> {
    let is_formed = |member: &SimMember| {
        let unit = member.unit.as_deref();
        let unwitnessed = member.log.is_some() && unit.is_none();
        let joins = unit.is_some_and(|text| text.contains("--initial-cluster-state=existing"));
        member.marker.is_some() || member.quorum_seen || unwitnessed || joins
    };
    let formed = host.members.iter().filter(|(_, member)| is_formed(member));
    formed.map(|(name, _)| name.to_string()).collect()
}

/// What tells where a log is from.
fn origin(log: &Log) -> DataOrigin {
    DataOrigin {
        segments: 1,
        snapshots: usize::from(log.restored || log.from_snapshot),
        database: 16_801_792,
        older_than_token: false,
        cluster_id: Some(match log.first_members().any(|(id, _, _)| id == log.member_id()) {
            true => templates::cluster_id(&log.token, &log.initial_cluster),
            // One that joined has the id of the cluster that it joined.
            false => log.cluster_id(),
        }),
    }
}

/// What was set aside, and how much room it takes.
fn archive(log: &Log) -> (String, u64) {
    (format!("20261123T030000Z-{}", log.member_id()), 80_805_888)
}

/// Whether systemd is about to start it again.
fn is_looping(member: &SimMember) -> bool {
    member.loops.is_some() && member.process.is_none()
}

fn sub_state(active: &str, member: &SimMember) -> &'static str {
    match active {
        "activating" if is_looping(member) => "auto-restart",
        "active" => "running",
        "activating" => "start",
        _ => "dead",
    }
}

fn drop_in(path: &str) -> DropIn {
    let sets = BTreeSet::from(["Environment".to_owned()]);
    DropIn { path: path.to_owned(), sets: Observed::Known(sets) }
}

fn present<T>(value: Option<T>) -> Observed<T> {
    value.map_or(Observed::Absent, Observed::Known)
}

fn machine(name: &HostName) -> Machine {
    Machine {
        arch: Ok(Arch::Amd64),
        distribution: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        systemd: Some(252),
        user_namespaces: Observed::Known(96_212),
        closed_namespaces: BTreeSet::new(),
        selinux: Observed::Absent,
        missing_tools: BTreeSet::new(),
        cores: 4,
        memory: 16_000_000_000,
        data_free: 1 << 40,
        data_systems: ["ext4".to_owned()].into(),
        release_free: 1 << 40,
        clock_skew_ms: 3,
        clock_error_ms: 5,
        boot_id: format!("boot-of-{name}"),
        machine_id: Observed::Known(format!("machine-of-{name}")),
        downloaders: BTreeSet::from(["curl".to_owned()]),
    }
}

fn release(archive: Option<&String>) -> Observed<InstalledRelease> {
    present(archive.map(|sha256| InstalledRelease {
        archive_sha256: sha256.clone(),
        damaged: BTreeSet::new(),
    }))
}

/// The name of an owner: a number that no account has, has none.
fn owner(number: u32, accounts: &BTreeMap<AccountName, u32>) -> String {
    let named = accounts.iter().find(|(_, is)| **is == number);
    named.map_or_else(|| number.to_string(), |(name, _)| name.to_string())
}

/// What is seen of an account that is asked for.
fn account(host: &SimHost, name: &AccountName) -> (AccountName, Observed<Account>) {
    let seen = host.accounts.get(name).map(|number| Account {
        login_shell: "/usr/sbin/nologin".to_owned(),
        groups: [name.to_string()].into(),
        group: name.to_string(),
        ids: ids(*number),
    });
    (name.clone(), present(seen))
}

fn files(
    layout: &Layout,
    member: &SimMember,
    (account, accounts): (&AccountName, &BTreeMap<AccountName, u32>),
) -> BTreeMap<String, Observed<FileFacts>> {
    let mut files = BTreeMap::new();
    for dir in directories(layout, account) {
        let is_root_s = dir.owner == "root";
        let facts = FileFacts {
            mode: dir.mode,
            owner: if is_root_s { dir.owner } else { owner(member.owner, accounts) },
            group: dir.group,
            sha256: String::new(),
            text: None,
        };
        files.insert(dir.path, present(member.directories.then_some(facts)));
    }
    files.insert(
        layout.unit_file(),
        present(member.unit.as_ref().map(|text| file(text, (0o644, "root", "root"), true))),
    );
    files.insert(
        layout.pod_manifest(),
        present(member.manifest.as_ref().map(|text| file(text, MANIFEST_ATTRIBUTES, true))),
    );
    let plain = (0o644, "root", "root");
    files.insert(
        layout.discovery_ca(),
        present(member.discovery_ca.as_ref().map(|text| file(text, plain, true))),
    );
    files.insert(
        layout.discovery_password(),
        present(member.discovery_password.then(|| file("", (0o600, "root", "root"), false))),
    );
    files.insert(
        layout.discovery_note(),
        present(member.discovery_note.as_ref().map(|text| file(text, plain, true))),
    );
    for pki_file in PkiFile::ALL {
        let content = member.generation.as_ref().and_then(|g| g.files.get(&pki_file));
        let public = pki_file.name().ends_with(".crt");
        let keys = member.generation.as_ref().map(|generation| owner(generation.owner, accounts));
        let (mode, whose, group) = attributes(pki_file, account);
        let whose = keys.as_deref().filter(|_| whose != "root").unwrap_or(whose);
        let facts = content.map(|text| file(text, (mode, whose, group), public));
        files.insert(layout.pki_file(pki_file), present(facts));
    }
    let proven = member.untried.as_ref().map(|old| old.as_ref().map_or("", |old| &old.name));
    files.insert(layout.pki_untried(), present(proven.map(|name| file(name, plain, true))));
    let manifest = member.generation.as_ref().map(manifest);
    let manifest = manifest.map(|text| file(&text, (0o644, "root", "root"), true));
    files.insert(layout.pki_manifest(), present(manifest));
    files
}

fn file(text: &str, (mode, owner, group): (u32, &str, &str), public: bool) -> FileFacts {
    FileFacts {
        mode,
        owner: owner.to_owned(),
        group: group.to_owned(),
        sha256: Sha256Digest::hash(text.as_bytes()).to_string(),
        text: public.then(|| text.to_owned()),
    }
}

fn manifest(generation: &Generation) -> String {
    let line = |(file, text): (&PkiFile, &String)| {
        format!("{}  {}\n", Sha256Digest::hash(text.as_bytes()), file.name())
    };
    generation.files.iter().map(line).collect()
}

/// The arguments of a unit's `ExecStart=` or a pod's `command`, for the simple values that quorate itself
/// renders.
pub fn arguments(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.trim().trim_end_matches('\\').trim())
        .map(|line| line.strip_prefix("- ").unwrap_or(line).trim_matches(['"', '\'']))
        .filter(|line| line.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// The version of the program that a unit or pod starts.
pub fn version_in(text: &str) -> Option<String> {
    match text.lines().find_map(|line| line.strip_prefix("ExecStart=")) {
        Some(command) => {
            let etcd = command.split(' ').find_map(|word| word.strip_prefix(ReleaseLayout::ROOT));
            etcd?.split('/').nth(1).map(str::to_owned)
        }
        None => head::version(text).map(str::to_owned),
    }
}

/// What a pod's process has in its environment.
pub fn identity(pod: &str) -> Option<String> {
    templates::pod::identity_in(pod).map(str::to_owned)
}

/// A kubelet of the folder that quorate writes to.
fn kubelet(host: &SimHost) -> KubeletFacts {
    let runs = host.kubelet;
    let written = |text: &String| file(text, (0o644, "root", "root"), true);
    let (drop_in, config) =
        host.standalone.as_ref().map(|(drop_in, config)| (drop_in, config)).unzip();
    KubeletFacts {
        program: Observed::Known("/usr/bin/kubelet".to_owned()),
        unit: Observed::Known(UnitFacts {
            active: if runs { "active" } else { "inactive" }.to_owned(),
            sub: if runs { "running" } else { "dead" }.to_owned(),
            enabled: true,
            needs_reload: false,
            main_pid: u32::from(runs),
            invocation: String::new(),
            restarts: 0,
            running_for: None,
        }),
        manifests: present(runs.then(|| MANIFESTS.to_owned())),
        drop_in: present(drop_in.map(written)),
        config: present(config.map(written)),
    }
}
