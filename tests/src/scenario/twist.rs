//! Circumstances that the simulated world does not model, put into what is seen of it: they decide
//! only whether a plan is made.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use inventories::HostName;
use planner::facts::{
    ALARM, AtBoot, Clock, DiskTime, EtcdFacts, EtcdProcess, HostFacts, Listener, MemberFacts,
    Namespace, Observed, Reach, RoundTrip,
};
use planner::{SiteFacts, SiteSpec};

use crate::seen::known;

/// One circumstance of one host.
#[derive(Debug, Clone)]
pub struct Twist {
    /// The host.
    pub host: HostName,
    /// The state there.
    pub what: What,
}

/// What can be so on a host.
#[derive(Debug, Clone)]
pub enum What {
    /// A process listens on every address of this port.
    Listener(u16, String),
    /// Only so many bytes are free for data.
    DataFree(u64),
    /// Only so many bytes are free for releases.
    ReleaseFree(u64),
    /// The clock is ahead of the operator's by so many milliseconds.
    Clock(i64),
    /// Processors.
    Cores(u32),
    /// Bytes of memory.
    Memory(u64),
    /// A processor that no etcd release is made for.
    Arch(String),
    /// systemd's version; `None` where it does not run the host.
    Systemd(Option<u32>),
    /// A program that is missing.
    MissingTool(String),
    /// No program that downloads.
    NoDownloader,
    /// An etcd that quorate did not start, with its unit.
    ForeignEtcd(Option<String>),
    /// The host has this address of those that were asked for, and no other.
    Has(Option<IpAddr>),
    /// Somebody else's etcd that the host starts at its next boot.
    AtBoot(AtBoot),
    /// The kernel allows no namespaces of this kind.
    NoNamespaces(Namespace),
    /// The image of the host's pods sets this variable.
    ImageSets(String),
    /// A heavy service beside etcd.
    Service(String),
    /// Connections to the other hosts leave from this address.
    Source(IpAddr),
    /// There is no route to the other hosts.
    NoRoute,
    /// The route to the other hosts could not be asked for.
    SourceUnknown,
    /// What becomes of a connection to another host's peer ports.
    Reach(HostName, Reach),
    /// What a synced write takes where the data is or will be.
    Disk(Write),
    /// How many milliseconds a packet takes to another host and back.
    Apart(HostName, u64),
    /// Nobody could tell whose the host is.
    SiteUnknown,
    /// Something that quorate did not put there is in the data directory.
    ForeignData,
    /// Nobody could look into the data directory.
    DataUnknown,
    /// The marker can't be read.
    MarkerUnknown,
    /// The member reports an alarm of this kind.
    Alarm(String),
    /// The member answers as part of a cluster with this id.
    ClusterId(String),
    /// The login leads to the machine of this host.
    Login(HostName),
    /// It leads to the machine of this host, and that one's login to this host's.
    Crossed(HostName),
    /// The machine-id is that of this host, of whose disk it is a copy.
    CopyOf(HostName),
    /// A file of the installed release is another than was installed.
    Damaged(String),
}

/// How timing a disk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// 99 of 100 take at most so many milliseconds.
    Ended(u64),
    /// The first does not end.
    Stuck,
    /// None can be made.
    Impossible,
}

impl Twist {
    /// Puts the circumstance into what was seen.
    pub fn apply(&self, spec: &SiteSpec, facts: &mut SiteFacts) {
        let other = |facts: &SiteFacts, to: &HostName| facts.hosts.get(to).cloned();
        match &self.what {
            What::Login(to) => {
                let machine = other(facts, to).map(|machine| (self.host.clone(), machine));
                facts.hosts.extend(machine);
                return;
            }
            What::Crossed(to) => {
                let pair = [(&self.host, other(facts, to)), (to, other(facts, &self.host))];
                let pair = pair.map(|(host, machine)| Some((host.clone(), machine?)));
                facts.hosts.extend(pair.into_iter().flatten());
                return;
            }
            _ => {}
        }
        let id = |host: &HostFacts| host.machine.machine_id.clone();
        let copied = match &self.what {
            What::CopyOf(of) => facts.hosts.get(of).and_then(Observed::known).map(id),
            _ => None,
        };
        let Some(Observed::Known(host)) = facts.hosts.get_mut(&self.host) else { return };
        if let Some(id) = copied {
            host.machine.machine_id = id;
        }
        match &self.what {
            What::Reach(to, reach) => reach_to(spec, host, to, *reach),
            What::Apart(to, ms) => apart(spec, host, to, Duration::from_millis(*ms)),
            what => on_host(what, host),
        }
    }
}

