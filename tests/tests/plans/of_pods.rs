//! Members that run as pods, and the kubelet that runs them: what is not so is in the plan.

use engine::hosts::{Bindings, Done};
use inventories::inventory::{CgroupDriver, Kubelet, Runtime};
use planner::facts::{KubeletFacts, Observed, SiteFacts};
use planner::plan::{Action, Why};
use planner::report::FindingCode;
use planner::{Plan, SiteSpec, Step, StepKind};
use quorate_tests::seen::{host, known, member};
use quorate_tests::site::{Shape, cluster, plain};
use quorate_tests::story::{formed, plan_of};
use quorate_tests::world::World;
use templates::Layout;
use templates::kubelet::{config, drop_in};

use crate::{file, planned};

fn pods(members: usize) -> Shape {
    Shape { runtime: Runtime::StaticPod, ..plain(members) }
}

fn site() -> (SiteSpec, SiteFacts) {
    let (world, spec) = pods(3).world();
    let facts = formed(world, &spec).observe(&spec);
    (spec, facts)
}

/// Each step of the plan by its verb, with what differs. Those that only make another one safe are left out.
fn drift(plan: &Plan) -> Vec<(String, Action, Vec<String>)> {
    let is_drift = |step: &&Step| !matches!(step.why, Why::Safety { .. });
    let steps = plan.steps.iter().filter(is_drift).map(|step| {
        assert_eq!(step.host().as_str(), "etcd-2");
        let changes = match &step.why {
            Why::Drift { changes } => changes.clone(),
            Why::Wanted { .. } => Vec::new(),
            why => panic!("{why:?}"),
        };
        (step.id.verb.to_string(), step.action, changes)
    });
    steps.collect()
}

/// A kubelet looks neither at comments nor at who may read: the pod stays.
#[test]
fn a_manifest_whose_pod_is_the_same_is_written_again() {
    let path = Layout::new(&cluster(0)).pod_manifest();
    let (spec, mut facts) = site();
    let manifest = known(member(&mut facts, "etcd-2").files.get_mut(&path).unwrap());
    manifest.text = manifest.text.as_ref().map(|text| format!("{text}# by hand\n"));
    manifest.mode = 0o644;
    let changes = vec!["- # by hand".to_owned(), format!("{path}: mode 0644 -> 0600")];
    let found = drift(&planned(&spec, &facts));
    let [(verb, Action::Update, said)] = &found[..] else { panic!("{found:?}") };
    assert_eq!(verb, "manifest");
    for change in changes {
        assert!(said.iter().any(|line| line.contains(&change)), "{change}: {said:?}");
    }
}

/// No pod can unset them.
#[test]
fn settings_of_an_image_are_named_in_the_plan() {
    let (spec, mut facts) = site();
    assert_eq!(planned(&spec, &facts).report.warnings, []);
    let names = ["ETCD_NAME".to_owned(), "ETCD_QUOTA_BACKEND_BYTES".to_owned()];
    known(&mut member(&mut facts, "etcd-2").pod).settings = names.into();
    let plan = planned(&spec, &facts);
    let [warning] = &plan.report.warnings[..] else { panic!("{:?}", plan.report.warnings) };
    assert_eq!(warning.code, FindingCode::ForeignSetting);
    assert!(warning.message.contains("ETCD_NAME, ETCD_QUOTA_BACKEND_BYTES"), "{}", warning.message);
}

#[test]
fn a_unit_that_would_start_the_member_as_well_is_removed() {
    let (spec, mut facts) = site();
    let path = Layout::new(&cluster(0)).unit_file();
    let unit = Observed::Known(file(Some("[Unit]\n".to_owned())));
    member(&mut facts, "etcd-2").files.insert(path.clone(), unit);
    let said = vec![format!("{path} would start the member as well")];
    let expected = vec![("stop-old-runtime".to_owned(), Action::Delete, said)];
    assert_eq!(drift(&planned(&spec, &facts)), expected);
}

/// Wants every kubelet of the site to stand alone, in this way.
pub(crate) fn want_standalone(spec: &mut SiteSpec) -> Kubelet {
    let wanted = Kubelet {
        cgroup_driver: CgroupDriver::Systemd,
        container_runtime: "unix:///run/containerd/containerd.sock".to_owned(),
    };
    spec.clusters.values_mut().for_each(|cluster| cluster.kubelet = Some(wanted.clone()));
    wanted
}

