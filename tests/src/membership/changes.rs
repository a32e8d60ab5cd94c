//! Changes of the member list, each asked of one running member.
//!
//! The member that is asked makes most checks itself, by its own connections. What passes goes through
//! raft, and is checked once more against the list as it is applied.

use inventories::Minor;

use super::{Cluster, Id, Link, Member, Refusal, Role, Urls};

impl Cluster {
    /// `member add`. The checks are `mayAddMember`, then `ValidateConfigurationChange`.
    pub fn add(&mut self, asked: usize, role: Role, urls: Urls) -> Result<Id, Refusal> {
        let asked = self.ask(asked)?;
        // `IsReadyToAddVotingMember`: a learner is no part of the quorum. One voter may always get a
        // second one, even if the quorum of two is lost until that one starts.
        let (voters, started) = self.started_voters(None);
        if role == Role::Voter && (voters, started) != (1, 1) && started < quorum(voters + 1) {
            return Err(Refusal::NotEnoughStarted);
        }
        // Learners are checked as voters are. From 3.5.30 and 3.6.11 on the new member counts as one
        // that is down (`isConnectedToQuorumAfterAddingNewMemberSince`): of three all must still be
        // connected, of four and five one may be down. Before, all of them had to be.
        let connected = self.connected_voters(asked);
        let wanted = if self.since(30, 11) { quorum(voters + 1) } else { voters };
        if voters > 1 && connected < wanted {
            return Err(Refusal::Unhealthy);
        }
        self.leader()?;
        if self.is_taken(&urls, None) {
            return Err(Refusal::PeerUrlExists);
        }
        let learners = self.members.values().filter(|member| member.listed == Role::Learner);
        if role == Role::Learner && learners.count() >= self.max_learners {
            return Err(Refusal::TooManyLearners);
        }
        let id = self.insert(urls, role);
        self.follow();
        Ok(id)
    }

    /// `member promote`. The leader makes the checks (`mayPromoteMember`), no matter which member gets the request.
    pub fn promote(&mut self, asked: usize, id: Id) -> Result<(), Refusal> {
        self.ask(asked)?;
        self.leader()?;
        let member = self.members.get(&id).ok_or(Refusal::NotFound)?;
        // `isLearnerReady` comes before the role: a voter that is far behind is called a learner that
        // is not ready, which a caller that takes "already a voter" for success must know.
        if !member.caught_up {
            return Err(Refusal::LearnerNotReady);
        }
        // `IsReadyToPromoteMember`: never refused where there is a leader, for then a majority has
        // started, and the new voter counts as started.
        let (voters, started) = self.started_voters(None);
        if started + 1 < quorum(voters + 1) {
            return Err(Refusal::NotEnoughStarted);
        }
        if member.listed == Role::Voter {
            return Err(Refusal::NotALearner);
        }
        self.change(id, |member| {
            member.listed = Role::Voter;
            member.votes = Role::Voter;
        });
        Ok(())
    }

    /// `member remove`. The checks are `mayRemoveMember`. A removed member that runs is told by the
    /// others, and ends.
    pub fn remove(&mut self, asked: usize, id: Id) -> Result<(), Refusal> {
        let asked = self.ask(asked)?;
        let listed = self.members.get(&id).map(|member| member.listed);
        if listed != Some(Role::Learner) {
            self.may_remove_voter(asked, id)?;
        }
        self.leader()?;
        let on = self.runs(id);
        self.members.remove(&id).ok_or(Refusal::NotFound)?;
        if let Some(host) = on {
            self.hosts[host].process = None;
        }
        self.follow();
        Ok(())
    }

