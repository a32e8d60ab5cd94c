//! Steps that change who is a member: each asks the other members from the member's own host.

use std::collections::BTreeMap;

use inventories::{EtcdVersion, HostName};

use super::{MemberStep, pods};
use crate::script::{
    self,
    call::{Arguments, guarded, patient},
    failure::Failure,
};
use planner::plan::Leaver;
use remote::Call;
use templates::layout::moved_aside;

/// How long the others may take to make a change, in seconds: for five after an election a leader refuses it.
const SETTLE: u64 = 20;
/// How long a snapshot may take, in seconds: the largest database on a slow disk.
const SAVING: u64 = 30 * 60;
/// How long a learner may show no progress, in seconds.
const PATIENCE: u64 = 300;
/// How long one that gets on may take, in seconds: the largest database over a slow line.
const LONGEST: u64 = 6 * 60 * 60;

pub(crate) fn remove(
    step: &MemberStep<'_>,
    (id, endpoint): (&str, &str),
    others: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with("id", id)
        .with("own", endpoint)
        .with("unit", step.layout.unit_name())
        .with("data", step.layout.data_dir())
        .with("seconds", SETTLE)
        .with_words("others", others.values());
    Ok(patient(guarded(step, script::REMOVE_MEMBER, args)?, SETTLE))
}

pub(crate) fn save_snapshot(
    step: &MemberStep<'_>,
    endpoint: &str,
    before: Option<EtcdVersion>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    // As the names of all that is set aside, it has no dot before its end.
    let minor = |to: EtcdVersion| to.minor().to_string().replace('.', "-");
    let kind = before.map_or_else(String::new, |to| format!("before-{}-", minor(to)));
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with("own", endpoint)
        .with("data", step.layout.data_dir())
        .with("kind", kind)
        .with("seconds", SAVING);
    Ok(patient(guarded(step, script::SAVE_SNAPSHOT, args)?, SAVING))
}

pub(crate) fn remove_listed(
    step: &MemberStep<'_>,
    (id, leaver, peer_url): (&str, Leaver, &str),
    others: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let leaver = match leaver {
        Leaver::Serves => "serves",
        Leaver::NoVote => "no-vote",
        Leaver::Stray => "stray",
        Leaver::Failed => "failed",
    };
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with("id", id)
        .with("leaver", leaver)
        .with("urls", peer_url)
        .with("seconds", SETTLE)
        .with_words("others", others.values());
    Ok(patient(guarded(step, script::REMOVE_LISTED, args)?, SETTLE))
}

pub(crate) fn decommission(
    step: &MemberStep<'_>,
    peer_url: &str,
    others: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = of_leftovers(step, peer_url, version)
        .with("unit_file", layout.unit_file())
        .with("aside", moved_aside(&layout.drop_in_dir()))
        .with("config", layout.config_dir())
        .with("pki", layout.pki_dir())
        .with("ca_file", layout.discovery_ca())
        .with("password", layout.discovery_password())
        .with("note", layout.discovery_note())
        .with_words("others", others.values());
    Ok(patient(guarded(step, script::DECOMMISSION_MEMBER, args)?, pods::END))
}

pub(crate) fn forget(
    step: &MemberStep<'_>,
    peer_url: &str,
    others: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let args = of_leftovers(step, peer_url, version).with_words("others", others.values());
    Ok(patient(guarded(step, script::FORGET_MEMBER, args)?, pods::END))
}

/// Where a member is that the cluster no longer lists, and what it leaves on its host.
fn of_leftovers(step: &MemberStep<'_>, peer_url: &str, version: EtcdVersion) -> Arguments {
    let layout = &step.layout;
    Arguments::new()
        .with_etcdctl(layout, version)
        .with("url", peer_url)
        .with("unit", layout.unit_name())
        .with("data", layout.data_dir())
        .with("token", layout.token_file())
        .with("marker", layout.marker())
        .with("witness", layout.quorum_witness())
        .with("due", layout.restart_due())
        .with("proof", layout.proof_due())
        .with("manifest", layout.pod_manifest())
        .with("end_seconds", pods::END)
        .with("kept", layout.kept_manifest())
}

pub(crate) fn add_learner(
    step: &MemberStep<'_>,
    peer_url: &str,
    others: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with("name", step.host())
        .with("url", peer_url)
        .with("seconds", SETTLE)
        .with_words("others", others.values());
    Ok(patient(guarded(step, script::ADD_LEARNER, args)?, SETTLE))
}

pub(crate) fn update_peer_url(
    step: &MemberStep<'_>,
    (id, peer_url): (&str, &str),
    others: &BTreeMap<HostName, String>,
    version: EtcdVersion,
) -> Result<Call, Failure> {
    let args = Arguments::new()
        .with_etcdctl(&step.layout, version)
        .with("id", id)
        .with("url", peer_url)
        .with("seconds", SETTLE)
        .with_words("others", others.values());
    Ok(patient(guarded(step, script::UPDATE_PEER_URL, args)?, SETTLE))
}

pub(crate) fn promote(
    step: &MemberStep<'_>,
    endpoint: &str,
    peer_url: &str,
    (others, version): (&BTreeMap<HostName, String>, EtcdVersion),
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = Arguments::new()
        .with_etcdctl(layout, version)
        .with("own", endpoint)
        .with("url", peer_url)
        .with("seconds", PATIENCE)
        .with("longest", LONGEST)
        .with("unit", layout.unit_name())
        .with("pod", layout.pod_name())
        .with("data", layout.data_dir())
        .with_words("others", others.values());
    Ok(patient(guarded(step, script::PROMOTE_MEMBER, args)?, LONGEST))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use planner::Step;
    use planner::plan::{Action, Guard, StepKind, Why};

    use super::*;
    use crate::script::tests::bench::keys_of;

    #[test]
    fn each_script_is_given_the_arguments_that_it_names_and_time_for_all_of_it() {
        let step = Step {
            id: "etcd-3/main/start".parse().unwrap(),
            action: Action::Run,
            kind: StepKind::DiscardBootstrap,
            guard: Guard::Nothing,
            after: BTreeSet::new(),
            why: Why::Unfinished,
        };
        let cluster = "main".parse().unwrap();
        let step = MemberStep::new(&step, &cluster);
        let version: EtcdVersion = "3.6.16".parse().unwrap();
        let others = ["etcd-1", "etcd-2"].map(|name| (name.parse().unwrap(), format!("of-{name}")));
        let others = BTreeMap::from(others);
        let calls = [
            (remove(&step, ("c3", "https://127.0.0.1:2379"), &others, version), SETTLE),
            (remove_listed(&step, ("c3", Leaver::Serves, "peer"), &others, version), SETTLE),
            (decommission(&step, "peer", &others, version), pods::END),
            (forget(&step, "peer", &others, version), pods::END),
            (add_learner(&step, "peer", &others, version), SETTLE),
            (update_peer_url(&step, ("c3", "peer"), &others, version), SETTLE),
            (promote(&step, "own", "peer", (&others, version)), LONGEST),
        ];
        for (call, seconds) in calls {
            let call = call.unwrap();
            let given = call.args.iter().map(|argument| argument.split_once('=').unwrap().0);
            assert_eq!(given.collect::<Vec<_>>(), keys_of(call.script));
            assert!(call.args.contains(&"others=of-etcd-1 of-etcd-2".to_owned()));
            let waits = script::waits(call.script);
            assert!(call.deadline > waits + std::time::Duration::from_secs(seconds));
            let name = call.args.iter().find(|argument| argument.starts_with("name="));
            assert!(name.is_none_or(|name| name == "name=etcd-3"));
        }
    }
}
