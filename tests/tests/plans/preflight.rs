//! What preflight reports about a machine. At each limit, the last good value is silent and the next one is reported.

use planner::report::FindingCode;
use std::collections::BTreeMap;
use std::time::Duration;

use inventories::HostName;
use inventories::inventory::Runtime;
use planner::facts::{
    DiskTime, EtcdProcess, HostFacts, KubeletFacts, Listener, Namespace, Observed, Reach, Selinux,
    SiteFacts,
};
use planner::policy::{DEFAULT_QUOTA_BYTES, RELEASE_BYTES, WAL_BYTES};
use planner::stops::Stops;
use planner::{Plan, Policy, SiteSpec, plan};
use quorate_tests::seen::{end, host, known, member};
use quorate_tests::site::{Shape, cluster, plain};
use quorate_tests::story::formed;
use templates::Layout;

use crate::interrupted::started;
use crate::of_pods::want_standalone;
use crate::planned;

fn empty(shape: &Shape) -> (SiteSpec, SiteFacts) {
    let (world, spec) = shape.world();
    let facts = world.observe(&spec);
    (spec, facts)
}

/// The codes of the findings: refusals with a `!`.
fn said(plan: &Plan) -> Vec<String> {
    let warned = plan.report.warnings.iter().map(|finding| finding.code.to_string());
    let refused = plan
        .report
        .blocked
        .iter()
        .map(|blocked| &blocked.finding)
        .map(|finding| format!("{}!", finding.code));
    warned.chain(refused).collect()
}

const NEEDED: u64 = WAL_BYTES + 2 * DEFAULT_QUOTA_BYTES;

