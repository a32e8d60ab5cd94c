//! What happens on the hosts: an etcd starts and stops, a disk is wiped.

use super::{Cluster, Data, Host, Id, Link, Refusal, Urls};

/// `--initial-cluster-state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The cluster is formed now.
    New,
    /// The member was added to the list, and joins.
    Existing,
}

/// `--initial-cluster`: names, each with its peer URLs.
pub type Initial = Vec<(String, Urls)>;

impl Cluster {
    /// Starts the etcd of a host that does not run. A disk with data decides alone; the flags are
    /// for one that has none.
    pub fn start(&mut self, host: usize, state: State, initial: &Initial) -> Result<(), Refusal> {
        let data = match (self.hosts[host].data, state) {
            (Data::None, State::Existing) => Data::Of(self.joins(host, initial)?),
            (Data::None, State::New) => {
                self.may_form(host, initial)?;
                Data::Foreign
            }
            // It ends by its own log, if that has the removal, or as soon as one of the others refuses its
            // connections. With nobody there it may wait for them.
            (Data::Of(id), _) if !self.members.contains_key(&id) => return Err(Refusal::Removed),
            (data, _) => data,
        };
        self.hosts[host].data = data;
        self.hosts[host].process = Some(Link::Recent);
        self.hosts[host].serves = false;
        self.follow();
        Ok(())
    }

    /// The etcd of a host ends, or is killed.
    pub fn stop(&mut self, host: usize) {
        self.hosts[host].process = None;
    }

    /// The disk of a host whose etcd does not run is emptied.
    pub fn wipe(&mut self, host: usize) {
        self.hosts[host].data = Data::None;
    }

    /// Which member a host without data becomes (`bootstrapExistingClusterNoWAL`).
    fn joins(&self, host: usize, initial: &Initial) -> Result<Id, Refusal> {
        let own = own(&self.hosts[host], initial)?;
        if !self.is_answered(host, initial) {
            return Err(Refusal::NobodyAnswers);
        }
        // `ValidateClusterAndAssignIDs`: the members are compared by their peer URLs alone. Names of
        // others may be anything.
        if initial.len() != self.members.len() {
            return Err(Refusal::CountUnequal);
        }
        let has = |urls: &Urls| initial.iter().any(|(_, given)| given == urls);
        if !self.members.values().all(|member| has(&member.peer_urls)) {
            return Err(Refusal::UrlsDiffer);
        }
        let (id, member) = self
            .members
            .iter()
            .find(|(_, member)| member.peer_urls == *own)
            .ok_or(Refusal::UrlsDiffer)?;
        if member.name.is_some() { Err(Refusal::LogLost) } else { Ok(*id) }
    }

    /// Whether a host without data may form a cluster, although there is this one
    /// (`bootstrapNewClusterNoWAL`). Its id is made from its URLs and the token, and only if a member
    /// with that id has started is it refused: a founder with its first URLs. A member that was added
    /// later, or whose URLs were changed, forms another cluster.
    fn may_form(&self, host: usize, initial: &Initial) -> Result<(), Refusal> {
        let own = own(&self.hosts[host], initial)?;
        let founder = self.members.values().any(|member| member.founded_at.as_ref() == Some(own));
        if founder && self.is_answered(host, initial) {
            return Err(Refusal::AlreadyBootstrapped);
        }
        Ok(())
    }

    /// Whether a running member listens at a URL that the initial cluster has for another name.
    fn is_answered(&self, host: usize, initial: &Initial) -> bool {
        let others = initial.iter().filter(|(name, _)| *name != self.hosts[host].name);
        let urls: Urls = others.flat_map(|(_, urls)| urls.clone()).collect();
        let running = self.ids().filter_map(|id| self.runs(id));
        running.into_iter().any(|host| !self.hosts[host].listens.is_disjoint(&urls))
    }
}

fn own<'a>(host: &Host, initial: &'a Initial) -> Result<&'a Urls, Refusal> {
    let own = initial.iter().find(|(name, _)| *name == host.name);
    own.map(|(_, urls)| urls).ok_or(Refusal::OwnNameMissing)
}
