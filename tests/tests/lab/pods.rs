//! Members as pods of a real kubelet: what only pods can do, and the scenarios that units play too.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use quorate_lab::releases::Version;
use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};
use serde_json::Value;

use crate::harness::{
    Members, NEWEST, Scenario, Seeded, Stage, Writer, eventually, on, options, serves,
};

const MANIFEST: &str = "/etc/kubernetes/manifests/etcd-main.yaml";

/// How many of the others' scenarios are played with pods in a run that does not prove all.
const SAMPLE: usize = 1;

fn formed(name: &str, hosts: u8) -> Stage {
    Stage::formed(name, hosts, &options(Runtime::StaticPod))
}

fn pids(stage: &Stage) -> Vec<String> {
    stage.hosts().iter().map(|host| on(host, "pgrep -x etcd || echo none")).collect()
}

/// Every scenario that has members of either kind.
fn scenarios() -> Vec<Scenario> {
    let all = [
        crate::backups::SCENARIOS,
        crate::client_certificates::SCENARIOS,
        crate::crash_points::SCENARIOS,
        crate::day_two::SCENARIOS,
        crate::defrag::SCENARIOS,
        crate::discovery::SCENARIOS,
        crate::discovery_services::SCENARIOS,
        crate::earlier_program::SCENARIOS,
        crate::first_apply::SCENARIOS,
        crate::hostile_values::SCENARIOS,
        crate::lost_connections::SCENARIOS,
        crate::lost_memory::SCENARIOS,
        crate::membership::SCENARIOS,
        crate::renewal::SCENARIOS,
        crate::replacing::SCENARIOS,
        crate::restore::SCENARIOS,
        crate::secrets::SCENARIOS,
        crate::stopped::SCENARIOS,
        crate::team::SCENARIOS,
        crate::tools::SCENARIOS,
        crate::upgrade::SCENARIOS,
    ];
    all.concat()
}

#[test]
fn what_holds_of_units_holds_of_pods() {
    let all = scenarios();
    let exist = all.len();
    let chosen = match (std::env::var("QUORATE_SCENARIO"), std::env::var_os("QUORATE_PROVE")) {
        (Ok(part), _) => all.into_iter().filter(|(name, _)| name.contains(&part)).collect(),
        (Err(_), Some(_)) => all,
        (Err(_), None) => Seeded::of_this_run().sample(all, SAMPLE),
    };
    println!("with pods: {} of {exist} scenarios", chosen.len());
    for (name, play) in chosen {
        let started = std::time::Instant::now();
        play(Runtime::StaticPod);
        println!("with pods: {name}: {:.0} s", started.elapsed().as_secs_f64());
    }
}

/// Applies, while a client writes; nothing that was acknowledged is lost.
fn moved(stage: &Stage, members: &Members, from: &str, to: &str) {
    stage.edit(|text| text.replace(&format!("\"{from}\""), &format!("\"{to}\"")));
    let plan = stage.run(&["plan", "--detailed-exitcode"]).ends(2);
    plan.says(&format!("it moves from {from} to {to}")).says("2 up, 2 needed, margin 0");
    let writer = Writer::start(stage);
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    let written = writer.finish();
    written.expect_all_there(members, stage);
    written.note(&format!("from {from} to {to} in {:.1} s", apply.took.as_secs_f64()));
    stage.expect_nothing_to_do();
    members.expect_whole(stage);
}

#[test]
fn a_cluster_moves_to_pods_and_back_under_load_and_no_write_is_lost() {
    // With hosts that can do both, and members as units to begin with.
    let stage = Stage::empty_for("p-move", 3, &options(Runtime::StaticPod));
    stage.write_site(&SiteOptions::default());
    stage.run(&["apply", "--yes"]).ends(0);
    let members = Members::of_main(NEWEST, 3);
    let ids = || members.etcdctl(&stage.host(1), "member list");
    let before = ids();
    for number in [1, 2, 3] {
        stage.host(number).import_etcd_image(NEWEST, |_| {}).unwrap();
    }
    moved(&stage, &members, "systemd", "static-pod");
    for host in stage.hosts() {
        on(
            &host,
            &format!("test -e {MANIFEST} && ! test -e /etc/systemd/system/etcd-main.service"),
        );
        assert_eq!(on(&host, &format!("stat -c '%a %U:%G' {MANIFEST}")), "600 root:root");
    }
    assert_eq!(ids(), before, "the members are the same");
    for host in stage.hosts() {
        host.reboot().unwrap();
    }
    stage.hosts().iter().for_each(serves);
    stage.expect_nothing_to_do();
    moved(&stage, &members, "static-pod", "systemd");
    for host in stage.hosts() {
        on(&host, &format!("! test -e {MANIFEST} && systemctl is-enabled -q etcd-main"));
    }
    assert_eq!(ids(), before, "the members are the same");
}

