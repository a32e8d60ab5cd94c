//! When a saved plan is stale: when something moved that decided it, and not for noise.

use planner::report::FindingCode;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use inventories::Minor;
use inventories::inventory::Runtime;
use planner::facts::{
    ApiServerFacts, DiskTime, FileFacts, HostFacts, KubeadmFacts, KubeletFacts, ManifestFacts,
    MemberFacts, Observed, RestorePhase, RestoreRecord, SiteFacts, Wiring,
};
use planner::{SiteSpec, fingerprint};
use quorate_tests::seen::{self, known};
use quorate_tests::site::{Shape, authorities, plain};
use quorate_tests::story::formed;
use templates::BootstrapToken;
use templates::layout::ApiserverFile;

use crate::planned;

fn site_of(runtime: Runtime) -> (SiteSpec, SiteFacts) {
    let (world, spec) = Shape { runtime, ..plain(3) }.world();
    let world = formed(world, &spec);
    let mut facts = world.observe(&spec);
    host(&mut facts).apiserver = Some(api_server());
    (spec, facts)
}

/// An API server on a member's host. What it says makes the lines of a fingerprint; no plan is made for it here.
fn api_server() -> ApiServerFacts {
    let wiring = Ok(Wiring { flags: BTreeMap::new(), is_whole: true, wants_login: false });
    let files = ApiserverFile::ALL.map(|file| (file, Observed::Absent));
    ApiServerFacts {
        manifest: Observed::Known(ManifestFacts { sha256: "5e".to_owned(), wiring }),
        files: files.into(),
        installed: BTreeMap::new(),
        process: Observed::Absent,
        uses: Observed::Absent,
        speaks_https: true,
        kubeadm: Some(KubeadmFacts { lacks: BTreeSet::new(), config: Observed::Absent }),
    }
}

fn moved(change: impl Fn(&mut SiteFacts)) -> Vec<String> {
    moved_of(Runtime::Systemd, change)
}

fn moved_of(runtime: Runtime, change: impl Fn(&mut SiteFacts)) -> Vec<String> {
    let (spec, facts) = site_of(runtime);
    let print = |facts: &SiteFacts| fingerprint::of(facts, &planned(&spec, facts));
    let then = print(&facts);
    let mut now = facts;
    change(&mut now);
    fingerprint::moved(&then, &print(&now))
}

fn host(facts: &mut SiteFacts) -> &mut HostFacts {
    seen::host(facts, "etcd-2")
}

fn member(facts: &mut SiteFacts) -> &mut MemberFacts {
    seen::member(facts, "etcd-2")
}

fn etcd(facts: &mut SiteFacts) -> &mut planner::facts::EtcdFacts {
    known(&mut member(facts).etcd)
}

#[test]
fn noise_does_not_make_a_plan_stale() {
    let noise = moved(|facts| {
        facts.observed_at += time::Duration::minutes(10);
        let machine = &mut host(facts).machine;
        machine.data_free -= 1_000_000;
        machine.clock_skew_ms += 400;
        machine.clock_error_ms += 3;
        let etcd = etcd(facts);
        etcd.raft_index += 1_000;
        etcd.raft_applied += 998;
        etcd.db_size += 4_096;
        etcd.db_in_use += 4_096;
        etcd.raft_term += 1;
        let unit = &mut member(facts).unit;
        if let Observed::Known(unit) = unit {
            (unit.main_pid, unit.invocation) = (unit.main_pid + 1, "other".to_owned());
        }
        member(facts).pki_generation = Observed::Known("other".to_owned());
        host(facts).applied = Observed::Unknown("not JSON".to_owned());
    });
    assert_eq!(noise, Vec::<String>::new());
}

type Change = fn(&mut SiteFacts);

