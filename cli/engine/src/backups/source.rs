//! Which member is asked for a snapshot: a healthy follower that has caught up, so that the leader is spared. Without
//! a quorum it is the member that has applied most.

use inventories::{EtcdVersion, HostName};
use planner::facts::EtcdFacts;

use crate::etcd::{EndpointStatus, EtcdctlError};

/// How many entries of the log a member may lack and still count as caught up, as in `members.sh`.
const NEAR: u64 = 5000;

/// What a member's host said of it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The host.
    pub host: HostName,
    /// The release whose etcdctl asked it.
    pub etcdctl: EtcdVersion,
    /// The member's own status, or why there is none.
    pub status: Result<EndpointStatus, NoStatus>,
}

/// Why a member gave no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStatus {
    /// Its host has no etcdctl of this release.
    #[error("etcdctl of etcd {0} is not installed there, and neither is another release's")]
    NotInstalled(EtcdVersion),
    /// Its host did not run etcdctl; in the words of the host or the connection.
    #[error("{0}")]
    NotRun(String),
    /// etcdctl got no answer from it.
    #[error(transparent)]
    Etcdctl(#[from] EtcdctlError),
    /// The answer is about another number of members.
    #[error("it did not report on one member alone")]
    NotOne,
}

/// The member that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its host.
    pub host: HostName,
    /// The release whose etcdctl is there.
    pub etcdctl: EtcdVersion,
    /// What it said of itself.
    pub status: EndpointStatus,
    /// Why it is this one.
    pub choice: Choice,
}

/// Why a member was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It follows, and has caught up.
    Follower,
    /// It leads, and no follower is fit.
    Leader,
    /// It follows and lags, and neither the leader nor another follower is fit.
    Lagging,
    /// It knows no leader, and neither does any other that is fit. It has applied most of them.
    HighestIndex,
}

/// Why no member can be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSource {
    /// None answered.
    #[error("no member answers: {}", .0.join("; "))]
    Silent(Vec<String>),
    /// They are not of one cluster.
    #[error("the members belong to different clusters: {}", .0.join(", "))]
    Split(Vec<String>),
    /// It is another cluster than the one that was formed.
    #[error("the cluster's id is {found}, but this inventory formed {expected}")]
    Other {
        /// What the members say.
        found: String,
        /// What is recorded beside the inventory.
        expected: String,
    },
    /// All that answer are learners or corrupt.
    #[error("no member that answers is fit: each is a learner or has the alarm CORRUPT")]
    Unfit,
}

/// Chooses among what the members' hosts said. `formed` is the id of the cluster that was formed, where it is known.
///
/// # Errors
/// None is fit.
pub fn choose(answers: &[Answer], formed: Option<&str>) -> Result<Source, NoSource> {
    let silent = || {
        let why = |answer: &Answer| {
            let why = answer.status.as_ref().err()?;
            Some(format!("{}: {why}", answer.host))
        };
        NoSource::Silent(answers.iter().filter_map(why).collect())
    };
    let members: Vec<(&Answer, &EndpointStatus)> =
        answers.iter().filter_map(|answer| Some((answer, answer.status.as_ref().ok()?))).collect();
    let Some((_, first)) = members.first() else { return Err(silent()) };
    let id = &first.facts.cluster_id;
    if members.iter().any(|(_, status)| status.facts.cluster_id != *id) {
        let each = members
            .iter()
            .map(|(answer, said)| format!("{}: {}", answer.host, said.facts.cluster_id));
        return Err(NoSource::Split(each.collect()));
    }
    if let Some(expected) = formed.filter(|expected| *expected != id) {
        return Err(NoSource::Other { found: id.clone(), expected: expected.to_owned() });
    }
    let newest = members.iter().map(|(_, status)| status.facts.raft_index).max().unwrap_or(0);
    let fit = || members.iter().filter(|(_, status)| is_fit(&status.facts));
    let led = || fit().filter(|(_, status)| status.facts.leader.is_some());
    let near = |facts: &EtcdFacts| newest.saturating_sub(facts.raft_applied) <= NEAR;
    let follower = led().filter(|(_, said)| !leads(&said.facts) && near(&said.facts));
    let by_index = |(_, status): &&(&Answer, &EndpointStatus)| {
        (status.facts.raft_applied, status.facts.raft_index)
    };
    let chosen = follower
        .max_by_key(by_index)
        .map(|chosen| (chosen, Choice::Follower))
        .or_else(|| {
            led().find(|(_, said)| leads(&said.facts)).map(|chosen| (chosen, Choice::Leader))
        })
        .or_else(|| led().max_by_key(by_index).map(|chosen| (chosen, Choice::Lagging)))
        .or_else(|| fit().max_by_key(by_index).map(|chosen| (chosen, Choice::HighestIndex)));
    let ((Answer { host, etcdctl, .. }, status), choice) = chosen.ok_or(NoSource::Unfit)?;
    Ok(Source { host: host.clone(), etcdctl: *etcdctl, status: (*status).clone(), choice })
}

