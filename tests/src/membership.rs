//! The rules by which etcd changes its member list, by version: one cluster and its hosts as a value.
//!
//! Each call gives what etcd answers: done, or the [`Refusal`] that its error text stands for. The
//! sources of the rules are etcd's `server/etcdserver` (`server.go`, `util.go`,
//! `api/membership/cluster.go`, `bootstrap.go`), with strict reconfiguration checks on, which is the
//! default. `tests/tests/faithful/membership` replays random operations on this and on real members.
//!
//! - `changes`: add, promote, remove and update, asked of one member.
//! - `hosts`: what happens on the hosts: start, stop, a wiped disk.

mod changes;
mod hosts;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

use inventories::{EtcdVersion, Minor};

pub use hosts::{Initial, State};
pub use refusal::Refusal;

/// The peer URLs of a member.
pub type Urls = BTreeSet<String>;

/// A member. No two that were ever in the list share one: a member added again has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub u32);

/// Whether a member votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It counts for the quorum.
    Voter,
    /// It gets the log, and serves almost nothing.
    Learner,
}

/// An entry of the member list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, from when it first started. An added member has none until then.
    pub name: Option<String>,
    /// Where the others reach it.
    pub peer_urls: Urls,
    /// What the list says of it, which is what the checks before a change go by.
    pub listed: Role,
    /// What raft has it as. Not what the list says where an update made etcd forget the learner.
    pub votes: Role,
    /// Whether its log reaches to 90 % of the leader's. A promotion asks for that.
    pub caught_up: bool,
    /// The peer URLs that the cluster was formed with. Its id is made from them.
    pub founded_at: Option<Urls>,
}

/// Where a member runs, or could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The name that its etcd is started with.
    pub name: String,
    /// The peer URLs at which its etcd listens.
    pub listens: Urls,
    /// Whose data its disk holds.
    pub data: Data,
    /// Its etcd, if it runs.
    pub process: Option<Link>,
    /// Whether that one takes clients. It does from the moment it first knew a leader, even if it loses the leader later.
    pub serves: bool,
}

/// Whose data a disk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Nobody's.
    None,
    /// A member's, whether or not the list still has it.
    Of(Id),
    /// It is in a cluster of its own: it was started as `new` beside a cluster that did not know it.
    Foreign,
}

/// For how long the others have been connected to a running member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Less than five seconds (`HealthInterval`): etcd does not count it as connected yet.
    Recent,
    /// Longer.
    Settled,
}

/// One cluster, and the hosts that its members are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The version of all members.
    pub version: EtcdVersion,
    /// How many learners it may have. A flag from 3.6 on (`--max-learners`), and one before that
    /// (`maxLearners` of `api/membership/cluster.go`).
    pub max_learners: usize,
    /// The member list.
    pub members: BTreeMap<Id, Member>,
    /// The hosts, by number.
    pub hosts: Vec<Host>,
    next: u32,
}

impl Cluster {
    /// A cluster that its first `founders` hosts have just formed. Each host is a name and the peer
    /// URLs at which its etcd listens, of which the first is advertised.
    pub fn founded(version: EtcdVersion, hosts: &[(String, Vec<String>)], founders: usize) -> Self {
        let host = |(name, listens): &(String, Vec<String>)| Host {
            name: name.clone(),
            listens: listens.iter().cloned().collect(),
            data: Data::None,
            process: None,
            serves: false,
        };
        let mut cluster = Self {
            version,
            max_learners: 1,
            members: BTreeMap::new(),
            hosts: hosts.iter().map(host).collect(),
            next: 0,
        };
        for (number, (name, listens)) in hosts.iter().take(founders).enumerate() {
            let id = cluster.insert(Urls::from([listens[0].clone()]), Role::Voter);
            let member = cluster.members.entry(id);
            member.and_modify(|member| {
                member.name = Some(name.clone());
                member.founded_at = Some(member.peer_urls.clone());
            });
            cluster.hosts[number].data = Data::Of(id);
            cluster.hosts[number].process = Some(Link::Recent);
        }
        cluster.follow();
        cluster
    }

    /// The host that runs a member of the list.
    pub fn runs(&self, id: Id) -> Option<usize> {
        let host = |host: &Host| host.process.is_some() && host.data == Data::Of(id);
        self.hosts.iter().position(host).filter(|_| self.members.contains_key(&id))
    }

    /// The member of the list that runs on a host.
    pub fn member_on(&self, host: usize) -> Option<Id> {
        match self.hosts[host] {
            Host { data: Data::Of(id), process: Some(_), .. } => Some(id),
            _ => None,
        }
        .filter(|id| self.members.contains_key(id))
    }

    /// Whether there is a leader: a majority of the voters runs.
    pub fn led(&self) -> bool {
        let voters = self.members.iter().filter(|(_, member)| member.votes == Role::Voter);
        let (mut all, mut up) = (0, 0);
        for (id, _) in voters {
            all += 1;
            up += usize::from(self.runs(*id).is_some());
        }
        up > all / 2
    }

    /// Five seconds pass.
    pub fn settle(&mut self) {
        for process in self.hosts.iter_mut().filter_map(|host| host.process.as_mut()) {
            *process = Link::Settled;
        }
    }

    /// Writes enough that the log of a member that is down has less than 90 % of all entries.
    pub fn write(&mut self) {
        if !self.led() {
            return;
        }
        let down: Vec<Id> = self.ids().filter(|id| self.runs(*id).is_none()).collect();
        for id in down {
            self.members.entry(id).and_modify(|member| member.caught_up = false);
        }
    }

    /// The ids of the list.
    pub fn ids(&self) -> impl Iterator<Item = Id> {
        self.members.keys().copied()
    }

    /// What comes of a leader without anybody's doing: members that run catch up, publish their names
    /// and take clients.
    fn follow(&mut self) {
        if !self.led() {
            return;
        }
        for host in 0..self.hosts.len() {
            let Some(id) = self.member_on(host) else { continue };
            self.hosts[host].serves = true;
            let name = self.hosts[host].name.clone();
            self.members.entry(id).and_modify(|member| {
                member.name = Some(name);
                member.caught_up = true;
            });
        }
    }

    fn insert(&mut self, peer_urls: Urls, role: Role) -> Id {
        let id = Id(self.next);
        self.next += 1;
        let member = Member {
            name: None,
            peer_urls,
            listed: role,
            votes: role,
            caught_up: false,
            founded_at: None,
        };
        self.members.insert(id, member);
        id
    }

    /// Whether the patch number is at least the one for the line of this version.
    fn since(&self, of_3_5: u32, of_3_6: u32) -> bool {
        match self.version.minor() {
            Minor::V3_4 => false,
            Minor::V3_5 => self.version.patch() >= of_3_5,
            Minor::V3_6 => self.version.patch() >= of_3_6,
            Minor::V3_7 => true,
        }
    }
}