/// A change of each kind of fact that decides, by the name that a refusal gives it.
const CASES: &[(&str, Change)] = &[
    ("architecture", |f| host(f).machine.arch = Err("riscv64".to_owned())),
    ("account etcd", |f| host(f).accounts.values_mut().for_each(|a| *a = Observed::Absent)),
    ("site", |f| host(f).site = Observed::Absent),
    ("other clusters", |f| {
        host(f).other_clusters.insert("old".to_owned());
    }),
    ("release 3.6.16", |f| {
        host(f).releases.values_mut().for_each(|release| *release = Observed::Absent);
    }),
    ("marker", |f| member(f).marker = Observed::Absent),
    ("restart due", |f| member(f).restart_due = true),
    ("proof due", |f| member(f).proof_due = Observed::Known(Minor::V3_6)),
    ("ever in a quorum", |f| member(f).quorum_seen = false),
    ("token", |f| member(f).token = Observed::Absent),
    ("FILE", |f| {
        let files = &mut member(f).files;
        files.insert("/etc/systemd/system/etcd-c0.service".to_owned(), Observed::Absent);
    }),
    ("data directory", |f| member(f).data = Observed::Absent),
    ("unit", |f| {
        if let Observed::Known(unit) = &mut member(f).unit {
            unit.active = "failed".to_owned();
        }
    }),
    ("drop-ins", |f| member(f).drop_ins = Observed::Unknown("odd".to_owned())),
    ("folder replaced", |f| member(f).folder_replaced = true),
    ("running flags", |f| member(f).running = Observed::Known(vec!["--x=1".to_owned()])),
    ("process account", |f| member(f).runs_as = Observed::Known(1001)),
    ("data directory", |f| {
        if let Observed::Known(data) = &mut member(f).data {
            data.owners.insert("997:997".to_owned());
        }
    }),
    ("etcd's own authentication", |f| etcd(f).forbids_us = true),
    ("cluster id", |f| etcd(f).cluster_id = "1".to_owned()),
    ("member id", |f| etcd(f).member_id = "1".to_owned()),
    ("leader", |f| etcd(f).leader = Some("1".to_owned())),
    ("version", |f| etcd(f).version = "3.6.15".to_owned()),
    ("learner", |f| etcd(f).learner = true),
    ("alarms", |f| etcd(f).errors.push("alarm NOSPACE of member 1".to_owned())),
    ("members", |f| etcd(f).members = Observed::Known(Vec::new())),
];

/// What only a member has that is on its way: a fingerprint says nothing of it elsewhere.
const ON_ITS_WAY: &[(&str, Change)] = &[
    ("downgrade enabled to", |f| etcd(f).downgrade = Observed::Known(Minor::V3_5)),
    ("restore", |f| {
        member(f).restore = Observed::Known(RestoreRecord {
            token: BootstrapToken::from_random([7; 16]),
            sha256: "5e".to_owned(),
            members: String::new(),
            bump: None,
            phase: RestorePhase::Staged,
        });
    }),
];

/// What decides where an API server is wired.
const OF_API_SERVERS: &[(&str, Change)] = &[
    ("API server's manifest", |f| api_server_of(f).manifest = Observed::Absent),
    ("API server's ca.crt", |f| lose(f, ApiserverFile::Ca)),
    ("API server's client.crt", |f| lose(f, ApiserverFile::Cert)),
    ("API server's client.key", |f| lose(f, ApiserverFile::Key)),
    ("API server", |f| api_server_of(f).process = Observed::Unknown("odd".to_owned())),
    ("API server's etcd", |f| api_server_of(f).uses = Observed::Unknown("silent".to_owned())),
    ("lacks for kubeadm", |f| {
        kubeadm(f).lacks.insert("kubectl".to_owned());
    }),
    ("kubeadm's ConfigMap", |f| kubeadm(f).config = Observed::Unknown("refused".to_owned())),
    ("speaks HTTPS", |f| api_server_of(f).speaks_https = false),
];

