//! A member that lost its disk is replaced in the simulated world, step by step, and what etcd refuses is refused there.

mod joining;
mod laws;

use std::collections::{BTreeMap, BTreeSet};

use engine::hosts::{Bindings, Done, StepErrorKind};
use inventories::HostName;
use inventories::inventory::Runtime;
use planner::facts::{EtcdFacts, Observed};
use planner::plan::{Action, FormationState, Guard, Launch, Replaced, RunningPod, Why};
use planner::{SiteSpec, Step, StepKind};
use quorate_tests::fault::Fault;
use quorate_tests::roster::Listed;
use quorate_tests::scenario::hosts::describe;
use quorate_tests::site::{Shape, cluster, host, plain};
use quorate_tests::story::formed;
use quorate_tests::world::{SimMember, World};

/// A formed cluster, and its member that fails.
struct Site {
    world: World,
    spec: SiteSpec,
    failed: HostName,
}

impl Site {
    fn new(shape: &Shape) -> Self {
        let (world, spec) = shape.world();
        Self { world: formed(world, &spec), spec, failed: host("etcd-2") }
    }

    /// One member has lost its disk.
    fn wiped(shape: &Shape) -> Self {
        let mut site = Self::new(shape);
        site.strike(Fault::DiskLost);
        site
    }

    /// The lost member is removed, forgotten and added again.
    fn added(shape: &Shape) -> Self {
        let mut site = Self::wiped(shape);
        let lost = site.id();
        for verb in ["remove-member", "forget-member", "add-learner"] {
            site.done(verb, &lost);
        }
        site
    }

    /// And it has joined.
    fn joined(shape: &Shape) -> Self {
        let mut site = Self::added(shape);
        assert_eq!(site.start(), Ok(Done::Changed));
        site
    }

    fn strike(&mut self, fault: Fault) {
        self.world.strike(&self.failed, fault).unwrap();
    }

    fn on(&mut self, name: &str, change: impl FnOnce(&mut SimMember)) {
        change(self.member_of(name));
        self.world.settle();
    }

    fn member_of(&mut self, name: &str) -> &mut SimMember {
        let host = self.world.hosts.get_mut(&host(name)).unwrap();
        host.members.get_mut(&cluster(0)).unwrap()
    }

    fn member(&self) -> &SimMember {
        &self.world.hosts[&self.failed].members[&cluster(0)]
    }

    fn list(&self) -> &[Listed] {
        &self.world.lists[&self.world.formed[&cluster(0)]]
    }

    fn voters(&self) -> usize {
        self.list().iter().filter(|listed| !listed.learner).count()
    }

    /// The id under which the failed member is listed.
    fn id(&self) -> String {
        let url = self.peer_url();
        self.list().iter().find(|listed| listed.peer_url == url).unwrap().id.clone()
    }

    fn peer_url(&self) -> String {
        self.spec.clusters[&cluster(0)].members[&self.failed].member.peer_url().to_string()
    }

    fn is_quorate(&self) -> bool {
        self.world.quorate().iter().any(|(name, _)| *name == cluster(0))
    }

    /// What a member says of itself.
    fn etcd(&self, name: &str) -> Observed<EtcdFacts> {
        let facts = self.world.observe(&self.spec);
        facts.hosts[&host(name)].known().unwrap().clusters[&cluster(0)].etcd.clone()
    }

    /// A step of the failed member.
    fn step(&self, verb: &str, kind: StepKind, guard: Guard) -> Step {
        Step {
            id: format!("{}/c0/{verb}", self.failed).parse().unwrap(),
            action: Action::Run,
            kind,
            guard,
            after: BTreeSet::new(),
            why: Why::Unfinished,
        }
    }