#[test]
fn a_roll_stops_at_a_kubelet_that_does_not_run_and_resumes_with_it() {
    let stage = formed("p-kubelet", 3);
    let members = Members::of_main(NEWEST, 3);
    stage.edit(|text| {
        text.replace("\n[pki]", "\n[clusters.main.etcd]\nsnapshot-count = 5000\n\n[pki]")
    });
    let before = pids(&stage);
    // Seen before: the roll is held back.
    on(&stage.host(3), "systemctl stop kubelet");
    stage.run(&["plan"]).ends(8).says("held back").says("[no-kubelet]").says("etcd-3");
    assert_eq!(pids(&stage), before, "nobody was restarted");
    on(&stage.host(3), "systemctl start kubelet");

    // And in the middle of it: the others' kubelets stop while the first member restarts.
    let mut apply = stage
        .command(&["apply", "--yes", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut said, mut first) = (String::new(), None);
    for line in BufReader::new(apply.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        said += &format!("{}\n", event["@message"].as_str().unwrap());
        let is_restart = event["type"] == "apply_start"
            && event["hook"]["step"].as_str().unwrap().ends_with("/restart");
        if is_restart && first.is_none() {
            first = event["hook"]["host"].as_str().map(str::to_owned);
            for other in stage.hosts().iter().filter(|host| Some(host.name()) != first) {
                on(other, "systemctl stop kubelet");
            }
        }
    }
    let code = apply.wait().unwrap().code();
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains("kubelet.service does not run"), "{said}");
    members.expect_whole(&stage);
    let changed = pids(&stage).iter().zip(&before).filter(|(now, then)| now != then).count();
    assert_eq!(changed, 1, "one member was restarted: {said}");
    for host in stage.hosts() {
        on(&host, "systemctl start kubelet");
    }
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    members.expect_whole(&stage);
}

/// Shows a drift in the plan in these words, undoes it, and then nothing is left to do.
#[track_caller]
fn undo(stage: &Stage, words: &[&str]) {
    let plan = stage.run(&["plan", "--detailed-exitcode"]).ends(2);
    words.iter().fold(plan, |plan, word| plan.says(word));
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(stage);
}

#[test]
fn what_somebody_changed_of_a_pod_manually_is_shown_and_undone() {
    let stage = formed("p-drift", 3);
    let running = pids(&stage);
    on(&stage.host(1), &format!("chmod 0644 {MANIFEST}"));
    undo(&stage, &["etcd-1", "0644 -> 0600", "the pod keeps running"]);
    on(&stage.host(1), &format!("echo '# by hand' >>{MANIFEST}"));
    undo(&stage, &["etcd-1", "- # by hand", "the pod keeps running"]);
    assert_eq!(pids(&stage), running, "none of this needs a restart");

    // The kubelet picks this up, and restarts the member for it.
    let was = pids(&stage)[1].clone();
    let edited = on(
        &stage.host(2),
        &format!(
            "sed 's/- --tls-min-version=.*/- --snapshot-count=7000/' {MANIFEST} >/etc/kubernetes/x && \
                  mv /etc/kubernetes/x {MANIFEST}"
        ),
    );
    assert_eq!(edited, "");
    eventually("the kubelet restarts it", || {
        let now = on(&stage.host(2), "pgrep -x etcd || echo none");
        now != "none" && now != was
    });
    eventually("the member is back", || stage.run(&["status"]).code == Some(0));
    undo(&stage, &["etcd-2", "--snapshot-count: 7000 -> unset", "restart"]);

    // The pod alone, which the arguments do not show.
    let was = pids(&stage)[2].clone();
    on(
        &stage.host(3),
        &format!(
            "sed 's/cpu: 100m/cpu: 50m/' {MANIFEST} >/etc/kubernetes/x && mv /etc/kubernetes/x {MANIFEST}"
        ),
    );
    eventually("the kubelet restarts it", || {
        let now = on(&stage.host(3), "pgrep -x etcd || echo none");
        now != "none" && now != was
    });
    eventually("the member is back", || stage.run(&["status"]).code == Some(0));
    undo(&stage, &["etcd-3", "the pod changed", "restart"]);

    on(
        &stage.host(1),
        &format!(
            "rm {MANIFEST}; timeout 60 sh -c 'while pgrep -x etcd; do sleep 0.1; done' >/dev/null"
        ),
    );
    undo(&stage, &["etcd-1", "start the member as a pod of a formed cluster"]);
    // Somebody's unit of another day would start the member as well.
    on(
        &stage.host(1),
        "printf '[Service]\\nExecStart=/bin/false\\n' >/etc/systemd/system/etcd-main.service",
    );
    undo(&stage, &["etcd-1", "would start the member as well"]);
    on(&stage.host(1), "! test -e /etc/systemd/system/etcd-main.service");
}

