//! With `mode = "kubeadm"`, kubeadm's record follows the API servers.

use std::collections::BTreeSet;

use inventories::{Inventory, KubernetesMode};
use planner::facts::{KubeadmConfig, KubeadmFacts};
use planner::plan::Verb;
use planner::{Observed, Policy, SiteFacts, Step, StepKind, plan};
use quorate_tests::checker::violations;
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{host, spec_of};
use quorate_tests::story::{apply, plan_of};
use quorate_tests::world::World;
use templates::apiserver::manifest::ClusterConfiguration;

use super::{checked, codes, name, of_verb, waits, wired, with_members};

const CONFIG: &str = "apiVersion: kubeadm.k8s.io/v1beta4
etcd:
  external:
    caFile: /etc/kubernetes/pki/etcd/ca.crt
    certFile: /etc/kubernetes/pki/apiserver-etcd-client.crt
    endpoints:
    - https://10.77.0.11:2379
    keyFile: /etc/kubernetes/pki/apiserver-etcd-client.key
kind: ClusterConfiguration
";

fn of_kubeadm(config: &str) -> (World, Inventory) {
    let (mut world, mut inventory) = wired(3);
    world.kubeadm = Some(config.to_owned());
    let prod = inventory.kubernetes.get_mut(&name()).unwrap();
    let manifest = prod.mode.manifest().unwrap().clone();
    prod.mode = KubernetesMode::Kubeadm { manifest };
    (world, inventory)
}

fn servers(world: &World) -> String {
    let text = world.kubeadm.as_ref().unwrap();
    ClusterConfiguration::read(text).unwrap().flags().unwrap()["etcd-servers"].clone()
}

#[test]
fn kubeadm_s_record_changes_after_the_last_api_server() {
    let (world, inventory) = of_kubeadm(CONFIG);
    let spec = spec_of(&inventory, &world.authorities);
    let plan = checked(&world, &spec);
    assert_eq!(plan.steps.len(), 1, "drift of the record alone is found");
    assert_eq!(of_verb(&plan, &Verb::KubeadmConfig).len(), 1);
    let (world, report) = apply(world, &spec, 4, None, Repeat::Twice);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    assert!(plan_of(&world, &spec).is_empty());

    let spec = with_members(&inventory, &world, &["etcd-1", "etcd-2", "etcd-4"]);
    let plan = checked(&world, &spec);
    let record = of_verb(&plan, &Verb::KubeadmConfig)[0];
    for ready in of_verb(&plan, &Verb::AwaitApiServer) {
        assert!(waits(&plan, record, ready), "{}", ready.id);
    }
    for number in 0..plan.steps.len() {
        let (stopped, _) = apply(world.clone(), &spec, 1, Some(Crash::After(number)), Repeat::Once);
        let (done, report) = apply(stopped, &spec, 4, None, Repeat::Once);
        assert_eq!(report.failed().count(), 0, "{number}: {}", done.story.join("\n"));
        assert!(plan_of(&done, &spec).is_empty(), "{number}");
        assert!(servers(&done).contains("10.77.0.14") && !servers(&done).contains("10.77.0.13"));
    }
}

#[test]
fn the_record_stays_while_one_api_server_stays() {
    let (mut world, inventory) = of_kubeadm(CONFIG);
    world.hosts.get_mut(&host("etcd-7")).unwrap().reachable = false;
    let plan = checked(&world, &spec_of(&inventory, &world.authorities));
    assert_eq!(of_verb(&plan, &Verb::KubeadmConfig).len(), 0);
    assert!(codes(&plan).contains(&"apiservers-wait"), "{:?}", codes(&plan));
}

#[test]
fn a_record_that_nobody_can_read_is_not_changed() {
    let (mut world, inventory) = of_kubeadm(CONFIG);
    for name in ["etcd-6", "etcd-7"] {
        world.hosts.get_mut(&host(name)).unwrap().api_server.as_mut().unwrap().process = None;
    }
    let plan = checked(&world, &spec_of(&inventory, &world.authorities));
    assert_eq!(of_verb(&plan, &Verb::KubeadmConfig).len(), 0);
    assert_eq!(of_verb(&plan, &Verb::AwaitApiServer).len(), 2, "they are waited for all the same");
    assert!(codes(&plan).contains(&"apiservers-wait"), "{:?}", codes(&plan));
}

