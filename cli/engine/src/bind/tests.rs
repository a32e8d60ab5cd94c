use std::collections::{BTreeMap, BTreeSet};

use inventories::HostName;
use inventories::inventory::Arch;
use planner::facts::{HostFacts, Machine, MemberFacts, Names};
use planner::plan::{Action, Guard, Launch, Step, StepId, Verb, Why};
use time::OffsetDateTime;

use super::*;

fn cluster() -> ClusterName {
    "main".parse().unwrap()
}

fn token(digit: char) -> BootstrapToken {
    digit.to_string().repeat(32).parse().unwrap()
}

/// A plan with one step of each kind, on one host.
fn plan(kinds: Vec<StepKind>) -> Plan {
    let step = |kind| Step {
        id: StepId::for_member(&"a".parse().unwrap(), &cluster(), Verb::Start),
        action: Action::Create,
        kind,
        guard: Guard::NeverFormed,
        after: BTreeSet::new(),
        why: Why::Unfinished,
    };
    let steps = kinds.into_iter().map(step).collect();
    let site = "prod".parse().unwrap();
    Plan { site, selection: Default::default(), steps, report: Default::default() }
}

/// Hosts that store these tokens.
fn facts(hosts: &[(&str, Observed<BootstrapToken>)]) -> SiteFacts {
    let hosts = hosts.iter().map(|(name, token)| (name.parse().unwrap(), host(token.clone())));
    let hosts: BTreeMap<HostName, Observed<HostFacts>> = hosts.collect();
    SiteFacts {
        observed_at: OffsetDateTime::UNIX_EPOCH,
        hosts,
        misled: BTreeMap::new(),
        bystanders: BTreeMap::new(),
    }
}

fn host(token: Observed<BootstrapToken>) -> Observed<HostFacts> {
    let member = MemberFacts {
        restart_due: false,
        proof_due: Observed::Absent,
        cluster: cluster(),
        marker: Observed::Absent,
        quorum_seen: false,
        token,
        restore: Observed::Absent,
        files: BTreeMap::new(),
        pki_generation: Observed::Absent,
        data: Observed::Absent,
        unit: Observed::Absent,
        drop_ins: Observed::Known(Vec::new()),
        folder_replaced: false,
        pod: Observed::Absent,
        running: Observed::Absent,
        runs_as: Observed::Absent,
        etcd: Observed::Absent,
        last_words: None,
    };
    let machine = Machine {
        arch: Ok(Arch::Amd64),
        distribution: String::new(),
        systemd: None,
        user_namespaces: Observed::Absent,
        closed_namespaces: BTreeSet::new(),
        selinux: Observed::Absent,
        missing_tools: BTreeSet::new(),
        cores: 0,
        memory: 0,
        data_free: 0,
        data_systems: Default::default(),
        release_free: 0,
        clock_skew_ms: 0,
        clock_error_ms: 0,
        boot_id: String::new(),
        machine_id: Observed::Absent,
        downloaders: BTreeSet::new(),
    };
    Observed::Known(HostFacts {
        machine,
        accounts: BTreeMap::new(),
        site: Observed::Absent,
        listeners: Observed::Absent,
        etcd_processes: Vec::new(),
        etcd_at_boot: BTreeSet::new(),
        heavy_services: BTreeSet::new(),
        kubelet: Observed::Absent,
        apiserver: None,
        releases: BTreeMap::new(),
        passed: BTreeMap::new(),
        entered: BTreeMap::new(),
        addresses: Observed::Absent,
        sources: BTreeMap::new(),
        callers: Observed::Absent,
        reach: BTreeMap::new(),
        round_trips: BTreeMap::new(),
        disks: BTreeMap::new(),
        names: Names::default(),
        clusters: BTreeMap::from([(cluster(), member)]),
        applied: Observed::Absent,
        holder: None,
        other_clusters: BTreeSet::new(),
    })
}

#[test]
fn an_interrupted_bootstrap_resumes_with_its_token() {
    let facts = facts(&[
        ("a", Observed::Absent),
        ("b", Observed::Known(token('b'))),
        ("c", Observed::Known(token('c'))),
    ]);
    let bound = tokens(&plan(vec![StepKind::StoreToken]), &facts).unwrap();
    assert_eq!(bound.tokens[&cluster()], token('b'));
}

#[test]
fn a_discarded_bootstrap_gets_a_new_token_every_time() {
    let facts = facts(&[("a", Observed::Known(token('a')))]);
    let plan = plan(vec![StepKind::DiscardBootstrap, StepKind::StoreToken]);
    let [one, two] = [(); 2].map(|()| tokens(&plan, &facts).unwrap().tokens[&cluster()].clone());
    assert!(one != token('a') && one != two);
}

#[test]
fn only_a_bootstrap_from_scratch_is_listed() {
    let resumes = facts(&[("a", Observed::Absent), ("b", Observed::Known(token('b')))]);
    let begins = facts(&[("a", Observed::Absent)]);
    let store = plan(vec![StepKind::StoreToken]);
    let discards = plan(vec![StepKind::DiscardBootstrap, StepKind::StoreToken]);
    assert_eq!(starting_bootstraps(&store, &resumes), BTreeSet::new());
    assert_eq!(starting_bootstraps(&store, &begins), BTreeSet::from([&cluster()]));
    assert_eq!(starting_bootstraps(&discards, &resumes), BTreeSet::from([&cluster()]));
}

#[test]
fn a_cluster_that_is_formed_already_binds_nothing() {
    let facts = facts(&[("a", Observed::Known(token('a')))]);
    let bound = tokens(&plan(vec![StepKind::StartMember { by: Launch::Unit }]), &facts).unwrap();
    assert_eq!(bound, Bindings::default());
}