    fn kind(&self, verb: &str, id: &str) -> StepKind {
        let spec = &self.spec.clusters[&cluster(0)];
        let (peer_url, version, others) = (self.peer_url(), spec.version, BTreeMap::new());
        match verb {
            "remove-member" => StepKind::RemoveMember {
                id: id.to_owned(),
                endpoint: "https://127.0.0.1:2379".to_owned(),
                others,
                version,
            },
            "forget-member" => StepKind::ForgetMember { peer_url, others, version },
            "add-learner" => StepKind::AddLearner { peer_url, others, version },
            "promote" => {
                StepKind::PromoteMember { endpoint: String::new(), peer_url, others, version }
            }
            other => panic!("no step {other} changes a list"),
        }
    }

    fn act(&mut self, step: &Step) -> Result<Done, String> {
        let result = self.world.act(step, &Bindings::default());
        result.map_err(|error| match error.kind {
            StepErrorKind::Failed(words) => words,
            StepErrorKind::Guard(words) => format!("guard: {words}"),
            other => panic!("{other:?}"),
        })
    }

    fn change(&mut self, verb: &str, id: &str) -> Result<Done, String> {
        let step = self.step(verb, self.kind(verb, id), Guard::Nothing);
        self.act(&step)
    }

    fn done(&mut self, verb: &str, id: &str) {
        assert_eq!(self.change(verb, id), Ok(Done::Changed), "{verb}");
    }

    fn refused(&mut self, verb: &str, id: &str, words: &str) {
        let before = self.world.lists.clone();
        let said = self.change(verb, id).unwrap_err();
        assert!(said.contains(words), "{verb}: {said}");
        assert_eq!(self.world.lists, before);
    }

    /// Starts the failed member with a unit or pod of this formation.
    fn start_as(&mut self, state: FormationState) -> Result<Done, String> {
        let spec = self.spec.clusters[&cluster(0)].clone();
        let wanted = &spec.members[&self.failed];
        let by = match spec.runtime {
            Runtime::Systemd => {
                let text = wanted.unit(state, &BTreeMap::new()).unwrap();
                let kind = StepKind::WriteUnit { text, formation: state };
                let write = self.step("unit", kind, Guard::Nothing);
                self.act(&write).unwrap();
                Launch::Unit
            }
            Runtime::StaticPod => {
                // What lies there is of an earlier try.
                self.member_of("etcd-2").manifest = None;
                Launch::Pod {
                    manifest: Box::new(wanted.pod(state).unwrap()),
                    formation: state,
                    replaces: Replaced::Nothing,
                    running: RunningPod::Ends,
                }
            }
        };
        let kind = StepKind::StartMember { by };
        let guard = match state {
            FormationState::Joining => Guard::HasLogOrNeverFormed,
            FormationState::New | FormationState::Existing => Guard::Nothing,
        };
        let start = self.step("start", kind, guard);
        self.act(&start)
    }

    fn start(&mut self) -> Result<Done, String> {
        self.start_as(FormationState::Joining)
    }
}

fn pods() -> Shape {
    Shape { runtime: Runtime::StaticPod, ..plain(3) }
}

#[test]
fn a_member_that_lost_its_disk_is_replaced() {
    for shape in [plain(3), pods()] {
        let mut site = Site::new(&shape);
        let old = site.member().log.clone().unwrap();
        let lost = site.id();
        assert_eq!(lost, old.member_id());
        site.strike(Fault::DiskLost);
        site.done("remove-member", &lost);
        assert_eq!((site.list().len(), site.is_quorate()), (2, true));
        site.done("forget-member", "");
        let left = site.member();
        assert!(left.token.is_none() && left.marker.is_none() && !left.quorum_seen);
        assert!(left.manifest.is_none());
        assert!(left.loaded.as_ref().is_none_or(|(_, enabled)| !enabled));
        site.done("add-learner", "");
        assert_eq!((site.voters(), site.list().len()), (2, 3));
        assert_eq!(site.start(), Ok(Done::Changed));
        let log = site.member().log.clone().unwrap();
        assert_eq!(log.cluster_id(), old.cluster_id());
        assert_eq!(log.member_id(), site.id());
        assert_ne!(log.member_id(), lost);
        site.done("promote", "");
        assert_eq!((site.voters(), site.list().len(), site.is_quorate()), (3, 3, true));
        // What an apply does after that: nothing is left of how it joined.
        for (verb, again) in ["remove-member", "add-learner", "promote"].map(|verb| (verb, &lost)) {
            assert_eq!(site.change(verb, again), Ok(Done::Already), "{verb}");
        }
        site.refused("forget-member", "", "guard: the others still list this member");
    }
}