/// A site whose kubelets stand alone, all as they are to be.
fn standalone() -> (SiteSpec, SiteFacts) {
    let (mut spec, mut facts) = site();
    let wanted = want_standalone(&mut spec);
    for name in ["etcd-1", "etcd-2", "etcd-3"] {
        let kubelet = known(&mut host(&mut facts, name).kubelet);
        let program = known(&mut kubelet.program).clone();
        kubelet.drop_in = Observed::Known(file(Some(drop_in(&program))));
        kubelet.config = Observed::Known(file(Some(config(&wanted))));
    }
    (spec, facts)
}

/// What happened to the kubelet of etcd-2, and the findings.
type Case = (fn(&mut KubeletFacts), &'static [&'static str]);

const CASES: &[Case] = &[
    (|k| k.config = Observed::Absent, &["/etc/kubernetes/quorate-kubelet.yaml is missing"]),
    (|k| known(&mut k.drop_in).mode = 0o666, &["mode 0666 -> 0644"]),
    (|k| known(&mut k.config).text = Some(String::new()), &["+ staticPodPath"]),
    (|k| known(&mut k.unit).enabled = false, &["kubelet.service is not enabled"]),
    (|k| known(&mut k.unit).needs_reload = true, &["kubelet.service has an older text"]),
    (
        |k| k.manifests = Observed::Known("/etc/k".to_owned()),
        &["kubelet.service was started other"],
    ),
    (|k| k.manifests = Observed::Absent, &["kubelet.service was started other"]),
    (
        |k| {
            known(&mut k.unit).active = "inactive".to_owned();
            k.manifests = Observed::Absent;
        },
        &["kubelet.service does not run"],
    ),
];

#[test]
fn a_kubelet_that_does_not_stand_alone_as_it_should_is_repaired() {
    let (spec, facts) = standalone();
    assert_eq!(drift(&planned(&spec, &facts)), []);
    for (number, (change, words)) in CASES.iter().enumerate() {
        let mut facts = facts.clone();
        change(known(&mut host(&mut facts, "etcd-2").kubelet));
        let found = drift(&planned(&spec, &facts));
        let [(verb, Action::Update, said)] = &found[..] else { panic!("{number}: {found:?}") };
        assert_eq!(verb, "kubelet", "{number}");
        for word in *words {
            assert!(said.iter().any(|line| line.contains(word)), "{number}: {said:?}");
        }
        let of_unit = said.iter().filter(|line| line.starts_with("kubelet.service ")).count();
        assert!(of_unit <= 1, "{number}: {said:?}");
    }
}

/// Nobody relies on a cluster of one or two members yet when its bootstrap ends.
#[test]
fn the_restarts_that_end_a_bootstrap_are_reported_where_there_is_a_quorum_to_keep() {
    let notes = |members| {
        let (world, spec) = pods(members).world();
        plan_of(&world, &spec).report.quorum.len()
    };
    // The plan reports the start of all in any case.
    assert_eq!([1, 2, 3].map(notes), [1, 1, 4]);
}

/// The host was off when the plan was made, and came up before the start. The others may rely on it by now.
#[test]
fn a_pod_that_came_up_since_the_plan_is_not_restarted_by_its_start() {
    let (world, spec) = pods(3).world();
    let mut world = formed(world, &spec);
    let wanted = Shape { quota: Some(4 << 30), ..pods(3) }.spec(&world.authorities);
    let host = quorate_tests::site::host("etcd-2");
    world
        .hosts
        .get_mut(&host)
        .unwrap()
        .members
        .values_mut()
        .for_each(|member| member.process = None);
    let plan = plan_of(&world, &wanted);
    let starts: Vec<_> = plan.steps.iter().filter(|step| step.kind.is_start()).collect();
    let [start] = &starts[..] else { panic!("{plan:#?}") };
    world.boot(&host);
    let mut up = world.clone();
    assert_eq!(up.act(start, &Bindings::default()).unwrap(), Done::Already);
    let process = |world: &World| world.hosts[&host].members[&cluster(0)].process.clone();
    assert_eq!(process(&up), process(&world));
    // A restart with its guard does the rest.
    let restarts = plan_of(&up, &wanted)
        .steps
        .into_iter()
        .filter(|step| matches!(step.kind, StepKind::RestartMember { .. }) && *step.host() == host);
    assert_eq!(restarts.count(), 1);
}