fn leads(facts: &EtcdFacts) -> bool {
    facts.leader.as_ref() == Some(&facts.member_id)
}

/// A learner's data is still on its way, and that of a corrupt member is no use to anybody.
fn is_fit(facts: &EtcdFacts) -> bool {
    let is_corrupt = |error: &String| error.contains("CORRUPT") && error.contains(&facts.member_id);
    !facts.learner && !facts.errors.iter().any(is_corrupt)
}

impl Source {
    /// Whether the cluster had a quorum, as far as this member can tell: without one it knows no leader.
    pub fn has_quorum(&self) -> bool {
        self.status.facts.leader.is_some()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use planner::facts::Observed;

    pub(in crate::backups) fn member(number: u8, leader: u8, applied: u64) -> Answer {
        let facts = EtcdFacts {
            cluster_id: "c1".to_owned(),
            member_id: format!("a{number}"),
            leader: (leader > 0).then(|| format!("a{leader}")),
            version: "3.6.16".to_owned(),
            storage: Observed::Known(inventories::Minor::V3_6),
            downgrade: Observed::Absent,
            db_size: 1,
            db_in_use: 1,
            raft_index: applied,
            raft_applied: applied,
            raft_term: 2,
            revision: applied,
            learner: false,
            errors: Vec::new(),
            forbids_us: false,
            authentication: Observed::Absent,
            members: Observed::Absent,
        };
        let host = HostName::new(&format!("etcd-{number}")).unwrap();
        let status = EndpointStatus { endpoint: String::new(), revision: applied, facts };
        Answer { host, etcdctl: "3.6.16".parse().unwrap(), status: Ok(status) }
    }

    pub(in crate::backups) fn silent(number: u8) -> Answer {
        let why = NoStatus::NotRun("connection refused".to_owned());
        Answer { status: Err(why), ..member(number, 0, 0) }
    }

    fn changed(answer: Answer, change: impl Fn(&mut EtcdFacts)) -> Answer {
        let status = answer.status.map(|mut status| {
            change(&mut status.facts);
            status
        });
        Answer { status, ..answer }
    }

    fn chosen(answers: &[Answer]) -> (String, Choice) {
        let source = choose(answers, Some("c1")).unwrap();
        (source.host.to_string(), source.choice)
    }

    #[test]
    fn a_follower_that_has_caught_up_goes_first() {
        let three = [member(1, 1, 20_000), member(2, 1, 19_990), member(3, 1, 19_995)];
        assert_eq!(chosen(&three), ("etcd-3".to_owned(), Choice::Follower));
        let lagging = [member(1, 1, 20_000), member(2, 1, 14_000), silent(3)];
        assert_eq!(chosen(&lagging), ("etcd-1".to_owned(), Choice::Leader));
        assert_eq!(chosen(&[member(1, 1, 5)]), ("etcd-1".to_owned(), Choice::Leader));
    }

    #[test]
    fn a_learner_and_a_corrupt_member_give_no_backup() {
        let learner = changed(member(2, 1, 20_000), |facts| facts.learner = true);
        let corrupt = changed(member(3, 1, 20_000), |facts| {
            facts.errors.push("alarm CORRUPT of member a3".to_owned());
        });
        let all = [member(1, 1, 20_000), learner.clone(), corrupt.clone()];
        assert_eq!(chosen(&all), ("etcd-1".to_owned(), Choice::Leader));
        assert_eq!(choose(&[learner, corrupt], None), Err(NoSource::Unfit));
    }

    #[test]
    fn without_a_quorum_the_highest_index_counts() {
        let split = [member(1, 0, 100), member(2, 0, 101), silent(3)];
        let source = choose(&split, None).unwrap();
        assert_eq!((source.host.as_str(), source.has_quorum()), ("etcd-2", false));
    }

    #[test]
    fn a_follower_that_lags_has_a_quorum_all_the_same() {
        let alone = changed(member(2, 1, 20_000), |facts| facts.raft_applied = 14_000);
        let source = choose(&[silent(1), alone.clone(), silent(3)], None).unwrap();
        assert_eq!((source.choice, source.has_quorum()), (Choice::Lagging, true));
        // One that is cut off has applied more, and does not know whether there is a quorum.
        let source = choose(&[silent(1), alone, member(3, 0, 15_000)], None).unwrap();
        assert_eq!((source.host.as_str(), source.has_quorum()), ("etcd-2", true));
    }

    #[test]
    fn members_of_another_cluster_are_refused() {
        let foreign = changed(member(2, 2, 1), |facts| facts.cluster_id = "c2".to_owned());
        let both = choose(&[member(1, 1, 1), foreign.clone()], None);
        assert!(matches!(both, Err(NoSource::Split(_))), "{both:?}");
        let other = choose(&[foreign], Some("c1")).unwrap_err();
        assert_eq!(other.to_string(), "the cluster's id is c2, but this inventory formed c1");
        let nobody = choose(&[silent(1)], None).unwrap_err();
        assert_eq!(nobody.to_string(), "no member answers: etcd-1: connection refused");
    }
}