#[test]
fn hosts_without_a_kubelet_that_would_run_the_pods_are_refused() {
    let stage = Stage::empty_for("p-refuse", 3, &options(Runtime::StaticPod));
    stage.write_site(&options(Runtime::StaticPod));
    on(&stage.host(1), "systemctl stop kubelet");
    on(
        &stage.host(2),
        "sed -i 's|/etc/kubernetes/manifests|/srv/pods|' /var/lib/kubelet/config.yaml && systemctl restart kubelet",
    );
    let refusal = stage.expect_refusal("no-kubelet", &["etcd-1", "systemctl start kubelet"]);
    refusal.says("[kubelet-elsewhere]").says("/srv/pods");
    // A kubelet that somebody looks after is not taken over.
    on(
        &stage.host(1),
        "systemctl start kubelet; until ss -Hltn sport = 10250 | grep -q . && ss -Hltn sport = 10248 | grep -q .; do sleep 0.1; done",
    );
    stage.edit(|text| {
        text.replace("\"static-pod\"\n", "\"static-pod\"\nkubelet = { standalone = true }\n")
    });
    stage.expect_refusal("kubelet-serves", &["etcd-1", "etcd-2", "etcd-3"]);
}

#[test]
fn a_kubelet_is_made_to_stand_alone_and_runs_the_members() {
    let stage = Stage::empty_for("p-alone", 3, &options(Runtime::StaticPod));
    stage.write_site(&options(Runtime::StaticPod));
    for host in stage.hosts() {
        on(&host, "systemctl disable --quiet --now kubelet; rm /var/lib/kubelet/config.yaml");
    }
    stage.edit(|text| {
        let kubelet = "kubelet = { standalone = true, cgroup-driver = \"cgroupfs\" }\n";
        text.replace("\"static-pod\"\n", &format!("\"static-pod\"\n{kubelet}"))
    });
    stage.run(&["plan"]).ends(0).says("have the kubelet run static pods");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(&stage);
    // It is there after a boot, and is repaired like everything else.
    stage.host(2).reboot().unwrap();
    serves(&stage.host(2));
    on(&stage.host(3), "systemctl disable --quiet --now kubelet");
    undo(&stage, &["etcd-3", "kubelet.service does not run", "not enabled"]);
    // Other settings go to one host after the other. This path is the same socket.
    stage.edit(|text| {
        let socket = "container-runtime = \"unix:///var/run/containerd/containerd.sock\"";
        let driver = "cgroup-driver = \"cgroupfs\"";
        text.replace(driver, &format!("{driver}, {socket}"))
    });
    stage.run(&["plan"]).ends(0).says("set up the kubelet of etcd-2");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(&stage);
}

#[test]
fn an_image_is_rolled_to_its_digest() {
    let stage = Stage::formed(
        "p-image",
        3,
        &SiteOptions { version: Version::new(3, 6, 14), ..options(Runtime::StaticPod) },
    );
    let digest =
        |host: &Host| host.import_etcd_image(Version::new(3, 6, 14), |_| {}).unwrap().digest;
    let digests: Vec<String> = stage.hosts().iter().map(digest).collect();
    let pinned = digests[0].rsplit_once('@').unwrap().1.to_owned();
    stage.edit(|text| format!("{text}\n[release.image-digest]\n\"3.6.14\" = \"{pinned}\"\n"));
    stage.run(&["plan", "--diff"]).ends(0).says(&digests[0]);
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(Version::new(3, 6, 14), 3).expect_whole(&stage);
    for host in stage.hosts() {
        on(&host, &format!("grep -qF 'image: {}' {MANIFEST}", digests[0]));
    }
}
