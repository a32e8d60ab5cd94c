//! Whether etcd can reach its own directories: it needs search permission on each one above them. Without it, a
//! start or a restart would fail, and etcd could not read new certificates.

use std::collections::BTreeSet;

use inventories::AccountName;
use inventories::inventory::Runtime;

use super::{Subject, push_once};
use crate::facts::FileFacts;
use crate::layout::parents;
use crate::report::{Finding, FindingCode, Formation, PlanReport};

pub(super) fn check(subject: &Subject<'_>, report: &mut PlanReport) {
    let Some(facts) = subject.facts.clusters.get(&subject.cluster.name) else { return };
    let above = parents(&subject.member.member).into_iter();
    let above = above.filter_map(|path| Some((facts.files.get(&path)?.known()?, path)));
    let linked = subject.facts.passed.iter().map(|(path, seen)| (seen, path.clone()));
    for (seen, path) in above.chain(linked) {
        let account = &subject.member.member.account;
        let listed = subject.facts.entered.get(&path);
        let groups = subject.facts.account(account).known().map(|account| &account.groups);
        if lets_through(seen, account, groups)
            || listed.is_some_and(|in_list| in_list.contains(account.as_str()))
        {
            continue;
        }
        let FileFacts { mode, owner, group, .. } = seen;
        let message = format!("etcd can't enter {path}: mode {mode:04o}, owner {owner}:{group}");
        let hint = Some(format!("run on the host: chmod a+x {path}"));
        let finding = Finding { hint, ..subject.finding(FindingCode::ClosedParent, message, "") };
        // A process that runs came through, by whatever right.
        let came_through = subject.formation == Formation::Formed && facts.is_up();
        match subject.cluster.runtime {
            Runtime::Systemd if !came_through => report.block(finding, [subject.its_member()]),
            // A runtime mounts the directories themselves into a pod, whatever is above them.
            Runtime::Systemd | Runtime::StaticPod => push_once(&mut report.warnings, finding),
        }
    }
}

/// The kernel checks exactly one class: the owner's, else the group's, else that of others.
fn lets_through(
    seen: &FileFacts,
    account: &AccountName,
    groups: Option<&BTreeSet<String>>,
) -> bool {
    let is_in_group =
        seen.group == account.as_str() || groups.is_some_and(|groups| groups.contains(&seen.group));
    let class = if seen.owner == account.as_str() {
        0o100
    } else if is_in_group {
        0o010
    } else {
        0o001
    };
    seen.mode & class != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_class_of_permissions_decides() {
        let lets = |mode, owner: &str, group: &str| {
            let seen = FileFacts {
                mode,
                owner: owner.to_owned(),
                group: group.to_owned(),
                sha256: String::new(),
                text: None,
            };
            lets_through(&seen, &AccountName::default(), Some(&["storage".to_owned()].into()))
        };
        assert!(lets(0o755, "root", "root"));
        assert!(lets(0o711, "root", "root"));
        assert!(!lets(0o750, "root", "root"));
        assert!(lets(0o750, "root", "etcd"));
        assert!(lets(0o750, "root", "storage"));
        assert!(!lets(0o705, "root", "storage"));
        assert!(!lets(0o705, "root", "etcd"));
        assert!(lets(0o700, "etcd", "etcd"));
        assert!(!lets(0o077, "etcd", "etcd"));
    }
}
