//! API servers get the members that they use, one at a time, and are never without a live one.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]

mod held;
mod kubeadm;
mod switching;

use std::collections::BTreeMap;

use inventories::inventory::Place;
use inventories::{
    Inventory, KeyPrefix, Kubernetes, KubernetesMode, KubernetesName, StoredResource,
};
use planner::plan::{ApiServerStep, Leaver, Verb};
use planner::{Plan, Policy, SiteSpec, Step, StepKind, plan};
use quorate_tests::api_server::SimApiServer;
use quorate_tests::checker::violations;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, host, plain, spec_of};
use quorate_tests::story::{apply, apply_with, formed, plan_of};
use quorate_tests::world::World;

/// Three members and two API servers on hosts of their own, as kubeadm set them up for an etcd that never was.
fn site(members: usize) -> (World, Inventory) {
    site_of(vec![members])
}

/// The same, with clusters of so many members.
fn site_of(clusters: Vec<usize>) -> (World, Inventory) {
    let hosts = plain(7).hosts;
    let shape = Shape { hosts, clusters, ..plain(7) };
    let (mut world, _) = shape.world();
    let mut inventory = shape.inventory();
    inventory.kubernetes.insert(name(), kubernetes(&["etcd-6", "etcd-7"]));
    for name in ["etcd-6", "etcd-7"] {
        let server = SimApiServer::of_kubeadm("https://10.77.0.11:2379");
        let Some(state) = world.hosts.get_mut(&host(name)) else { panic!("there is no {name}") };
        state.api_server = Some(server);
    }
    (world, inventory)
}

fn name() -> KubernetesName {
    KubernetesName::new("prod").unwrap_or_else(|error| panic!("prod {error}"))
}

fn kubernetes(hosts: &[&str]) -> Kubernetes {
    let manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml".to_owned();
    Kubernetes {
        apiservers: hosts.iter().map(|name| host(name)).collect(),
        cluster: cluster(0),
        overrides: BTreeMap::new(),
        prefix: KeyPrefix::default(),
        mode: KubernetesMode::StaticPod { manifest },
        flags: BTreeMap::new(),
        place: Place { file: "quorate.toml".to_owned(), line: 30 },
        places: BTreeMap::new(),
    }
}

/// A site whose API servers are wired.
fn wired(members: usize) -> (World, Inventory) {
    let (world, inventory) = site(members);
    let spec = spec_of(&inventory, &world.authorities);
    let world = formed(world, &spec);
    assert!(plan_of(&world, &spec).is_empty());
    (world, inventory)
}

fn with_members(inventory: &Inventory, world: &World, members: &[&str]) -> SiteSpec {
    let mut inventory = inventory.clone();
    for wanted in inventory.clusters.values_mut() {
        wanted.members = members.iter().map(|name| host(name)).collect();
    }
    spec_of(&inventory, &world.authorities)
}

fn of_verb<'p>(plan: &'p Plan, verb: &Verb) -> Vec<&'p Step> {
    plan.steps.iter().filter(|step| step.id.verb == *verb).collect()
}

/// Whether one step waits for another, by whatever chain.
fn waits(plan: &Plan, later: &Step, first: &Step) -> bool {
    later.after.contains(&first.id)
        || later.after.iter().filter_map(|id| plan.step(id)).any(|step| waits(plan, step, first))
}

fn checked(world: &World, spec: &SiteSpec) -> Plan {
    let plan = plan_of(world, spec);
    assert_eq!(violations(&plan, spec, &world.observe(spec)), Vec::<String>::new());
    plan
}

