//! Members of a formed cluster that the inventory gives other addresses or ports move one at a time, and the cluster
//! keeps its quorum meanwhile.

use std::collections::BTreeMap;
use std::net::IpAddr;

use inventories::Inventory;
use inventories::inventory::Runtime;
use planner::plan::{Guard, Verb};
use planner::report::FindingCode;
use planner::{Plan, Policy, SiteSpec, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::drift::Drift;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, spec_of};
use quorate_tests::story::{apply, apply_with, formed, plan_of};
use quorate_tests::world::World;

/// A formed cluster, and the inventory that it was formed from.
struct Site {
    world: World,
    inventory: Inventory,
}

/// Which addresses a host has while the inventory gives it a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Has {
    Both,
    New,
}

fn old(number: u8) -> IpAddr {
    IpAddr::from([10, 77, 0, 10 + number])
}

/// In another network.
fn new(number: u8) -> IpAddr {
    IpAddr::from([10, 88, 0, 10 + number])
}

impl Site {
    fn new(shape: &Shape) -> Self {
        let (world, spec) = shape.world();
        Self { world: formed(world, &spec), inventory: shape.inventory() }
    }

    /// The inventory moves the member on `etcd-NUMBER`, whose host has these addresses.
    fn moves(mut self, number: u8, has: Has) -> Self {
        let name = host(&format!("etcd-{number}"));
        let entry = self.inventory.hosts.get_mut(&name).unwrap();
        (entry.address, entry.peer_address) = (new(number), new(number));
        (entry.listen_address, entry.peer_listen_address) = (new(number), new(number));
        let had = [old(number)].into_iter().filter(|_| has == Has::Both);
        self.world.renumber(&name, had.chain([new(number)]));
        self
    }

    fn spec(&self) -> SiteSpec {
        spec_of(&self.inventory, &self.world.authorities)
    }

    fn plan(&self) -> Plan {
        let plan = plan_of(&self.world, &self.spec());
        let found = violations(&plan, &self.spec(), &self.world.observe(&self.spec()));
        assert_eq!(found, Vec::<String>::new());
        plan
    }
}

/// The steps of these verbs, in the order of the plan.
fn steps(plan: &Plan, verbs: &[Verb]) -> Vec<String> {
    let these = plan.steps.iter().filter(|step| verbs.contains(&step.id.verb));
    these.map(|step| step.id.to_string()).collect()
}

fn moves(plan: &Plan) -> Vec<String> {
    steps(plan, &[Verb::MoveLeader, Verb::UpdatePeerUrl, Verb::Restart, Verb::Start, Verb::Rejoin])
}

/// Where the cluster lists each member, and where clients find it.
fn listed(world: &World) -> BTreeMap<String, (String, String)> {
    let id = &world.formed["c0"];
    let row = |row: &quorate_tests::roster::Listed| {
        let client = world.published[&(id.clone(), row.id.clone())].clone();
        (row.name.clone(), (row.peer_url.clone(), client))
    };
    world.lists[id].iter().map(row).collect()
}

/// Applies until nothing is left: once for the moves, and once for certificates that name the new places alone.
fn settled(mut world: World, spec: &SiteSpec, policy: &Policy) -> World {
    for _ in 0..2 {
        let facts = world.observe(spec);
        if plan(spec, &facts, policy).unwrap().is_empty() {
            break;
        }
        let (done, report) = apply_with(world, spec, policy, 4, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{}", done.story.join("\n"));
        world = done;
    }
    let left = plan(spec, &world.observe(spec), policy).unwrap();
    assert!(left.is_empty(), "{left:#?}\n{}", world.story.join("\n"));
    for (name, member) in &spec.clusters["c0"].members {
        let urls = (member.member.peer_url().to_string(), member.member.client_url().to_string());
        assert_eq!(listed(&world)[name.as_str()], urls);
    }
    world
}

/// Kills an apply before and after each of its steps: what is left is done by the next ones.
fn after_every_crash(site: &Site, policy: &Policy) {
    let spec = site.spec();
    let whole = plan(&spec, &site.world.observe(&spec), policy).unwrap();
    assert!(!whole.is_empty());
    for number in 0..whole.steps.len() {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let world = site.world.clone();
            let (stopped, _) = apply_with(world, &spec, policy, 1, Some(crash), Repeat::Once);
            settled(stopped, &spec, policy);
        }
    }
}