/// What is set, the last value that is fine, the first that is not, and the finding then.
type Limit = (fn(&mut HostFacts, i64), i64, i64, &'static str);

const LIMITS: &[Limit] = &[
    (|host, cores| host.machine.cores = u32::try_from(cores).unwrap(), 2, 1, "few-cores"),
    (
        |host, bytes| host.machine.memory = bytes.unsigned_abs(),
        7_500_000_000,
        7_499_999_999,
        "little-memory",
    ),
    (
        |host, version| host.machine.systemd = u32::try_from(version).ok(),
        248,
        247,
        "weaker-sandbox",
    ),
    (
        |host, number| host.machine.user_namespaces = Observed::Known(number.unsigned_abs()),
        1,
        0,
        "weaker-sandbox",
    ),
    (|host, number| closed(host, Namespace::Ipc, number), 1, 0, "weaker-sandbox"),
    (|host, number| closed(host, Namespace::Uts, number), 1, 0, "weaker-sandbox"),
    (|host, number| closed(host, Namespace::Mount, number), 1, 0, "no-namespaces!"),
    (|host, skew| skewed(host, skew, 0), 1_000, 1_001, "clock-skew"),
    (|host, skew| skewed(host, skew, 0), -1_000, -1_001, "clock-skew"),
    // Half of a round trip of 800 ms may be on either side.
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

fn closed(host: &mut HostFacts, kind: Namespace, number: i64) {
    if number == 0 {
        host.machine.closed_namespaces.insert(kind);
    }
}

/// The unit needs no namespace of process ids or control groups; a container runtime does.
#[test]
fn each_runtime_needs_its_own_namespaces() {
    for (runtime, wanted) in [
        (Runtime::Systemd, vec!["user.max_mnt_namespaces"]),
        (Runtime::StaticPod, Namespace::ALL.map(Namespace::setting).to_vec()),
    ] {
        let (spec, mut facts) = empty(&Shape { runtime, ..plain(3) });
        host(&mut facts, "etcd-2").machine.closed_namespaces = Namespace::ALL.into();
        let plan = planned(&spec, &facts);
        let found = plan.report.blocked.iter().map(|blocked| &blocked.finding);
        let found = found.filter(|found| found.code == FindingCode::NoNamespaces);
        let named: Vec<_> = found.filter_map(|found| found.message.split(' ').next()).collect();
        assert_eq!(named, wanted);
    }
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
fn a_systemd_that_the_unit_was_not_tried_with_is_refused() {
    let (spec, mut facts) = empty(&plain(3));
    host(&mut facts, "etcd-2").machine.systemd = Some(246);
    assert_eq!(said(&planned(&spec, &facts)), ["weaker-sandbox", "old-systemd!"]);
}

/// What the inventory accepts with a reason is not told again.
#[test]
fn a_weaker_sandbox_is_reported_until_the_inventory_says_why() {
    let (mut spec, mut facts) = empty(&plain(3));
    host(&mut facts, "etcd-2").machine.user_namespaces = Observed::Absent;
    let plan = planned(&spec, &facts);
    assert_eq!(said(&plan), ["weaker-sandbox"]);
    let hint = plan.report.warnings[0].hint.clone().unwrap_or_default();
    assert!(hint.contains("[clusters.c0.systemd]: without = { PrivateUsers = "), "{hint}");
    let cluster = spec.clusters.get_mut("c0").unwrap();
    for member in cluster.members.values_mut() {
        let without = &mut member.member.systemd.without;
        without.insert("PrivateUsers".to_owned(), "our guide".to_owned());
    }
    assert_eq!(said(&planned(&spec, &facts)), Vec::<String>::new());
}

#[test]
fn selinux_is_named_before_the_first_start_and_where_it_only_logs_it_is_not() {
    let (spec, mut facts) = empty(&plain(3));
    host(&mut facts, "etcd-2").machine.selinux = Observed::Known(Selinux::Permissive);
    assert_eq!(said(&planned(&spec, &facts)), Vec::<String>::new());
    host(&mut facts, "etcd-2").machine.selinux = Observed::Known(Selinux::Enforcing);
    assert_eq!(said(&planned(&spec, &facts)), ["selinux"]);
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
    assert!(!beside(Some(Layout::new(&cluster(0)).discovery_unit())));
}

#[test]
fn an_etcd_is_foreign_that_is_no_pod_of_ours() {
    let (world, spec) = started(&Shape { runtime: Runtime::StaticPod, ..plain(3) }, 1);
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

/// What happened to etcd-2, and the findings.
type Case = (fn(&mut HostFacts), &'static [&'static str]);

fn expect(spec: &SiteSpec, facts: &SiteFacts, cases: &[Case]) {
    for (number, (change, expected)) in cases.iter().enumerate() {
        let mut facts = facts.clone();
        change(host(&mut facts, "etcd-2"));
        assert_eq!(said(&planned(spec, &facts)), *expected, "{number}");
    }
}

fn kubelet(host: &mut HostFacts) -> &mut KubeletFacts {
    known(&mut host.kubelet)
}

fn down(host: &mut HostFacts) {
    known(&mut kubelet(host).unit).active = "inactive".to_owned();
}

fn folder(host: &mut HostFacts, path: &str) {
    kubelet(host).manifests = Observed::Known(path.to_owned());
}

#[test]
fn pods_need_a_kubelet_that_runs_those_of_its_folder() {
    let (spec, facts) = empty(&Shape { runtime: Runtime::StaticPod, ..plain(3) });
    expect(
        &spec,
        &facts,
        &[
            (|_| {}, &[]),
            (|host| host.kubelet = Observed::Absent, &["no-kubelet!"]),
            (|host| kubelet(host).unit = Observed::Absent, &["no-kubelet!"]),
            (down, &["no-kubelet!"]),
            (|host| folder(host, "/etc/kubernetes/manifests/"), &[]),
            (|host| folder(host, "/etc/pods"), &["kubelet-elsewhere!"]),
            (|host| kubelet(host).manifests = Observed::Absent, &["kubelet-elsewhere!"]),
            (
                |host| kubelet(host).manifests = Observed::Unknown("no permission".to_owned()),
                &["kubelet-elsewhere!"],
            ),
        ],
    );
    let (spec, facts) = empty(&plain(3));
    expect(&spec, &facts, &[(|host| host.kubelet = Observed::Absent, &[])]);
}

#[test]
fn a_kubelet_that_is_to_stand_alone_is_nobody_elses() {
    let (mut spec, facts) = empty(&Shape { runtime: Runtime::StaticPod, ..plain(3) });
    let mut facts = facts;
    for name in ["etcd-1", "etcd-2", "etcd-3"] {
        down(host(&mut facts, name));
    }
    want_standalone(&mut spec);
    let up = |host: &mut HostFacts| known(&mut kubelet(host).unit).active = "active".to_owned();
    expect(
        &spec,
        &facts,
        &[
            (|_| {}, &[]),
            (|host| kubelet(host).program = Observed::Absent, &["no-kubelet!"]),
            (|host| kubelet(host).unit = Observed::Absent, &["no-kubelet!"]),
            (up, &["kubelet-serves!"]),
            (
                |host| {
                    known(&mut kubelet(host).unit).active = "active".to_owned();
                    kubelet(host).drop_in = Observed::Unknown("by whomever".to_owned());
                },
                &["not-known!"],
            ),
        ],
    );
}

fn listens(host: &mut HostFacts, address: &str, port: u16) {
    let (address, process) = (address.parse().unwrap(), "java".to_owned());
    known(&mut host.listeners).push(Listener { address, port, process, pid: Some(77) });
}

#[test]
fn a_port_is_taken_where_its_address_is() {
    let (spec, facts) = empty(&plain(3));
    expect(
        &spec,
        &facts,
        &[
            (|host| listens(host, "0.0.0.0", 2379), &["port-taken!"]),
            (|host| listens(host, "127.0.0.1", 2379), &["port-taken!"]),
            (|host| listens(host, "10.77.0.12", 2380), &["port-taken!"]),
            (|host| listens(host, "127.0.0.1", 2380), &[]),
            (|host| listens(host, "127.0.0.1", 2381), &["port-taken!"]),
            (|host| listens(host, "10.77.0.12", 2381), &[]),
            (|host| listens(host, "0.0.0.0", 22), &[]),
            (
                |host| {
                    listens(host, "0.0.0.0", 2379);
                    listens(host, "127.0.0.1", 2379);
                },
                &["port-taken!"],
            ),
        ],
    );
}

/// A host whose `ss` fails is seen all the same: only what its ports are for waits.
#[test]
fn ports_that_are_not_known_stop_a_forming_and_no_start() {
    let unknown = |host: &mut HostFacts| {
        host.listeners = Observed::Unknown("the host did not say which ports are taken".to_owned());
    };
    let (spec, facts) = empty(&plain(3));
    expect(&spec, &facts, &[(unknown, &["not-known!"])]);
    let (world, spec) = plain(3).world();
    let mut facts = formed(world, &spec).observe(&spec);
    unknown(host(&mut facts, "etcd-2"));
    end(member(&mut facts, "etcd-2"));
    let plan = planned(&spec, &facts);
    assert_eq!(said(&plan), ["not-known"]);
    let mut ids = plan.steps.iter().map(|step| step.id.to_string());
    assert!(ids.any(|id| id == "etcd-2/c0/start"), "{plan:#?}");
}

/// On a formed cluster a port is looked at where it is changed, or its member is down.
#[test]
fn a_port_of_a_formed_member_that_is_taken_stops_what_would_need_it() {
    let (world, spec) = plain(3).world();
    let facts = formed(world, &spec).observe(&spec);
    let name: HostName = "etcd-2".parse().unwrap();
    let stops = |change: &dyn Fn(&mut SiteFacts)| {
        let mut facts = facts.clone();
        listens(host(&mut facts, "etcd-2"), "127.0.0.1", 2381);
        change(&mut facts);
        let plan = planned(&spec, &facts);
        let found =
            plan.report.blocked.iter().find(|found| found.finding.code == FindingCode::PortTaken);
        found.map(|found| found.stops.clone())
    };
    let settings = Stops::Settings(name.clone(), cluster(0));
    assert_eq!(stops(&|_| {}), Some([settings].into()));
    let down = |facts: &mut SiteFacts| end(member(facts, "etcd-2"));
    assert_eq!(stops(&down), Some([Stops::Member(name, cluster(0))].into()));
    // Its own process, which is another one at each moment.
    let own = |facts: &mut SiteFacts| {
        down(facts);
        known(&mut host(facts, "etcd-2").listeners).last_mut().unwrap().process = "etcd".to_owned();
    };
    assert_eq!(stops(&own), None);
}

fn all<K: Ord, V: Clone>(map: &mut BTreeMap<K, V>, value: &V) {
    map.values_mut().for_each(|is| is.clone_from(value));
}

#[test]
fn peers_are_reached_from_an_address_that_is_in_the_certificate() {
    let (spec, facts) = empty(&plain(2));
    expect(
        &spec,
        &facts,
        &[
            (
                |host| all(&mut host.sources, &Observed::Known("10.77.0.99".parse().unwrap())),
                &["source-address!"],
            ),
            (|host| all(&mut host.sources, &Observed::Absent), &["no-route!"]),
            (
                |host| all(&mut host.sources, &Observed::Unknown("no ip".to_owned())),
                &["source-unknown"],
            ),
            (|host| all(&mut host.reach, &Reach::Silent), &["peer-unreachable!"]),
            (|host| all(&mut host.reach, &Reach::Untried), &["peer-untried"]),
            (|host| all(&mut host.reach, &Reach::Connected), &[]),
        ],
    );
}

fn writes_in(host: &mut HostFacts, millis: u64) {
    let p99 = Duration::from_millis(millis);
    all(&mut host.disks, &DiskTime::Written { p99, writes: 200 });
}

#[test]
fn a_slow_disk_is_refused_for_a_new_cluster_alone() {
    let (spec, facts) = empty(&plain(3));
    expect(
        &spec,
        &facts,
        &[
            (|host| writes_in(host, 10), &[]),
            (|host| writes_in(host, 11), &["slow-disk"]),
            (|host| writes_in(host, 151), &["slow-disk!"]),
            (
                |host| all(&mut host.disks, &DiskTime::Stuck(Duration::from_secs(10))),
                &["slow-disk!"],
            ),
            (
                |host| all(&mut host.disks, &DiskTime::Unmeasured("no dd".to_owned())),
                &["disk-untimed"],
            ),
        ],
    );
    let mut facts = facts;
    writes_in(host(&mut facts, "etcd-2"), 151);
    let allow_slow_disk = [cluster(0)].into();
    let policy = Policy { allow_slow_disk, ..Policy::default() };
    assert_eq!(said(&plan(&spec, &facts, &policy).unwrap()), ["slow-disk"]);
}
