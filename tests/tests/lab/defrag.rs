//! Databases give their free pages back, while a client writes.

use std::collections::BTreeMap;

use quorate_lab::SiteOptions;
use quorate_lab::releases::Version;
use quorate_lab::site::Runtime;
use serde_json::Value;

use crate::harness::{Members, NEWEST, Stage, Writer, eventually, on, options};

/// Megabytes that are written and deleted again.
const MANY: u32 = 60;

scenarios! {
    databases_are_defragmented_under_a_writer,
}

/// Units rewrite their databases while they run; pods are stopped for it.
pub(crate) fn databases_are_defragmented_under_a_writer(runtime: Runtime) {
    let stage = Stage::formed("d-all", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let cluster = members.id(&stage.host(1));
    stage.run(&["defrag", "--dry-run"]).ends(0).says("No database is worth defragmenting");
    fill(&stage, &members, "gone", MANY);
    empty(&stage, &members, "gone", MANY);
    let rule = ["--min-free-mb", "20"];
    let plan = stage.run(&["defrag", "--dry-run", rule[0], rule[1]]).ends(0);
    let way = match runtime {
        Runtime::Systemd => "defragment the database; the member does not answer",
        Runtime::StaticPod => "stop the member, defragment its database, and start it again",
    };
    let plan = plan.says(way).says("2 up, 2 needed, margin 0").says("hand leadership");
    plan.says("quorate defrag --min-free-mb 20 --expect ");
    let before = sizes(&stage);
    let writer = Writer::start(&stage);
    let run = stage.run(&["defrag", "--yes", rule[0], rule[1]]).ends(0);
    let written = writer.finish();
    let run = run.says("Defragmentation complete!").says("the member was unavailable for");
    told(&run.text(), "defragmented");
    written.expect_all_there(&members, &stage);
    written.note(&format!("defragmented three members in {:.1} s", run.took.as_secs_f64()));
    expect_smaller(&before, &sizes(&stage));
    assert_eq!(members.id(&stage.host(1)), cluster);
    members.expect_whole(&stage);
    stage.run(&["defrag", "--yes", rule[0], rule[1]]).ends(0).says("No database is worth");
    stage.expect_nothing_to_do();
    stage.run(&["history", "--steps"]).ends(0).says("defragment");
    stage.run(&["history"]).ends(0).says("done     defrag");
}

/// 3.4 has no etcdutl: its etcdctl rewrites a database that nobody has open. The newest one is tried by a proof.
#[test]
fn large_databases_are_defragmented_while_their_members_are_stopped() {
    let all = [Version::new(3, 4, 23), NEWEST];
    let tried = if std::env::var_os("QUORATE_PROVE").is_some() { &all[..] } else { &all[..1] };
    for version in tried.iter().copied() {
        let options = SiteOptions { version, ..SiteOptions::default() };
        let stage = Stage::formed("d-large", 3, &options);
        let members = Members::of_main(version, 3);
        fill(&stage, &members, "kept", 410);
        fill(&stage, &members, "gone", 200);
        empty(&stage, &members, "gone", 200);
        let plan = stage.run(&["defrag", "--dry-run"]).ends(0);
        plan.says("stop the member, defragment its database");
        let before = sizes(&stage);
        let writer = Writer::start(&stage);
        let run = stage.run(&["defrag", "--yes"]).ends(0);
        let written = writer.finish();
        told(&run.text(), &format!("{version} stopped"));
        written.expect_all_there(&members, &stage);
        written.note(&format!("stopped, {version}: {:.1} s", run.took.as_secs_f64()));
        expect_smaller(&before, &sizes(&stage));
        members.expect_whole(&stage);
        let owner = "stat -c %U /var/lib/etcd/main/member/snap/db";
        assert_eq!(on(&stage.host(1), owner), "etcd");
        stage.expect_nothing_to_do();
    }
}

/// Its manifest is removed at that moment: no kubelet brings the pod back.
#[test]
fn a_pod_whose_host_lost_its_power_in_the_middle_comes_back() {
    let stage = Stage::formed("d-power", 3, &options(Runtime::StaticPod));
    let members = Members::of_main(NEWEST, 3);
    fill(&stage, &members, "gone", MANY);
    empty(&stage, &members, "gone", MANY);
    let rule = ["--min-free-mb", "20"];
    let plan = stage.run(&["defrag", "--dry-run", "--json", rule[0], rule[1]]).ends(0).json();
    let steps = plan["steps"].as_array().unwrap();
    let is_first = |step: &&Value| step["id"].as_str().unwrap().ends_with("/defragment");
    let first = steps.iter().find(is_first).unwrap()["host"].as_str().unwrap().to_owned();
    let host = stage.hosts().into_iter().find(|host| host.name() == first).unwrap();
    let before = sizes(&stage);
    let mut run = stage.command(&["defrag", "--yes", rule[0], rule[1]]).spawn().unwrap();
    let manifest = "/etc/kubernetes/manifests/etcd-main.yaml";
    on(&host, &format!("while [ -e {manifest} ]; do sleep 0.01; done"));
    run.kill().unwrap();
    run.wait().unwrap();
    host.reboot().unwrap();
    let there = on(&host, &format!("[ -e {manifest} ] && echo there || echo gone"));
    println!("after the power came back, the manifest of {first} is {there}");
    let run = stage.run(&["defrag", "--yes", rule[0], rule[1]]);
    println!("the next run: {:?}\n{}", run.code, run.text());
    eventually("the rest is done", || {
        stage.run(&["defrag", "--yes", rule[0], rule[1]]).text().contains("No database is worth")
    });
    expect_smaller(&before, &sizes(&stage));
    members.expect_whole(&stage);
    stage.expect_nothing_to_do();
}

/// A key is written again and again until etcd takes no more. Its old values go by name, and then it is written again.
/// The values are small: with each one, etcd frees the pages of the one before it, which would count as room.
#[test]
fn a_cluster_that_ran_out_of_space_takes_writes_again() {
    let stage = Stage::formed("d-space", 3, &SiteOptions::default());
    let members = Members::of_main(NEWEST, 3);
    let quota = "\n[clusters.main.etcd]\nquota-backend-bytes = 67108864\n\n[pki]";
    stage.edit(|text| text.replacen("\n[pki]", quota, 1));
    stage.run(&["apply", "--yes"]).ends(0);
    let put = members.command("put again </tmp/value");
    let host = stage.host(1);
    let said = on(
        &host,
        &format!(
            "head -c 200000 /dev/zero | tr '\\0' x >/tmp/value; \
             n=0; while [ $n -lt 1000 ]; do {put} >/dev/null 2>/tmp/why || break; n=$((n + 1)); done; \
             rm /tmp/value; echo $n; cat /tmp/why"
        ),
    );
    assert!(said.contains("database space exceeded"), "{said}");
    stage.run(&["plan"]).says("alarm NOSPACE").says("[no-space]").says("quorate defrag --dry-run");
    let plan = stage.run(&["defrag", "--dry-run"]).ends(8);
    let plan = plan.says("of a quota of 67 MB").says("set quota-backend-bytes = ");
    plan.says("quorate defrag --compact-now main");
    let run = stage.run(&["defrag", "--yes", "--compact-now", "main"]).ends(0);
    println!("out of space, with room again after {:.1} s\n{}", run.took.as_secs_f64(), run.text());
    assert!(!members.etcdctl(&host, "alarm list").contains("NOSPACE"));
    members.etcdctl(&host, "put again works");
    assert!(sizes(&stage).values().all(|size| *size < 10_000_000));
    members.expect_whole(&stage);
    stage.expect_nothing_to_do();
}

/// Writes so many values of a megabyte.
fn fill(stage: &Stage, members: &Members, name: &str, megabytes: u32) {
    let put = members.command(&format!("put {name}/$n </tmp/value >/dev/null"));
    on(
        &stage.host(1),
        &format!(
            "head -c 1000000 /dev/zero | tr '\\0' x >/tmp/value; \
             n=0; while [ $n -lt {megabytes} ]; do {put} || exit 1; n=$((n + 1)); done; rm /tmp/value"
        ),
    );
}

/// Deletes them, and waits until every member has forgotten them.
fn empty(stage: &Stage, members: &Members, name: &str, megabytes: u32) {
    members.etcdctl(&stage.host(1), &format!("del {name}/ --prefix"));
    let said = members.etcdctl(&stage.host(1), "endpoint status -w json");
    let status: Value = serde_json::from_str(&said).unwrap();
    let revision = &status[0]["Status"]["header"]["revision"];
    members.etcdctl(&stage.host(1), &format!("compact {revision}"));
    // Each member frees its pages in its own time, and counts them when it writes the next time.
    let free = |member: &Value| {
        let bytes = |key: &str| member[key].as_u64().unwrap_or_default();
        bytes("db_size_bytes").saturating_sub(bytes("db_in_use_bytes"))
    };
    eventually("every member has freed its pages", || {
        members.etcdctl(&stage.host(1), "put tick tock");
        let json = stage.run(&["status", "--json"]).json();
        let members = json["clusters"]["main"]["members"].as_object().unwrap();
        members.values().all(|member| free(member) > u64::from(megabytes) * 900_000)
    });
}

/// Bytes of each member's database.
fn sizes(stage: &Stage) -> BTreeMap<String, u64> {
    let json = stage.run(&["status", "--json"]).ends(0).json();
    let members = json["clusters"]["main"]["members"].as_object().unwrap();
    let size = |member: &Value| member["db_size_bytes"].as_u64().unwrap();
    members.iter().map(|(host, member)| (host.clone(), size(member))).collect()
}

#[track_caller]
fn expect_smaller(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) {
    assert_eq!(after.len(), 3, "{after:?}");
    let smaller = |host: &str| after[host] + 20_000_000 < before[host];
    assert!(after.keys().all(|host| smaller(host)), "{before:?} -> {after:?}");
}

/// Shows how long each member was unavailable.
fn told(said: &str, what: &str) {
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("was unavailable")).collect();
    assert_eq!(lines.len(), 3, "{said}");
    lines.iter().for_each(|line| println!("{what}: {}", line.trim()));
}