fn kubeadm(facts: &mut SiteFacts) -> &mut KubeadmFacts {
    api_server_of(facts).kubeadm.as_mut().unwrap()
}

fn api_server_of(facts: &mut SiteFacts) -> &mut ApiServerFacts {
    host(facts).apiserver.as_mut().unwrap()
}

fn lose(facts: &mut SiteFacts, file: ApiserverFile) {
    let why = "permission denied".to_owned();
    api_server_of(facts).files.insert(file, Observed::Unknown(why));
}

/// What decides where members run as pods.
const OF_PODS: &[(&str, Change)] = &[
    ("pod", |f| member(f).pod = Observed::Absent),
    ("kubelet", |f| kubelet(f).program = Observed::Absent),
    ("kubelet's unit", |f| kubelet(f).unit = Observed::Absent),
    ("kubelet's pods", |f| kubelet(f).manifests = Observed::Absent),
    ("kubelet's drop-in", |f| kubelet(f).drop_in = Observed::Unknown(String::new())),
    ("kubelet's configuration", |f| kubelet(f).config = Observed::Unknown(String::new())),
];

fn kubelet(facts: &mut SiteFacts) -> &mut KubeletFacts {
    known(&mut host(facts).kubelet)
}

/// What a line is about: without the host and the cluster, and one word for every file.
fn kind(key: &str) -> &str {
    let kind = key.split_once(": ").map_or(key, |(_, kind)| kind);
    if kind.starts_with('/') { "FILE" } else { kind }
}

#[test]
fn a_disk_or_a_distance_that_is_timed_again_does_not_make_a_plan_stale() {
    let (world, spec) = plain(3).world();
    let look = |disk: u64, distance: u64| {
        let mut facts = world.observe(&spec);
        let host = host(&mut facts);
        let p99 = Duration::from_micros(disk);
        host.disks.values_mut().for_each(|time| *time = DiskTime::Written { p99, writes: 200 });
        let time = Duration::from_micros(distance);
        host.round_trips.values_mut().for_each(|known| known.time = time);
        let plan = planned(&spec, &facts);
        (fingerprint::hash(&plan), fingerprint::of(&facts, &plan))
    };
    let quick = look(9_900, 99_000);
    assert_eq!(look(10_100, 101_000), quick, "also where a warning comes or goes");
    assert_eq!(look(149_900, 900_000), quick);
    let (hash, print) = look(150_100, 99_000);
    assert_ne!(hash, quick.0, "a refusal is another plan");
    let lines = fingerprint::moved(&quick.1, &print);
    assert_eq!(lines, ["verdict etcd-2 c0 slow-disk: nothing -> found"]);
}

#[test]
fn every_kind_of_deciding_fact_makes_a_plan_stale() {
    let of_units = CASES.iter().chain(ON_ITS_WAY).chain(OF_API_SERVERS);
    let of_units = of_units.map(|case| (Runtime::Systemd, case));
    for (runtime, (word, change)) in
        of_units.chain(OF_PODS.iter().map(|case| (Runtime::StaticPod, case)))
    {
        let lines = moved_of(runtime, change);
        let names = |line: &String| {
            line.split_once(": ").is_some_and(|(_, rest)| match *word {
                "FILE" => rest.starts_with('/'),
                word => rest.starts_with(&format!("{word}: ")),
            })
        };
        assert!(lines.iter().any(names), "{word}: {lines:?}");
    }
}

#[test]
fn no_kind_of_deciding_fact_is_left_out() {
    let (spec, mut facts) = site_of(Runtime::StaticPod);
    ON_ITS_WAY.iter().for_each(|(_, change)| change(&mut facts));
    let print = fingerprint::of(&facts, &planned(&spec, &facts));
    let all: BTreeSet<&str> = print.keys().map(|key| kind(key)).collect();
    let tried = [CASES, ON_ITS_WAY, OF_API_SERVERS, OF_PODS].concat();
    let tried: BTreeSet<&str> = tried.into_iter().map(|(word, _)| word).collect();
    assert_eq!(all, tried, "a kind without a case, or a case without a kind");
}