#[test]
fn a_member_moves_in_its_turn_and_the_others_stay() {
    let site = Site::new(&plain(3)).moves(2, Has::Both);
    let plan = site.plan();
    assert_eq!(
        moves(&plan),
        ["etcd-2/c0/update-peer-url", "etcd-2/c0/restart", "etcd-2/c0/rejoin"]
    );
    let update = plan.step(&"etcd-2/c0/update-peer-url".parse().unwrap()).unwrap();
    let Guard::OthersHealthy { clusters } = &update.guard else { panic!("{update:?}") };
    assert_eq!(clusters["c0"].needed, 2);
    let up: Vec<_> = plan.report.quorum.iter().map(|note| (note.what.as_str(), note.up)).collect();
    assert_eq!(up, [("move etcd-2", 2)]);
    let told = "etcd-2 of cluster c0 answers at https://10.88.0.12:2379 once it has started there; update API servers \
                that use https://10.77.0.12:2379";
    assert!(plan.report.clients.iter().any(|line| line == told), "{:?}", plan.report.clients);
    settled(site.world.clone(), &site.spec(), &Policy::default());
}

/// Its certificates name both places before it moves: until then it is found at the old one.
#[test]
fn certificates_for_both_places_are_tried_before_anybody_moves() {
    let site = Site::new(&plain(3)).moves(2, Has::Both).moves(3, Has::Both);
    let plan = site.plan();
    for name in ["etcd-2", "etcd-3"] {
        let id = |verb: Verb| format!("{name}/c0/{verb}").parse().unwrap();
        let StepKind::InstallCertificates { leaves, .. } =
            &plan.step(&id(Verb::Certificates)).unwrap().kind
        else {
            panic!("{plan:#?}")
        };
        let number = name.as_bytes()[5] - b'0';
        for leaf in &leaves[..2] {
            for address in [old(number), new(number)] {
                let san = inventories::inventory::San::Ip(address);
                assert!(leaf.sans().contains(&san), "{leaf:?} lacks {address}");
            }
        }
        let trial = plan.step(&id(Verb::Trial)).unwrap();
        let StepKind::TryCertificates { client, peer, .. } = &trial.kind else {
            panic!("{trial:?}")
        };
        assert_eq!((client.ip(), peer.ip()), (old(number), old(number)));
        let first = plan.steps.iter().position(|step| step.id.verb == Verb::UpdatePeerUrl).unwrap();
        let tried = plan.steps.iter().position(|step| step.id == trial.id).unwrap();
        assert!(tried < first);
    }
}

/// Members that have moved are asked at their new URLs, and the others at those that they still have.
#[test]
fn all_move_one_after_the_other_and_the_leader_last() {
    let mut site = Site::new(&plain(3));
    site.world.leaders.insert(cluster(0), host("etcd-1"));
    let site = (1..=3).fold(site, |site, number| site.moves(number, Has::Both));
    let plan = site.plan();
    let order = steps(&plan, &[Verb::MoveLeader, Verb::UpdatePeerUrl]);
    assert_eq!(
        order,
        [
            "etcd-2/c0/update-peer-url",
            "etcd-3/c0/update-peer-url",
            "etcd-1/c0/move-leader",
            "etcd-1/c0/update-peer-url"
        ]
    );
    let others = |id: &str| match &plan.step(&id.parse().unwrap()).unwrap().kind {
        StepKind::UpdatePeerUrl { others, .. }
        | StepKind::AwaitRejoin { others, .. }
        | StepKind::MoveLeader { others, .. } => others.values().cloned().collect::<Vec<_>>(),
        kind => panic!("{kind:?}"),
    };
    let of = |first: IpAddr, second: IpAddr| {
        [first, second].map(|address| format!("https://{address}:2379")).to_vec()
    };
    assert_eq!(others("etcd-2/c0/update-peer-url"), of(old(1), old(3)));
    assert_eq!(others("etcd-3/c0/rejoin"), of(old(1), new(2)));
    assert_eq!(others("etcd-1/c0/move-leader"), of(new(2), new(3)));
    settled(site.world.clone(), &site.spec(), &Policy::default());
}

#[test]
fn moves_that_are_killed_anywhere_are_finished_by_the_next_applies() {
    let pods = Shape { runtime: Runtime::StaticPod, ..plain(3) };
    after_every_crash(
        &Site::new(&pods).moves(1, Has::Both).moves(3, Has::Both),
        &Policy::default(),
    );
    let site = || Site::new(&plain(3));
    after_every_crash(&site().moves(1, Has::Both), &Policy::default());
    let all = (1..=3).fold(site(), |site, number| site.moves(number, Has::Both));
    after_every_crash(&all, &Policy::default());
}