/// Kills an apply before and after each step that decides which members an API server has. The next one finishes it, and
/// no API server is without a live member at the end; on the way the world itself sees to that.
fn killed_at_each_turn(world: &World, spec: &SiteSpec) {
    let decides = |step: &Step| {
        let serves = matches!(step.kind, StepKind::RemoveListed { .. });
        serves || matches!(step.kind, StepKind::ApiServer(_)) || step.id.verb == Verb::Promote
    };
    let steps = plan_of(world, spec).steps;
    for number in (0..steps.len()).filter(|number| decides(&steps[*number])) {
        for crash in [Crash::Before(number), Crash::After(number)] {
            let (stopped, _) = apply(world.clone(), spec, 1, Some(crash), Repeat::Once);
            let (done, report) = apply(stopped, spec, 4, None, Repeat::Once);
            assert_eq!(report.failed().count(), 0, "{crash:?}: {}", done.story.join("\n"));
            assert!(plan_of(&done, spec).is_empty(), "{crash:?}");
            for name in ["etcd-6", "etcd-7"] {
                assert!(done.api_server_is_ready(&host(name)), "{crash:?}");
            }
        }
    }
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.report.refused().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn one_api_server_changes_at_a_time_and_is_awaited() {
    let (world, inventory) = site(3);
    let spec = spec_of(&inventory, &world.authorities);
    let plan = checked(&world, &spec);
    let wires = of_verb(&plan, &Verb::WireApiServer);
    let awaits = of_verb(&plan, &Verb::AwaitApiServer);
    assert_eq!((wires.len(), awaits.len()), (2, 2));
    assert!(waits(&plan, wires[1], awaits[0]) || waits(&plan, wires[0], awaits[1]));
    for (wire, ready) in wires.iter().zip(&awaits) {
        assert!(waits(&plan, ready, wire));
    }
}

#[test]
fn api_servers_wait_for_the_cluster_to_be_formed() {
    let (world, inventory) = site(3);
    let spec = spec_of(&inventory, &world.authorities);
    let plan = checked(&world, &spec);
    let proof = of_verb(&plan, &Verb::Prove);
    for step in of_verb(&plan, &Verb::WireApiServer) {
        assert!(waits(&plan, step, proof[0]), "{}", step.id);
    }
}

#[test]
fn an_apply_twice_is_as_one_and_secrets_of_a_manifest_are_in_no_plan() {
    let (mut world, inventory) = site(3);
    for name in ["etcd-6", "etcd-7"] {
        let server = world.hosts.get_mut(&host(name)).unwrap().api_server.as_mut().unwrap();
        server.manifest = server.manifest.replace("--secure-port=6443", "--token=hunter2");
        server.process = Some(server.manifest.clone());
    }
    let spec = spec_of(&inventory, &world.authorities);
    let shown = serde_json::to_string(&plan_of(&world, &spec)).unwrap();
    assert!(shown.contains("wire-apiserver") && !shown.contains("hunter2"));
    let (twice, report) = apply(world, &spec, 4, None, Repeat::Twice);
    assert_eq!(report.failed().count(), 0, "{}", twice.story.join("\n"));
    assert!(plan_of(&twice, &spec).is_empty());
}

#[test]
fn a_member_goes_after_every_api_server_has_its_new_list() {
    let (world, inventory) = wired(3);
    let spec = with_members(&inventory, &world, &["etcd-1", "etcd-2", "etcd-4"]);
    let plan = checked(&world, &spec);
    let serves =
        |step: &&&Step| matches!(step.kind, StepKind::RemoveListed { leaver: Leaver::Serves, .. });
    let all: Vec<&Step> = plan.steps.iter().collect();
    let removal = all.iter().find(serves).unwrap();
    let promote = of_verb(&plan, &Verb::Promote);
    let wires = of_verb(&plan, &Verb::WireApiServer);
    assert_eq!(wires.len(), 2);
    for wire in wires {
        assert!(waits(&plan, wire, promote[0]), "{}", wire.id);
    }
    for ready in of_verb(&plan, &Verb::AwaitApiServer) {
        assert!(waits(&plan, removal, ready), "{}", ready.id);
    }
    killed_at_each_turn(&world, &spec);
}

#[test]
fn two_members_are_swapped_and_no_api_server_is_ever_without_a_live_one() {
    let (world, inventory) = wired(3);
    let spec = with_members(&inventory, &world, &["etcd-1", "etcd-4", "etcd-5"]);
    checked(&world, &spec);
    killed_at_each_turn(&world, &spec);
}

#[test]
fn a_member_stays_while_an_api_server_may_use_it() {
    let (mut world, inventory) = wired(3);
    let spec = with_members(&inventory, &world, &["etcd-1", "etcd-2", "etcd-4"]);
    world.hosts.get_mut(&host("etcd-7")).unwrap().reachable = false;
    let plan = checked(&world, &spec);
    let removes = |step: &&Step| matches!(step.kind, StepKind::RemoveListed { .. });
    assert_eq!(plan.steps.iter().filter(removes).count(), 0);
    assert!(codes(&plan).contains(&"removal-waits"), "{:?}", codes(&plan));
}

#[test]
fn no_api_server_changes_while_another_is_away() {
    let (mut world, inventory) = wired(3);
    let spec = spec_of(&inventory, &world.authorities);
    let server = world.hosts.get_mut(&host("etcd-6")).unwrap().api_server.as_mut().unwrap();
    server.manifest = server.manifest.replace(",https://10.77.0.13:2379", "");
    server.process = Some(server.manifest.clone());
    world.hosts.get_mut(&host("etcd-7")).unwrap().reachable = false;
    let plan = checked(&world, &spec);
    assert_eq!(of_verb(&plan, &Verb::WireApiServer).len(), 0);
    assert!(codes(&plan).contains(&"apiservers-wait"), "{:?}", codes(&plan));
    world.hosts.get_mut(&host("etcd-7")).unwrap().reachable = true;
    let (world, report) = apply(world, &spec, 4, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    assert!(plan_of(&world, &spec).is_empty());
}

/// An earlier run was killed just after it edited etcd-7, whose process is about to end.
#[test]
fn an_api_server_that_an_earlier_run_changed_is_back_before_another_one_changes() {
    let (mut world, inventory) = wired(3);
    for name in ["etcd-6", "etcd-7"] {
        let server = world.hosts.get_mut(&host(name)).unwrap().api_server.as_mut().unwrap();
        let before = server.manifest.replace(",https://10.77.0.13:2379", "");
        server.process = Some(before.clone());
        if name == "etcd-6" {
            server.manifest = before;
        }
    }
    let plan = checked(&world, &spec_of(&inventory, &world.authorities));
    let wires = of_verb(&plan, &Verb::WireApiServer);
    assert_eq!(wires.iter().map(|step| step.host().as_str()).collect::<Vec<_>>(), ["etcd-6"]);
    let pending = plan.step(&"etcd-7/await-apiserver".parse().unwrap()).unwrap();
    assert!(waits(&plan, wires[0], pending));
}

#[test]
fn members_move_after_the_api_servers_list_both_places() {
    let (world, inventory) = wired(3);
    let mut moved = inventory;
    moved.clusters.get_mut(&cluster(0)).unwrap().ports.client = 2479;
    let spec = spec_of(&moved, &world.authorities);
    let plan = checked(&world, &spec);
    let StepKind::ApiServer(ApiServerStep::Wire { flags, .. }) =
        &of_verb(&plan, &Verb::WireApiServer)[0].kind
    else {
        panic!("the list changes")
    };
    let servers = flags["etcd-servers"].clone().unwrap();
    assert!(servers.contains("10.77.0.11:2379") && servers.contains("10.77.0.11:2479"));
    for restart in of_verb(&plan, &Verb::Restart) {
        for ready in of_verb(&plan, &Verb::AwaitApiServer) {
            assert!(waits(&plan, restart, ready), "{}", restart.id);
        }
    }
    let (world, report) = apply(world, &spec, 4, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    let (world, report) = apply(world, &spec, 4, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    assert!(plan_of(&world, &spec).is_empty());
}

/// The answer to the question whether it is back would be the same before and after.
#[test]
fn an_api_server_that_tells_strangers_nothing_is_not_changed() {
    let (mut world, inventory) = site(3);
    let server = world.hosts.get_mut(&host("etcd-7")).unwrap().api_server.as_mut().unwrap();
    server.manifest = server.manifest.replace("--secure-port=6443", "--anonymous-auth=false");
    let mut down = world.clone();
    down.hosts.get_mut(&host("etcd-7")).unwrap().api_server.as_mut().unwrap().process = None;
    let server = world.hosts.get_mut(&host("etcd-7")).unwrap().api_server.as_mut().unwrap();
    server.process = Some(server.manifest.clone());
    let spec = spec_of(&inventory, &world.authorities);
    for world in [formed(world, &spec), down] {
        let plan = checked(&world, &spec);
        let blocked = plan.report.blocked.iter().map(|blocked| &blocked.finding);
        let said: Vec<_> = blocked.map(|finding| finding.message.as_str()).collect();
        assert!(said.len() == 1 && said[0].contains("anonymous"), "{said:?}");
        let wires = of_verb(&plan, &Verb::WireApiServer);
        assert!(wires.iter().all(|step| step.host() != &host("etcd-7")));
    }
}

#[test]
fn an_api_server_whose_etcd_nobody_knows_is_not_changed() {
    let (mut world, inventory) = wired(3);
    let server = world.hosts.get_mut(&host("etcd-7")).unwrap().api_server.as_mut().unwrap();
    let servers = server.manifest.lines().find(|line| line.contains("--etcd-servers=")).unwrap();
    server.manifest = server.manifest.replace(&format!("{servers}\n"), "");
    server.process = Some(server.manifest.clone());
    let plan = checked(&world, &spec_of(&inventory, &world.authorities));
    assert_eq!(codes(&plan), ["apiserver-unread"]);
    assert_eq!(of_verb(&plan, &Verb::WireApiServer).len(), 0);
}

#[test]
fn another_etcd_prefix_or_override_needs_a_word_of_the_operator() {
    let (mut world, inventory) = wired(3);
    let prefix = |inventory: &mut Inventory| {
        let prod = inventory.kubernetes.get_mut(&name()).unwrap();
        prod.prefix = KeyPrefix::new("/other").unwrap();
    };
    let override_of = |what: &'static str| {
        move |inventory: &mut Inventory| {
            let prod = inventory.kubernetes.get_mut(&name()).unwrap();
            prod.overrides.insert(StoredResource::new(what).unwrap(), cluster(0));
        }
    };
    type Change<'c> = &'c dyn Fn(&mut Inventory);
    let changes: [(Change<'_>, bool); 3] =
        [(&prefix, true), (&override_of("/secrets"), true), (&override_of("/events"), false)];
    for (change, is_refused) in changes {
        let mut inventory = inventory.clone();
        change(&mut inventory);
        let spec = spec_of(&inventory, &world.authorities);
        let plan = checked(&world, &spec);
        assert_eq!(codes(&plan).contains(&"other-etcd"), is_refused, "{:?}", codes(&plan));
        assert_eq!(of_verb(&plan, &Verb::WireApiServer).is_empty(), is_refused);
    }
    for name in ["etcd-6", "etcd-7"] {
        let mut server = SimApiServer::of_kubeadm("https://10.88.0.1:2379");
        server.other = Some(("cafe".to_owned(), 188));
        world.hosts.get_mut(&host(name)).unwrap().api_server = Some(server);
    }
    let spec = spec_of(&inventory, &world.authorities);
    let refused = checked(&world, &spec);
    assert_eq!(codes(&refused), ["other-etcd", "other-etcd"]);
    let message = &refused.report.blocked[0].finding.message;
    assert!(message.contains("cafe with 188 keys"), "{message}");
    let allowed = Policy { allow_switch: [name()].into(), ..Policy::default() };
    let wanted = plan(&spec, &world.observe(&spec), &allowed).unwrap();
    assert_eq!(of_verb(&wanted, &Verb::WireApiServer).len(), 2);
    let (world, report) = apply_with(world, &spec, &allowed, 4, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    assert!(plan_of(&world, &spec).is_empty());
}
