//! Where preflight draws its lines on a machine: what is just within is silent, one more is said.

#![expect(clippy::unwrap_used, reason = "a test that can't go on is to panic")]

use inventories::inventory::Runtime;
use planner::facts::{EtcdProcess, HostFacts, Observed, SiteFacts};
use planner::policy::{DEFAULT_QUOTA_BYTES, RELEASE_BYTES, WAL_BYTES};
use planner::{Plan, Policy, SiteSpec, plan};
use quorate_tests::seen::{host, known, member};
use quorate_tests::sim::{Crash, Repeat};
use quorate_tests::site::{Shape, cluster, plain};
use quorate_tests::story::apply;
use templates::Layout;

fn empty(shape: &Shape) -> (SiteSpec, SiteFacts) {
    let (world, spec) = shape.world();
    let facts = world.observe(&spec);
    (spec, facts)
}

fn planned(spec: &SiteSpec, facts: &SiteFacts) -> Plan {
    plan(spec, facts, &Policy::default()).unwrap()
}

/// The codes of what is said: refusals with a `!`.
fn said(plan: &Plan) -> Vec<String> {
    let warned = plan.report.warnings.iter().map(|finding| finding.code.to_owned());
    let refused = plan.report.blocked.iter().map(|finding| format!("{}!", finding.code));
    warned.chain(refused).collect()
}

const NEEDED: u64 = WAL_BYTES + 2 * DEFAULT_QUOTA_BYTES;

/// What is set, what is just within, what is just beyond, and what is said then.
type Limit = (fn(&mut HostFacts, i64), i64, i64, &'static str);

const LIMITS: &[Limit] = &[
    (|host, cores| host.machine.cores = u32::try_from(cores).unwrap(), 2, 1, "few-cores"),
    (
        |host, bytes| host.machine.memory = bytes.unsigned_abs(),
        7_500_000_000,
        7_499_999_999,
        "little-memory",
    ),
    (|host, version| host.machine.systemd = u32::try_from(version).ok(), 247, 246, "old-systemd!"),
    (|host, skew| skewed(host, skew, 0), 1_000, 1_001, "clock-skew"),
    (|host, skew| skewed(host, skew, 0), -1_000, -1_001, "clock-skew"),
    // Of half of a round trip of 800 ms nobody knows whose it is.
    (|host, skew| skewed(host, skew, 400), 1_400, 1_401, "clock-skew"),
    (|host, skew| skewed(host, skew, 400), -1_400, -1_401, "clock-skew"),
    (
        |host, bytes| host.machine.data_free = bytes.unsigned_abs(),
        NEEDED.cast_signed(),
        NEEDED.cast_signed() - 1,
        "disk-too-small!",
    ),
    (
        |host, bytes| host.machine.release_free = bytes.unsigned_abs(),
        RELEASE_BYTES.cast_signed(),
        RELEASE_BYTES.cast_signed() - 1,
        "disk-too-small!",
    ),
];

fn skewed(host: &mut HostFacts, skew: i64, error: i64) {
    (host.machine.clock_skew_ms, host.machine.clock_error_ms) = (skew, error);
}

#[test]
fn each_limit_is_where_it_is_said_to_be() {
    let (spec, facts) = empty(&plain(3));
    for (number, (set, within, beyond, word)) in LIMITS.iter().enumerate() {
        let told = |value| {
            let mut facts = facts.clone();
            set(host(&mut facts, "etcd-2"), value);
            said(&planned(&spec, &facts))
        };
        assert_eq!(told(*within), Vec::<String>::new(), "{number}");
        assert_eq!(told(*beyond), [*word], "{number}");
    }
}

#[test]
fn a_clock_is_refused_where_certificates_would_not_be_valid() {
    let (spec, mut facts) = empty(&plain(3));
    for (skew, word) in [(60_000, "clock-skew"), (60_001, "clock-skew!"), (-60_001, "clock-skew!")]
    {
        skewed(host(&mut facts, "etcd-2"), skew, 0);
        assert_eq!(said(&planned(&spec, &facts)), [word], "{skew}");
    }
}

/// etcd itself takes a quota of 0 for its default, and one below for none.
#[test]
fn where_no_quota_is_set_room_is_asked_for_etcds_own() {
    for quota in [0, -1] {
        let (spec, mut facts) = empty(&Shape { quota: Some(quota), ..plain(3) });
        host(&mut facts, "etcd-2").machine.data_free = NEEDED - 1;
        assert_eq!(said(&planned(&spec, &facts)), ["disk-too-small!"], "{quota}");
        host(&mut facts, "etcd-2").machine.data_free = NEEDED;
        assert_eq!(said(&planned(&spec, &facts)), Vec::<String>::new(), "{quota}");
    }
}

fn foreign(spec: &SiteSpec, facts: &SiteFacts) -> bool {
    said(&planned(spec, facts)).contains(&"foreign-etcd!".to_owned())
}

#[test]
fn an_etcd_is_foreign_that_is_of_no_unit_of_ours() {
    let (spec, mut facts) = empty(&plain(3));
    host(&mut facts, "etcd-2").other_clusters.insert("old".to_owned());
    let mut beside = |unit: Option<String>| {
        host(&mut facts, "etcd-2").etcd_processes = vec![EtcdProcess { pid: 77, unit }];
        foreign(&spec, &facts)
    };
    assert!(beside(None));
    assert!(beside(Some("etcd.service".to_owned())));
    assert!(beside(Some("etcd-other.service".to_owned())));
    assert!(!beside(Some("etcd-c0.service".to_owned())));
    assert!(!beside(Some("etcd-old.service".to_owned())));
    assert!(!beside(Some(Layout::of(&cluster(0)).discovery_unit())));
}

#[test]
fn an_etcd_is_foreign_that_is_no_pod_of_ours() {
    let (world, spec) = Shape { runtime: Runtime::StaticPod, ..plain(3) }.world();
    let steps = quorate_tests::story::plan_of(&world, &spec).steps;
    let mut starts = steps.iter().enumerate().filter(|(_, step)| step.kind.is_start());
    let (second, _) = starts.nth(1).unwrap();
    let (world, _) = apply(world, &spec, 1, Some(Crash::Before(second)), Repeat::Once);
    let mut facts = world.observe(&spec);
    let pid = known(&mut member(&mut facts, "etcd-1").pod).pid;
    let mut runs = |pids: &[u32]| {
        let process = |pid: &u32| EtcdProcess { pid: *pid, unit: None };
        host(&mut facts, "etcd-1").etcd_processes = pids.iter().map(process).collect();
        foreign(&spec, &facts)
    };
    assert!(!runs(&[pid]));
    assert!(runs(&[pid, pid + 1]));
    member(&mut facts, "etcd-1").pod = Observed::Absent;
    host(&mut facts, "etcd-1").etcd_processes = vec![EtcdProcess { pid, unit: None }];
    assert!(foreign(&spec, &facts));
}
