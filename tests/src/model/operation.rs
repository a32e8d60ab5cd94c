//! What an operator wants of a site, and the commands that lead there.

use std::ops::RangeInclusive;

use inventories::ClusterName;
use planner::policy::Maintenance;
use planner::{Policy, SiteSpec};

use crate::world::World;

/// The world that a walk begins in, what an operator may run in it, and where that has to end.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Before anybody runs anything.
    pub world: World,
    /// What may be run, at any moment and in any order.
    pub commands: Vec<Command>,
    /// What must be reachable from everywhere.
    pub goals: Vec<Goal>,
    /// How many members a formed cluster lists meanwhile: no fewer voters, and no more members.
    pub sizes: RangeInclusive<usize>,
}

/// One command line.
#[derive(Debug, Clone)]
pub struct Command {
    /// What the story of a failure calls it.
    pub words: &'static str,
    /// The inventory that it reads.
    pub spec: SiteSpec,
    /// What the operator allows.
    pub policy: Policy,
}

impl Command {
    /// `quorate apply` of an inventory.
    pub fn apply(words: &'static str, spec: SiteSpec) -> Self {
        Self { words, spec, policy: Policy::default() }
    }

    /// Whether anybody would run it in a world: a replacement while one of its members is lost, and a restore until
    /// what it makes serves.
    pub(super) fn fits(&self, world: &World) -> bool {
        let Policy { replace, .. } = &self.policy;
        match self.restored() {
            Some(cluster) => !world.is_restored(cluster),
            None => replace.is_empty() || replace.iter().any(|host| world.has_lost_a_member(host)),
        }
    }

    /// The cluster that it restores.
    fn restored(&self) -> Option<&ClusterName> {
        match &self.policy.maintenance {
            Some(Maintenance::Restore(request)) => Some(&request.cluster),
            Some(Maintenance::Defragment(_) | Maintenance::Destroy(_) | Maintenance::Remove(_))
            | None => None,
        }
    }
}

/// An end of an operation.
#[derive(Debug, Clone)]
pub struct Goal {
    /// The command that has nothing left to do.
    pub done: usize,
    /// The commands that may be run on the way there.
    pub by: Vec<usize>,
}

impl Operation {
    /// `quorate apply`, until it has nothing to do.
    pub fn apply(world: World, spec: SiteSpec) -> Self {
        let most = spec.clusters.values().map(|cluster| cluster.members.len()).max();
        let most = most.unwrap_or_default();
        let apply = Command::apply("quorate apply", spec);
        let goal = Goal { done: 0, by: vec![0] };
        let sizes = most.saturating_sub(1)..=most;
        Self { world, commands: vec![apply], goals: vec![goal], sizes }
    }

    /// The same where this may be run as well, and leads on to every goal.
    #[must_use]
    pub fn helped_by(mut self, command: Command) -> Self {
        let number = self.commands.len();
        self.commands.push(command);
        self.goals.iter_mut().for_each(|goal| goal.by.push(number));
        self
    }

    /// The same where the operator may want this instead, from any moment on.
    #[must_use]
    pub fn or(mut self, command: Command) -> Self {
        let number = self.commands.len();
        self.commands.push(command);
        self.goals.push(Goal { done: number, by: vec![number] });
        self
    }

    /// The same in which clusters have other numbers of members meanwhile.
    #[must_use]
    pub fn of_sizes(self, sizes: RangeInclusive<usize>) -> Self {
        Self { sizes, ..self }
    }

    /// Whether a goal is permanently out of reach: a member of its inventory is lost, and no command on the way makes
    /// another one of it; or the cluster lost its majority, and none restores it.
    pub(super) fn is_out_of_reach(&self, goal: &Goal, world: &World) -> bool {
        let by = || goal.by.iter().map(|number| &self.commands[*number]);
        let restores = |command: &Command| command.restored().is_some() && command.fits(world);
        if by().any(restores) {
            return false;
        }
        let wanted = self.commands[goal.done].spec.hosts();
        let is_lost = |host| {
            world.has_lost_a_member(host)
                && !by().any(|command| command.policy.replace.contains(host))
        };
        wanted.into_iter().any(is_lost) || world.has_lost_a_majority()
    }
}