    fn may_remove_voter(&self, asked: Id, id: Id) -> Result<(), Refusal> {
        // `IsReadyToRemoveVotingMember`: of those that stay. It is what keeps the last voter.
        let (voters, started) = self.started_voters(Some(id));
        if started < quorum(voters) {
            return Err(Refusal::NotEnoughStarted);
        }
        // One that is down is no part of the active quorum.
        if self.runs(id).is_none() {
            return Ok(());
        }
        let voters = self.voters().count();
        let active = self.connected_voters(asked);
        if active.saturating_sub(1) < 1 + voters.saturating_sub(1) / 2 {
            return Err(Refusal::Unhealthy);
        }
        Ok(())
    }

    /// `member update`. There are no checks but those of the list. See
    /// [`Cluster::refused_updates_come_back`].
    pub fn update(&mut self, asked: usize, id: Id, urls: Urls) -> Result<(), Refusal> {
        self.ask(asked)?;
        self.leader()?;
        if !self.members.contains_key(&id) {
            return Err(Refusal::NotFound);
        }
        if self.is_taken(&urls, Some(id)) {
            return Err(Refusal::PeerUrlExists);
        }
        // Before 3.5.31 and 3.6.12 the list forgets that the member is a learner (etcd issue 21694),
        // while raft still knows: it can't be promoted any more, and does not count.
        let forgets = !self.since(31, 12);
        self.change(id, |member| {
            member.peer_urls = urls;
            if forgets {
                member.listed = Role::Voter;
            }
        });
        Ok(())
    }

    /// Whether a member that starts again carries out updates that were refused, as long as they are in
    /// its log. 3.7.3 does: it checks no change that it has seen before (`ValidateConfigurationChange`),
    /// and `UpdateRaftAttributes` then sets the peer URLs in memory all the same. That member lists and
    /// dials the wrong URLs until the next update. This model has one list for all, and not that.
    pub fn refused_updates_come_back(&self) -> bool {
        self.version.minor() == Minor::V3_7
    }

    /// The member of the list on the host that is asked.
    fn ask(&self, asked: usize) -> Result<Id, Refusal> {
        let serving = self.member_on(asked).filter(|_| self.hosts[asked].serves);
        let id = serving.ok_or(Refusal::TimedOut)?;
        // Only status and serializable reads are served by a learner (`isRPCSupportedForLearner`).
        match self.members[&id].listed {
            Role::Voter => Ok(id),
            Role::Learner => Err(Refusal::AskedALearner),
        }
    }

    /// Without a leader a proposal waits until its caller gives up.
    fn leader(&self) -> Result<(), Refusal> {
        if self.led() { Ok(()) } else { Err(Refusal::TimedOut) }
    }

    fn voters(&self) -> impl Iterator<Item = (Id, &Member)> {
        let listed = self.members.iter().filter(|(_, member)| member.listed == Role::Voter);
        listed.map(|(id, member)| (*id, member))
    }

    /// The voters but this one, and how many of them have a name: those are "started" to etcd, also
    /// when they are down.
    fn started_voters(&self, but: Option<Id>) -> (usize, usize) {
        let others = || self.voters().filter(|(id, _)| Some(*id) != but);
        (others().count(), others().filter(|(_, member)| member.name.is_some()).count())
    }

    /// The voters to which the one that is asked has been connected for five seconds, and itself.
    fn connected_voters(&self, asked: Id) -> usize {
        let settled = |id: Id| {
            let link = self.runs(id).and_then(|host| self.hosts[host].process);
            link == Some(Link::Settled)
        };
        self.voters().filter(|(id, _)| *id == asked || (settled(asked) && settled(*id))).count()
    }

    fn is_taken(&self, urls: &Urls, but: Option<Id>) -> bool {
        let others = self.members.iter().filter(|(id, _)| Some(**id) != but);
        others.flat_map(|(_, member)| &member.peer_urls).any(|url| urls.contains(url))
    }

    fn change(&mut self, id: Id, change: impl FnOnce(&mut Member)) {
        self.members.entry(id).and_modify(change);
        self.follow();
    }
}

fn quorum(of: usize) -> usize {
    of / 2 + 1
}