/// Its process listens where nobody reaches it any more, or has ended.
#[test]
fn a_member_whose_host_has_only_the_new_address_moves_too() {
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        for runs in [true, false] {
            let mut site = Site::new(&Shape { runtime, ..plain(3) }).moves(2, Has::New);
            let member = site.world.hosts.get_mut("etcd-2").unwrap().members.get_mut("c0").unwrap();
            if !runs {
                member.process = None;
            }
            site.world.settle();
            let turn = if runs || runtime == Runtime::StaticPod { "restart" } else { "start" };
            let turn = if runs { turn } else { "start" };
            let expected = ["update-peer-url", turn, "rejoin"];
            assert_eq!(moves(&site.plan()), expected.map(|verb| format!("etcd-2/c0/{verb}")));
            after_every_crash(&site, &Policy::default());
            // Nobody asked the host of one that is down whether it has its old address.
            let (done, _) = apply(site.world.clone(), &site.spec(), 4, None, Repeat::Once);
            assert_eq!(plan_of(&done, &site.spec()).is_empty(), runs);
        }
    }
}

#[test]
fn two_of_five_that_are_down_move_one_after_the_other_and_then_one_that_runs() {
    let mut site = Site::new(&plain(5)).moves(2, Has::New).moves(4, Has::New).moves(1, Has::Both);
    for name in ["etcd-2", "etcd-4"] {
        let member = site.world.hosts.get_mut(name).unwrap().members.get_mut("c0").unwrap();
        member.process = None;
    }
    site.world.settle();
    let plan = site.plan();
    let step = |id: &str| plan.step(&id.parse().unwrap()).unwrap();
    let update = step("etcd-4/c0/update-peer-url");
    assert!(update.after.contains(&"etcd-2/c0/rejoin".parse().unwrap()), "{update:?}");
    let Guard::OthersHealthy { clusters } = &update.guard else { panic!("{update:?}") };
    assert_eq!(clusters["c0"].needed, 3);
    after_every_crash(&site, &Policy::default());
}

#[test]
fn without_a_quorum_nobody_moves_and_the_ways_out_are_reported() {
    let site = (1..=3).fold(Site::new(&plain(3)), |site, number| site.moves(number, Has::New));
    let plan = site.plan();
    assert_eq!(moves(&plan), Vec::<String>::new());
    let blocked: Vec<_> = plan.report.blocked.iter().map(|blocked| &blocked.finding).collect();
    let found =
        blocked.iter().find(|finding| finding.code == FindingCode::ChangingAddress).unwrap();
    let hint = found.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("former addresses") && hint.contains("quorate restore"), "{hint}");
}

#[test]
fn two_members_do_not_swap_their_addresses() {
    let mut site = Site::new(&plain(3));
    for (one, other) in [(1, 2), (2, 1)] {
        let entry = site.inventory.hosts.get_mut(&host(&format!("etcd-{one}"))).unwrap();
        (entry.address, entry.peer_address) = (old(other), old(other));
        (entry.listen_address, entry.peer_listen_address) = (old(other), old(other));
        site.world.renumber(&host(&format!("etcd-{one}")), [old(1), old(2)]);
    }
    let plan = site.plan();
    assert_eq!(moves(&plan), Vec::<String>::new());
    let is_it = |code: FindingCode| code == FindingCode::ChangingAddress;
    assert!(plan.report.blocked.iter().any(|blocked| is_it(blocked.finding.code)), "{plan:#?}");
}

/// The cluster lists it where it was, and its unit was changed on the host.
#[test]
fn a_member_that_somebody_restarted_elsewhere_is_listed_there() {
    let mut site = Site::new(&plain(3)).moves(2, Has::Both);
    let member = site.world.hosts.get_mut("etcd-2").unwrap().members.get_mut("c0").unwrap();
    let unit = member.unit.clone().unwrap();
    let by_hand = unit.replace(&old(2).to_string(), &new(2).to_string());
    member.loaded = Some((by_hand.clone(), true));
    (member.unit, member.process) = (Some(by_hand.clone()), Some(by_hand));
    site.world.settle();
    assert_eq!(steps(&site.plan(), &[Verb::UpdatePeerUrl]), ["etcd-2/c0/update-peer-url"]);
    after_every_crash(&site, &Policy::default());
}