/// The old data of a member is kept, and it takes part no more.
#[test]
fn a_removed_member_does_not_start_and_its_log_is_set_aside() {
    for shape in [plain(3), pods()] {
        let mut site = Site::new(&shape);
        let (lost, old) = (site.id(), site.member().log.clone().unwrap());
        site.on("etcd-2", |member| member.process = None);
        site.done("remove-member", &lost);
        let mut booted = site.world.clone();
        booted.boot(&site.failed);
        assert_eq!(booted.hosts[&site.failed].members[&cluster(0)].process, None);
        let words = "the member has been permanently removed from the cluster";
        assert_eq!(site.start_as(FormationState::Existing), Err(words.to_owned()));
        site.done("forget-member", "");
        assert_eq!(site.member().archived, [old]);
        assert_eq!(site.change("forget-member", ""), Ok(Done::Already));
        // Nothing starts it at boot.
        site.world.boot(&site.failed);
        assert_eq!(site.member().process, None);
    }
}

#[test]
fn a_change_needs_a_quorum_of_the_others() {
    let mut site = Site::wiped(&plain(3));
    let lost = site.id();
    site.on("etcd-3", |member| member.process = None);
    for verb in ["remove-member", "forget-member", "add-learner", "promote"] {
        site.refused(verb, &lost, "context deadline exceeded");
    }
    let words = "cannot fetch cluster info from peer urls";
    site.on("etcd-2", |member| (member.quorum_seen, member.marker) = (false, None));
    assert_eq!(site.start(), Err(words.to_owned()));
}

#[test]
fn a_learner_is_added_when_all_voters_run_and_no_other_learner_is_there() {
    let mut site = Site::new(&plain(3));
    let lost = site.id();
    // The failed one itself is in the way under another address.
    site.strike(Fault::DiskLost);
    let elsewhere = "https://10.77.0.99:2380".to_owned();
    let StepKind::AddLearner { others, version, .. } = site.kind("add-learner", "") else {
        panic!()
    };
    let kind = StepKind::AddLearner { peer_url: elsewhere, others, version };
    let elsewhere = site.step("add-learner", kind, Guard::Nothing);
    assert_eq!(site.act(&elsewhere), Err("etcdserver: unhealthy cluster".to_owned()));
    assert_eq!(site.change("add-learner", ""), Ok(Done::Already));
    site.done("remove-member", &lost);
    site.done("add-learner", "");
    assert_eq!(site.change("add-learner", ""), Ok(Done::Already));
    let words = "etcdserver: too many learner members in cluster";
    assert_eq!(site.act(&elsewhere), Err(words.to_owned()));
}

#[test]
fn a_member_is_removed_only_where_the_rest_holds_the_quorum() {
    let few = "re-configuration failed due to not enough started members";
    let mut site = Site::new(&plain(3));
    let id = site.id();
    site.on("etcd-3", |member| member.process = None);
    site.refused("remove-member", &id, few);
    // One that has yet to tell its name did not start, for all that the others know.
    let mut site = Site::wiped(&plain(3));
    let lost = site.id();
    rows(&mut site).iter_mut().filter(|row| row.name == "etcd-3").for_each(|row| row.name.clear());
    assert!(site.change("remove-member", &lost).unwrap_err().contains(few));
    // With one down beside it three of the other four hold the quorum.
    let mut site = Site::wiped(&plain(5));
    let lost = site.id();
    site.on("etcd-5", |member| member.process = None);
    site.done("remove-member", &lost);
    // A learner may always go.
    let mut site = Site::joined(&plain(3));
    site.on("etcd-2", |member| member.process = None);
    let learner = site.id();
    site.done("remove-member", &learner);
    assert_eq!((site.voters(), site.list().len()), (2, 2));
}

