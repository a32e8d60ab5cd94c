//! Clusters whose members register themselves with a discovery service, and find each other there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use quorate_lab::SiteOptions;
use quorate_lab::discovery::{Access, Discovery, PASSWORD, Protocol, USER};
use quorate_lab::releases::Version;
use quorate_lab::site::Runtime;

use crate::harness::{Members, NEWEST, Seeded, Stage, Watch, eventually, on, options, text};

scenarios! {
    two_clusters_find_each_other_by_services_of_their_own,
}

/// The oldest and the newest etcd of each way that runs as units; pods need a newer 3.4 than there is.
const V3: [Version; 2] = [Version::new(3, 6, 14), Version::new(3, 7, 3)];
const V2: [Version; 2] = [Version::new(3, 4, 23), Version::new(3, 6, 16)];
const V2_PODS: [Version; 2] = [Version::new(3, 5, 35), Version::new(3, 6, 16)];
const STATIC: [Version; 2] = [Version::new(3, 4, 23), Version::new(3, 7, 3)];
const STATIC_PODS: [Version; 2] = [Version::new(3, 5, 35), Version::new(3, 7, 3)];

/// How many of the combinations are played in a run that does not prove all.
const SAMPLE: usize = 2;

/// The ways that need a service, and the one that is compared with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Static,
    V3(Access),
    SelfHosted,
    Service,
    Url,
}

/// What a way, a runtime and a version result in.
type Combination = (Way, Runtime, Version);

fn combinations() -> Vec<Combination> {
    let mut all = Vec::new();
    for runtime in [Runtime::Systemd, Runtime::StaticPod] {
        let pods = runtime == Runtime::StaticPod;
        let mut add = |way, versions: [Version; 2]| {
            all.extend(versions.map(|version| (way, runtime, version)));
        };
        add(Way::Static, if pods { STATIC_PODS } else { STATIC });
        // A pod is given no password.
        add(Way::V3(if pods { Access::Tls } else { Access::User }), V3);
        add(Way::V3(Access::Open), V3);
        add(Way::SelfHosted, V3);
        add(Way::Service, if pods { V2_PODS } else { V2 });
        add(Way::Url, if pods { V2_PODS } else { V2 });
    }
    all
}

/// Has the inventory form its cluster in a way, by a service that runs.
fn choose(stage: &Stage, way: Way, service: Option<&Discovery>) {
    let bootstrap = match way {
        Way::Static => "static = {}".to_owned(),
        Way::SelfHosted => "discovery-v3 = { self-hosted = true }".to_owned(),
        Way::V3(access) => {
            let service = service.unwrap();
            let mut words = format!("endpoints = [\"{}\"]", service.endpoint());
            if let Some(ca) = service.ca() {
                words += &format!(", ca = \"{}\"", ca.display());
            }
            if access == Access::User {
                let file = stage.folder().join("discovery-password");
                fs::write(&file, format!("{PASSWORD}\n")).unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
                words += &format!(", user = \"{USER}\", password-file = \"discovery-password\"");
            }
            format!("discovery-v3 = {{ {words} }}")
        }
        Way::Service => {
            format!("discovery-v2 = {{ service = \"{}\" }}", service.unwrap().endpoint())
        }
        Way::Url => format!("discovery-v2 = {{ url = \"{}\" }}", made(service.unwrap(), 3)),
    };
    stage.edit(|text| {
        let before = "[clusters.main]\n";
        let old = text.lines().find(|line| line.starts_with("bootstrap = "));
        let text = old.map_or(text.to_owned(), |old| text.replace(&format!("{old}\n"), ""));
        text.replace(before, &format!("{before}bootstrap = {{ {bootstrap} }}\n"))
    });
}

/// A URL of the old protocol for so many members.
fn made(service: &Discovery, members: usize) -> String {
    let url = format!("{}/new?size={members}", service.endpoint());
    crate::harness::here("curl", &["-sS", &url]).trim().to_owned()
}

fn service_of(stage: &Stage, way: Way) -> Option<Discovery> {
    let protocol = match way {
        Way::Static | Way::SelfHosted => return None,
        Way::V3(access) => Protocol::V3 { version: NEWEST, access },
        Way::Service | Way::Url => Protocol::V2,
    };
    Some(stage.lab.discovery(protocol, |_| {}).unwrap())
}