/// The units of the others name its new place before it is there; its own does not.
#[test]
fn a_cluster_that_stopped_before_anybody_moved_is_not_started_elsewhere() {
    let mut site = Site::new(&plain(3)).moves(2, Has::Both).moves(3, Has::Both);
    let whole = site.plan();
    let first = whole.steps.iter().position(|step| step.id.verb == Verb::UpdatePeerUrl).unwrap();
    let (world, spec) = (site.world.clone(), site.spec());
    let (mut world, _) = apply(world, &spec, 1, Some(Crash::Before(first)), Repeat::Once);
    for host in world.hosts.values_mut() {
        host.members.values_mut().for_each(|member| member.process = None);
    }
    world.settle();
    site.world = world;
    let plan = site.plan();
    let is_it = |code: FindingCode| code == FindingCode::ChangingAddress;
    assert!(plan.report.blocked.iter().any(|blocked| is_it(blocked.finding.code)), "{plan:#?}");
    assert!(!steps(&plan, &[Verb::Start]).contains(&"etcd-2/c0/start".to_owned()));
}

#[test]
fn a_single_member_updates_itself_in_an_announced_outage() {
    let site = Site::new(&plain(1)).moves(1, Has::Both);
    let careful = site.plan();
    assert_eq!(moves(&careful), Vec::<String>::new());
    let held: Vec<_> = careful.report.held.iter().map(|held| held.code).collect();
    assert_eq!(held, [FindingCode::NeedsOutage]);
    let allowed = Policy { allow_outage: [cluster(0)].into(), ..Policy::default() };
    let plan = plan(&site.spec(), &site.world.observe(&site.spec()), &allowed).unwrap();
    let update = plan.step(&"etcd-1/c0/update-peer-url".parse().unwrap()).unwrap();
    let StepKind::UpdatePeerUrl { others, .. } = &update.kind else { panic!("{update:?}") };
    assert_eq!(others.values().collect::<Vec<_>>(), ["https://127.0.0.1:2379"]);
    after_every_crash(&site, &allowed);
}

/// Its files are taken from its process within the same turn, so its certificates come with it too.
#[test]
fn a_member_moves_and_gets_an_account_of_another_number_in_one_turn() {
    let mut site = Site::new(&plain(3)).moves(2, Has::Both);
    Drift::NewAccount.apply_to(&mut site.world, &host("etcd-2"));
    assert_eq!(
        moves(&site.plan()),
        ["etcd-2/c0/update-peer-url", "etcd-2/c0/restart", "etcd-2/c0/rejoin"]
    );
    after_every_crash(&site, &Policy::default());
    // Another one that moves would have to trust certificates that come later.
    let plan = site.moves(3, Has::Both).plan();
    assert_eq!(moves(&plan), Vec::<String>::new());
    assert_eq!(
        plan.report.held.iter().map(|held| held.code).collect::<Vec<_>>(),
        [FindingCode::RollWaits]
    );
}

/// Ports are a part of the same URLs.
#[test]
fn members_move_to_other_ports_of_the_hosts_that_they_are_on() {
    for ports in [(2479, 2380), (2379, 2480), (2479, 2480)] {
        let mut site = Site::new(&plain(3));
        for cluster in site.inventory.clusters.values_mut() {
            (cluster.ports.client, cluster.ports.peer) = ports;
        }
        for number in 1..=3 {
            site.world.renumber(&host(&format!("etcd-{number}")), [old(number)]);
        }
        let updates = steps(&site.plan(), &[Verb::UpdatePeerUrl]).len();
        assert_eq!(updates, if ports.1 == 2380 { 0 } else { 3 });
        after_every_crash(&site, &Policy::default());
    }
}

#[test]
fn nobody_moves_while_a_member_joins_and_nobody_joins_while_a_member_moves() {
    let mut site = Site::new(&Shape { hosts: plain(4).hosts, ..plain(3) }).moves(2, Has::Both);
    for cluster in site.inventory.clusters.values_mut() {
        cluster.members = ["etcd-2", "etcd-3", "etcd-4"].map(host).to_vec();
    }
    let plan = site.plan();
    assert_eq!(moves(&plan), Vec::<String>::new());
    let is_change = |kind: &StepKind| {
        matches!(kind, StepKind::AddLearner { .. } | StepKind::RemoveListed { .. })
    };
    assert!(!plan.steps.iter().any(|step| is_change(&step.kind)));
    assert!(plan.report.held.len() > 1, "{:?}", plan.report.held);
}