#[test]
fn what_a_look_could_not_say_makes_a_plan_stale() {
    let cases: [(&str, Change); 3] = [
        ("etcd-2: seen: ", |f| {
            f.hosts.insert("etcd-2".parse().unwrap(), Observed::Unknown("timed out".to_owned()));
        }),
        ("etcd-2 (c0): answers: ", |f| member(f).etcd = Observed::Unknown("silent".to_owned())),
        ("verdict etcd-2 - clock-skew: ", |f| host(f).machine.clock_skew_ms = 5_000),
    ];
    for (begin, change) in cases {
        let lines = moved(change);
        assert!(lines.iter().any(|line| line.starts_with(begin)), "{begin}: {lines:?}");
    }
}

#[test]
fn equal_plans_have_equal_hashes_and_other_plans_do_not() {
    let (world, spec) = plain(3).world();
    let plan_of = |world: &quorate_tests::world::World| quorate_tests::story::plan_of(world, &spec);
    assert_eq!(fingerprint::hash(&plan_of(&world)), fingerprint::hash(&plan_of(&world)));
    let formed = formed(world.clone(), &spec);
    assert_ne!(fingerprint::hash(&plan_of(&world)), fingerprint::hash(&plan_of(&formed)));
}

#[test]
fn a_second_look_says_what_the_first_one_measured() {
    let (world, spec) = plain(3).world();
    let mut first = world.observe(&spec);
    let slow = DiskTime::Written { p99: Duration::from_millis(200), writes: 200 };
    host(&mut first).disks = [("c0".parse().unwrap(), slow)].into();
    let refused = planned(&spec, &first);
    assert!(
        refused.report.blocked.iter().any(|blocked| blocked.finding.code == FindingCode::SlowDisk)
    );

    let mut second = world.observe(&spec);
    second.hosts.values_mut().for_each(|host| {
        let Observed::Known(facts) = host else { panic!("{host:?}") };
        facts.disks.clear();
        facts.round_trips.clear();
    });
    assert!(planned(&spec, &second).report.blocked.is_empty());
    let again = planned(&spec, &second.measured_by(&first));
    assert_eq!(fingerprint::hash(&again), fingerprint::hash(&refused));
    assert_eq!(again.report, refused.report);
}

/// A file's content, mode, owner and group count.
#[test]
fn a_file_that_changed_in_any_way_makes_a_plan_stale() {
    let ways: [fn(&mut FileFacts); 4] = [
        |file| file.sha256 = "ab".repeat(32),
        |file| file.mode ^= 0o002,
        |file| file.owner.push('x'),
        |file| file.group.push('x'),
    ];
    let (_, mut facts) = site_of(Runtime::Systemd);
    let files = &member(&mut facts).files;
    let known = files.iter().filter(|(_, file)| file.known().is_some());
    let paths: Vec<String> = known.map(|(path, _)| path.clone()).collect();
    assert!(paths.len() > 8, "{paths:?}");
    for (path, way) in paths.iter().flat_map(|path| ways.map(|way| (path, way))) {
        let moved = moved(|facts| match member(facts).files.get_mut(path) {
            Some(Observed::Known(file)) => way(file),
            other => panic!("{other:?}"),
        });
        assert!(moved.iter().any(|line| line.contains(path)), "{path}: {moved:?}");
    }
}

#[test]
fn another_ca_beside_the_inventory_makes_another_plan() {
    let shape = plain(3);
    let (world, spec) = shape.world();
    let facts = world.observe(&spec);
    let others = shape.spec(&authorities(1));
    let hash = |spec: &SiteSpec| fingerprint::hash(&planned(spec, &facts));
    assert_eq!(hash(&spec), hash(&spec.clone()));
    assert_ne!(hash(&spec), hash(&others));
}