fn on_host(what: &What, host: &mut HostFacts) {
    let machine = &mut host.machine;
    match what {
        What::Listener(port, process) => listeners(host).push(Listener {
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            port: *port,
            process: process.clone(),
            pid: Some(77),
        }),
        What::DataFree(bytes) => machine.data_free = *bytes,
        What::ReleaseFree(bytes) => machine.release_free = *bytes,
        What::Clock(ms) => machine.clock_skew_ms = *ms,
        What::Cores(cores) => machine.cores = *cores,
        What::Memory(bytes) => machine.memory = *bytes,
        What::Arch(arch) => machine.arch = Err(arch.clone()),
        What::Systemd(version) => machine.systemd = *version,
        What::MissingTool(tool) => {
            machine.missing_tools.insert(tool.clone());
        }
        What::NoDownloader => machine.downloaders.clear(),
        What::ForeignEtcd(unit) => {
            host.etcd_processes.push(EtcdProcess { pid: 4242, unit: unit.clone() });
        }
        What::Has(address) => host.addresses = Observed::Known(address.iter().copied().collect()),
        What::NoNamespaces(kind) => {
            machine.closed_namespaces.insert(*kind);
        }
        What::AtBoot(start) => {
            host.etcd_at_boot.insert(start.clone());
        }
        What::Service(unit) => {
            host.heavy_services.insert(unit.clone());
        }
        What::Source(address) => sources(host, &Observed::Known(*address)),
        What::NoRoute => sources(host, &Observed::Absent),
        What::SourceUnknown => sources(host, &Observed::Unknown("ip: not found".to_owned())),
        What::Reach(..) | What::Apart(..) | What::Login(_) | What::Crossed(_) | What::CopyOf(_) => {
        }
        What::Disk(write) => {
            host.disks = host.clusters.keys().map(|name| (name.clone(), timed(*write))).collect();
        }
        What::SiteUnknown => host.site = Observed::Unknown(denied()),
        What::ForeignData
        | What::DataUnknown
        | What::MarkerUnknown
        | What::Alarm(_)
        | What::ImageSets(_)
        | What::ClusterId(_) => {
            host.clusters.values_mut().for_each(|member| in_member(what, member));
        }
        What::Damaged(file) => {
            for release in host.releases.values_mut() {
                if let Observed::Known(release) = release {
                    release.damaged.insert(file.clone());
                }
            }
        }
    }
}

fn in_member(what: &What, member: &mut MemberFacts) {
    match what {
        What::DataUnknown => member.data = Observed::Unknown(denied()),
        What::MarkerUnknown => member.marker = Observed::Unknown("not JSON".to_owned()),
        What::Alarm(kind) => answers(member, |etcd| {
            etcd.errors.push(format!("{ALARM}{kind} of member {}", etcd.member_id));
        }),
        What::ImageSets(name) => {
            if let Observed::Known(pod) = &mut member.pod {
                pod.settings.insert(name.clone());
            }
        }
        What::ClusterId(id) => answers(member, |etcd| etcd.cluster_id.clone_from(id)),
        _ => {
            member.data = Observed::Known(planner::facts::DataDirectory {
                mode: 0o755,
                owner: "postgres".to_owned(),
                group: "postgres".to_owned(),
                empty: false,
                wal: false,
                origin: Default::default(),
                archives: Default::default(),
                restored: false,
                owners: Default::default(),
            });
        }
    }
}

fn answers(member: &mut MemberFacts, change: impl FnOnce(&mut EtcdFacts)) {
    if let Observed::Known(etcd) = &mut member.etcd {
        change(etcd);
    }
}

fn listeners(host: &mut HostFacts) -> &mut Vec<Listener> {
    known(&mut host.listeners)
}

fn denied() -> String {
    "permission denied".to_owned()
}

fn sources(host: &mut HostFacts, source: &Observed<IpAddr>) {
    host.sources.values_mut().for_each(|seen| *seen = source.clone());
}

fn timed(write: Write) -> DiskTime {
    match write {
        Write::Ended(ms) => DiskTime::Written { p99: Duration::from_millis(ms), writes: 200 },
        Write::Stuck => DiskTime::Stuck(Duration::from_secs(15)),
        Write::Impossible => DiskTime::Unmeasured("mktemp: Read-only file system".to_owned()),
    }
}

fn apart(spec: &SiteSpec, host: &mut HostFacts, to: &HostName, time: Duration) {
    for cluster in spec.clusters.values() {
        let Some(peer) = cluster.members.get(to) else { continue };
        let round_trip = RoundTrip { time, by: Clock::Connecting };
        host.round_trips.insert(peer.member.peer_url().socket(), round_trip);
    }
}

fn reach_to(spec: &SiteSpec, host: &mut HostFacts, to: &HostName, reach: Reach) {
    for cluster in spec.clusters.values() {
        let Some(peer) = cluster.members.get(to) else { continue };
        host.reach.insert(peer.member.peer_url().socket(), reach);
    }
}