/// kubeadm's next upgrade would give the API servers a member that is gone.
#[test]
fn a_member_stays_while_the_record_may_list_it() {
    let (world, inventory) = of_kubeadm(CONFIG);
    let first = spec_of(&inventory, &world.authorities);
    let (world, report) = apply(world, &first, 4, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    let spec = with_members(&inventory, &world, &["etcd-1", "etcd-2", "etcd-4"]);
    let facts = world.observe(&spec);
    let unread = |hosts: &[&str]| {
        let mut facts = facts.clone();
        for name in hosts {
            record(&mut facts, name).config = Observed::Unknown("connection refused".to_owned());
        }
        facts
    };
    for (facts, waits) in [
        (unread(&["etcd-6", "etcd-7"]), true),
        (unread(&["etcd-6"]), false),
        (facts.clone(), false),
    ] {
        let plan = plan(&spec, &facts, &Policy::default()).unwrap();
        assert_eq!(violations(&plan, &spec, &facts), Vec::<String>::new());
        let removes = |step: &&Step| matches!(step.kind, StepKind::RemoveListed { .. });
        assert_eq!(plan.steps.iter().any(|step| removes(&step)), !waits);
        let said: Vec<_> = plan.report.refused().map(|one| one.message.as_str()).collect();
        let is_said =
            said.iter().any(|one| one.contains("kubeadm-config of Kubernetes prod may list it"));
        assert_eq!(is_said, waits, "{said:?}");
    }
}

/// Both API servers list it no longer, and the record is not changed while one of them is away.
#[test]
fn a_member_stays_while_the_record_lists_it_and_stays_as_it_is() {
    let (world, inventory) = of_kubeadm(CONFIG);
    let first = spec_of(&inventory, &world.authorities);
    let (mut world, report) = apply(world, &first, 4, None, Repeat::Once);
    assert_eq!(report.failed().count(), 0, "{}", world.story.join("\n"));
    let old = "https://10.77.0.11:2379,https://10.77.0.12:2379,https://10.77.0.13:2379";
    for name in ["etcd-6", "etcd-7"] {
        super::held::rewrite(&mut world, name, old, &old.replace(".13:", ".14:"));
    }
    let spec = with_members(&inventory, &world, &["etcd-1", "etcd-2", "etcd-4"]);
    let mut facts = world.observe(&spec);
    record(&mut facts, "etcd-7").lacks = BTreeSet::from(["kubectl".to_owned()]);
    let plan = plan(&spec, &facts, &Policy::default()).unwrap();
    assert_eq!(of_verb(&plan, &Verb::KubeadmConfig).len(), 0);
    assert!(!plan.steps.iter().any(|step| matches!(step.kind, StepKind::RemoveListed { .. })));
    assert!(codes(&plan).contains(&"removal-waits"), "{:?}", codes(&plan));
}

#[test]
fn what_kubeadm_would_undo_is_not_done() {
    let stacked = "apiVersion: kubeadm.k8s.io/v1beta4\netcd:\n  local:\n    dataDir: /var/lib/etcd\n\
                   kind: ClusterConfiguration\n";
    let (world, inventory) = of_kubeadm(stacked);
    let spec = with_members(&inventory, &world, &["etcd-1", "etcd-2", "etcd-4"]);
    let facts = world.observe(&spec);
    let change = |change: &dyn Fn(&mut KubeadmFacts)| {
        let mut facts = facts.clone();
        for name in ["etcd-6", "etcd-7"] {
            change(record(&mut facts, name));
        }
        facts
    };
    let lacks = change(&|seen| {
        seen.config = Observed::Unknown("nobody asked".to_owned());
        seen.lacks = BTreeSet::from(["kubectl".to_owned()]);
    });
    let gone = change(&|seen| seen.config = Observed::Absent);
    let odd = change(&|seen| {
        let flags = Err("line 1: odd".to_owned());
        seen.config = Observed::Known(KubeadmConfig { sha256: String::new(), flags });
    });
    for (facts, code) in [
        (facts.clone(), "apiserver-unread"),
        (lacks, "missing-tools"),
        (gone, "apiserver-unread"),
        (odd, "apiserver-unread"),
    ] {
        let plan = plan(&spec, &facts, &Policy::default()).unwrap();
        assert_eq!(violations(&plan, &spec, &facts), Vec::<String>::new());
        assert!(codes(&plan).contains(&code), "{:?}", codes(&plan));
        assert_eq!(of_verb(&plan, &Verb::WireApiServer).len(), 0);
    }
}

fn record<'f>(facts: &'f mut SiteFacts, name: &str) -> &'f mut KubeadmFacts {
    let Some(Observed::Known(seen)) = facts.hosts.get_mut(&host(name)) else {
        panic!("{name} was seen")
    };
    seen.apiserver.as_mut().unwrap().kubeadm.as_mut().unwrap()
}