/// Everything that a v3 service has recorded.
fn records(service: &Discovery) -> String {
    let output = service.etcdctl().args(["get", "--prefix", "/_etcd/registry/"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Nothing of the forming is left on any host.
fn expect_settled(stage: &Stage, members: &Members) {
    stage.expect_nothing_to_do();
    members.expect_whole(stage);
    for host in stage.hosts() {
        on(&host, &format!("! grep -q discovery {}", stage.rendered()));
        on(&host, "! ls /var/lib/quorate/main | grep -q discovery");
        on(&host, "! test -e /etc/etcd/main/discovery-ca.crt");
        on(&host, "! ls -d /var/lib/quorate-discovery-* 2>/dev/null");
        on(&host, "! systemctl list-units --all --plain --no-legend | grep -q quorate-discovery");
    }
}

/// The password was printed nowhere and is in no argument; it has been in the environment of the two
/// programs of etcd's that take it there, and is in no file any more.
fn expect_no_password(stage: &Stage, watch: Watch) {
    assert!(!stage.said().contains(PASSWORD));
    let names = ["ETCD_DISCOVERY_PASSWORD=", "ETCDCTL_PASSWORD="];
    for seen in watch.seen() {
        let seen = text(&seen);
        let held: Vec<&str> = seen.split('\0').filter(|word| word.contains(PASSWORD)).collect();
        let is_etcd_s = |word: &&str| names.iter().any(|name| word.starts_with(name));
        assert!(held.iter().all(is_etcd_s), "{held:?}");
    }
    for host in stage.hosts() {
        let places = "/var/lib/quorate /etc/etcd /etc/systemd /etc/kubernetes /tmp";
        on(&host, &format!("! grep -rqs {PASSWORD} {places}"));
        // etcd itself logs every variable that it reads, which nothing keeps it from.
        let own = "grep -v ETCD_DISCOVERY_PASSWORD";
        on(&host, &format!("! journalctl --no-pager | grep {PASSWORD} | {own} | grep -q ."));
    }
}

fn forms(number: usize, (way, runtime, version): Combination) {
    let wanted = SiteOptions { version, ..options(runtime) };
    let stage = Stage::ready(&format!("v-{number}"), 3, &wanted);
    let service = service_of(&stage, way);
    choose(&stage, way, service.as_ref());
    let watch = (way == Way::V3(Access::User)).then(Watch::start);
    // How quick the disks are is another scenario's.
    let apply = stage.run(&["apply", "--yes", "--allow-slow-disk", "main"]).ends(0);
    if let Some(watch) = watch {
        expect_no_password(&stage, watch);
    }
    println!("{way:?}, {runtime:?}, {version}: formed in {:.1} s", apply.took.as_secs_f64());
    let members = Members::of_main(version, 3);
    expect_settled(&stage, &members);
    if let (Some(service), Way::V3(_)) = (&service, way) {
        assert_eq!(records(service), "", "the record is removed");
    }
    // The cluster lives on without the service.
    if let Some(service) = &service {
        service.stop().unwrap();
    }
    stage.survives_reboots(&members);
}

#[test]
fn each_way_forms_a_cluster_in_each_runtime() {
    let all = combinations();
    let exist = all.len();
    let chosen = match std::env::var_os("QUORATE_PROVE") {
        Some(_) => all,
        None => Seeded::of_this_run().sample(all, SAMPLE),
    };
    println!("ways to form a cluster: {} of {exist}", chosen.len());
    for (number, combination) in chosen.into_iter().enumerate() {
        forms(number, combination);
    }
}

#[test]
fn a_token_that_others_use_is_named() {
    let stage = Stage::ready("v-used", 3, &SiteOptions::default());
    let way = Way::V3(Access::Open);
    let service = service_of(&stage, way).unwrap();
    choose(&stage, way, Some(&service));
    // Nobody has registered yet when the service goes away: the record can't be made.
    service.stop().unwrap();
    let apply = stage.run(&["apply", "--yes"]).ends(6);
    apply.says("open-discovery").says(&format!("{} does not answer", service.endpoint()));
    assert_eq!(pids(&stage), ["none", "none", "none"]);
    // Somebody else takes the token meanwhile.
    service.start().unwrap();
    let token = on(&stage.host(1), "cat /var/lib/quorate/main/token");
    let record = |what: &str, value: &str| {
        let key = format!("/_etcd/registry/{token}/{what}");
        let put = service.etcdctl().args(["put", &key, value]).output().unwrap();
        assert!(put.status.success());
    };
    record("members/1", "stranger=https://10.99.0.1:2380");
    let used = stage.run(&["apply", "--yes"]).ends(6).says("is used by others");
    used.says("stranger=https://").says("rm /var/lib/quorate/CLUSTER/token");
    for number in 2..=3 {
        record(
            &format!("members/{number}"),
            &format!("stranger-{number}=https://10.99.0.{number}:2380"),
        );
    }
    stage.run(&["apply", "--yes"]).ends(6).says("is full").says("stranger-3=https://");
    assert_eq!(pids(&stage), ["none", "none", "none"]);
    // As the hint has it.
    for host in stage.hosts() {
        on(&host, "rm /var/lib/quorate/main/token");
    }
    stage.run(&["apply", "--yes"]).ends(0);
    expect_settled(&stage, &Members::of_main(NEWEST, 3));
    assert!(!records(&service).contains("stranger"), "what was left of the first record is gone");
}

fn pids(stage: &Stage) -> Vec<String> {
    stage.hosts().iter().map(|host| on(host, "pgrep -x etcd || echo none")).collect()
}

#[test]
fn a_service_that_goes_away_in_the_middle_costs_time_and_no_second_cluster() {
    let stage = Stage::ready("v-gone", 3, &SiteOptions::default());
    let way = Way::V3(Access::User);
    let service = service_of(&stage, way).unwrap();
    choose(&stage, way, Some(&service));
    // It goes away as soon as it has the record: members start, and can't register.
    thread::scope(|scope| {
        scope.spawn(|| {
            eventually("the record is made", || records(&service).contains("_config/size"));
            service.stop().unwrap();
        });
        stage.run(&["apply", "--yes"]).ends(6);
    });
    stage.run(&["apply", "--yes"]).ends(6).says("does not answer");
    service.start().unwrap();
    stage.run(&["apply", "--yes"]).ends(0);
    let members = Members::of_main(NEWEST, 3);
    expect_settled(&stage, &members);
    let ids: Vec<String> = stage.hosts().iter().map(|host| members.id(host)).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "one cluster, {ids:?}");
    assert_eq!(records(&service), "");
}

#[test]
fn a_url_of_the_old_protocol_serves_once() {
    let stage =
        Stage::ready("v-once", 3, &SiteOptions { version: NEWEST, ..SiteOptions::default() });
    let service = service_of(&stage, Way::Url).unwrap();
    let wanted = |url: &str| format!("discovery-v2 = {{ url = \"{url}\" }}");
    choose(&stage, Way::Url, Some(&service));
    let five = made(&service, 5);
    let right = fs::read_to_string(stage.inventory()).unwrap();
    let url = right.split("url = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let other = |to: &str| right.replace(&wanted(&url), &wanted(to));
    for (to, words) in [
        (five.as_str(), "is for 5 members, and the cluster has 3"),
        (&format!("{}/0123456789abcdef0123456789abcdef", service.endpoint()), "there is no record"),
    ] {
        fs::write(stage.inventory(), other(to)).unwrap();
        stage.run(&["apply", "--yes"]).ends(1).says(words).says("new?size=N");
    }
    fs::write(stage.inventory(), &right).unwrap();
    service.stop().unwrap();
    stage.run(&["apply", "--yes"]).ends(1).says("the discovery service does not answer");
    for host in stage.hosts() {
        on(&host, "! test -e /opt/quorate && ! test -e /etc/etcd && ! id etcd 2>/dev/null");
    }
    service.start().unwrap();
    stage.run(&["apply", "--yes"]).ends(0);
    expect_settled(&stage, &Members::of_main(NEWEST, 3));
    // Nobody else may have it.
    let second = Stage::ready("v-second", 3, &SiteOptions::default());
    second.edit(|text| {
        text.replace(
            "[clusters.main]\n",
            &format!("[clusters.main]\nbootstrap = {{ {} }}\n", wanted(&url)),
        )
    });
    second.run(&["apply", "--yes"]).ends(1).says("the token is used").says("etcd-1=https://");
    eventually("nothing runs", || pids(&second) == ["none", "none", "none"]);
}

pub(crate) fn two_clusters_find_each_other_by_services_of_their_own(runtime: Runtime) {
    let stage = Stage::empty_for("v-two", 3, &options(runtime));
    stage.lab.site(stage.folder(), &options(runtime)).unwrap();
    stage.edit(|text| {
        let way = "bootstrap = { discovery-v3 = { self-hosted = true } }";
        let text = text.replace("\n[pki]", &crate::first_apply::events(&stage));
        text.replace("[clusters.main]\n", &format!("[clusters.main]\n{way}\n"))
            .replace("[clusters.events]\n", &format!("[clusters.events]\n{way}\n"))
    });
    stage.run(&["pki", "init"]).ends(0);
    // The members have 2379 to 2384, and somebody else 2385.
    on(
        &stage.host(1),
        "systemd-run -q --unit=squatter systemd-socket-activate --accept -l 2385 /bin/cat",
    );
    let plan = stage.run(&["plan"]).ends(0);
    plan.says("11:2386, through which 3 members").says("11:2387, through which 3 members");
    // Seen once on a busy machine: systemd waited for a service that was not ready within a minute. The next apply
    // resumes from there.
    let first = stage.run(&["apply", "--yes"]);
    if first.code != Some(0) {
        first.ends(6).says("the discovery service did not start");
        stage.run(&["apply", "--yes"]).ends(0);
    }
    let main = Members::of_main(NEWEST, 3);
    let events = Members { cluster: "events", client_port: 2382, ..main };
    events.expect_whole(&stage);
    expect_settled(&stage, &main);
    assert_ne!(main.id(&stage.host(1)), events.id(&stage.host(1)));
}
