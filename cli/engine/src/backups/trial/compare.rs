//! Whether members have the keys of a backup. Two that have compacted to different revisions have different hashes of
//! the same keys, so only those are compared that have compacted as far as the backup had.

use inventories::HostName;
use planner::spec::ClusterSpec;

use super::Tried;
use crate::backups::ask;
use crate::backups::source::Answer;
use crate::etcd::KeysHash;
use crate::pool::Pool;

/// What the members that can be compared have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Those with the same keys at the backup's revision.
    pub same: Vec<HostName>,
    /// Those with other ones.
    pub other: Vec<HostName>,
}

impl Comparison {
    fn new(wanted: &KeysHash, found: Vec<(HostName, KeysHash)>) -> Self {
        let alike = found.into_iter().filter(|(_, hash)| hash.compacted == wanted.compacted);
        let (same, other): (Vec<_>, Vec<_>) = alike.partition(|(_, hash)| hash.hash == wanted.hash);
        let names = |found: Vec<(HostName, _)>| found.into_iter().map(|(host, _)| host).collect();
        Self { same: names(same), other: names(other) }
    }
}

/// Asks every member, as long as it is of the cluster that the backup is of.
pub async fn compare(
    pool: &Pool,
    cluster: &ClusterSpec,
    answers: &[Answer],
    cluster_id: &str,
    tried: &Tried,
) -> Comparison {
    let Some(wanted) = tried.hash.as_ref().filter(|_| tried.revision > 0) else {
        return Comparison::default();
    };
    let mut found = Vec::new();
    for answer in answers {
        let Ok(status) = &answer.status else { continue };
        if status.facts.cluster_id != cluster_id || status.facts.learner {
            continue;
        }
        // One that has compacted further, or lags, refuses.
        let place = (&answer.host, answer.etcdctl);
        let hash = ask::keys_hash(pool, cluster, place, tried.revision).await;
        found.extend(hash.map(|hash| (answer.host.clone(), hash)));
    }
    Comparison::new(wanted, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_that_have_compacted_as_far_are_compared() {
        let hash = |hash, compacted| KeysHash { endpoint: String::new(), hash, compacted };
        let host = |n: u8| HostName::new(&format!("etcd-{n}")).unwrap();
        let found = vec![
            (host(1), hash(7, 100)),
            (host(2), hash(8, 100)),
            (host(3), hash(7, 200)),
            (host(4), hash(9, 200)),
        ];
        let expected = Comparison { same: vec![host(1)], other: vec![host(2)] };
        assert_eq!(Comparison::new(&hash(7, 100), found), expected);
    }
}