#[test]
#[should_panic(expected = "I4 (remove before add) is broken")]
fn a_voter_that_runs_is_never_removed() {
    let mut site = Site::new(&plain(3));
    let id = site.id();
    let _ = site.change("remove-member", &id);
}

#[test]
fn a_learner_gets_its_vote_when_it_runs_and_has_caught_up() {
    let lags = "can only promote a learner member which is in sync with leader";
    let mut site = Site::added(&plain(3));
    site.refused("promote", "", lags);
    assert_eq!(site.start(), Ok(Done::Changed));
    let process = site.member_of("etcd-2").process.take();
    site.refused("promote", "", lags);
    // Nothing brings it closer: it is removed again, and has no vote at any moment.
    site.on("etcd-2", |member| (member.behind, member.process) = (1, process.clone()));
    let learner = site.id();
    let said = site.change("promote", "").unwrap_err();
    assert!(said.contains("it is removed again"), "{said}");
    assert!(site.world.lists.values().flatten().all(|listed| listed.id != learner));
    site.refused("promote", "", "member not found");
}

/// Two of three voters are enough, and two of four would not be.
#[test]
fn a_learner_makes_the_quorum_no_larger() {
    let mut site = Site::new(&plain(3));
    let url = "https://10.77.0.99:2380".to_owned();
    let new = Listed { id: "77".to_owned(), name: String::new(), peer_url: url, learner: true };
    rows(&mut site).push(new);
    site.on("etcd-3", |member| member.process = None);
    assert!(site.is_quorate());
}

/// The other two are the quorum, whether the learner runs or not.
#[test]
fn a_learner_does_not_count() {
    let mut site = Site::joined(&plain(3));
    assert!(site.is_quorate());
    let id = site.world.formed[&cluster(0)].clone();
    let key = (cluster(0), id);
    assert!(site.world.running()[&key].contains(&site.failed));
    assert!(!site.world.voting()[&key].contains(&site.failed));
    site.on("etcd-1", |member| member.process = None);
    assert!(!site.is_quorate());
    assert_eq!(site.world.leaders.get(&cluster(0)), None);
    site.on("etcd-3", |member| member.process = None);
    site.world.boot(&host("etcd-1"));
    site.world.boot(&host("etcd-3"));
    site.world.settle();
    assert!(site.is_quorate());
    assert_ne!(site.world.leaders[&cluster(0)], site.failed);
    // With its vote it is one of two that hold the quorum.
    site.done("promote", "");
    site.on("etcd-1", |member| member.process = None);
    assert!(site.is_quorate());
}

#[test]
fn the_list_shows_who_has_a_vote_and_who_started() {
    let row = |site: &Site| {
        let Observed::Known(etcd) = site.etcd("etcd-1") else { panic!("etcd-1 answers") };
        let Observed::Known(rows) = etcd.members else { panic!("etcd-1 lists") };
        rows.into_iter().find(|row| row.peer_urls == [site.peer_url()]).unwrap()
    };
    let mut site = Site::added(&plain(3));
    assert!(describe(&site.world).contains("unit of a formed cluster, learner"));
    let new = row(&site);
    assert!(new.name.is_empty() && new.client_urls.is_empty() && new.learner);
    assert_eq!(site.start(), Ok(Done::Changed));
    let started = row(&site);
    assert_eq!((started.name.as_str(), started.client_urls.len()), ("etcd-2", 1));
    assert!(started.learner);
    let Observed::Known(own) = site.etcd("etcd-2") else { panic!("etcd-2 answers") };
    assert!(own.learner && own.members.known().is_none());
    assert_eq!(own.member_id, started.id);
    assert!(describe(&site.world).contains("unit to join, log, running, learner"));
    site.done("promote", "");
    assert!(!row(&site).learner);
    let Observed::Known(own) = site.etcd("etcd-2") else { panic!("etcd-2 answers") };
    assert!(!own.learner && own.members.known().is_some());
}

fn rows(site: &mut Site) -> &mut Vec<Listed> {
    let id = site.world.formed[&cluster(0)].clone();
    site.world.lists.get_mut(&id).unwrap()
}
