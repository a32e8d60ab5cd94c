//! A formed cluster that is not as the inventory says, by somebody's hand or by a new inventory.

use quorate_lab::releases::{self, Version};
use quorate_lab::site::Runtime;
use quorate_lab::{Host, SiteOptions};

use crate::harness::{Members, NEWEST, Stage, Writer, eventually, on, options};

scenarios! {
    a_changed_flag_is_rolled_out_under_load_and_no_write_is_lost,
    a_patch_release_is_rolled_out_under_load_and_no_write_is_lost,
    a_roll_waits_while_a_member_is_down,
    a_single_member_is_restarted_only_when_an_outage_is_allowed,
    a_saved_plan_is_applied_as_it_was_reviewed_or_refused_as_stale,
    a_full_database_is_named_and_holds_back_what_does_not_help,
}

fn main_pid(host: &Host) -> String {
    on(host, "pgrep -x etcd || echo none")
}

fn pids(stage: &Stage) -> Vec<String> {
    stage.hosts().iter().map(main_pid).collect()
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
fn what_somebody_changed_manually_is_shown_and_undone() {
    let stage = Stage::formed("d-drift", 3, &SiteOptions::default());
    let running = pids(&stage);

    on(&stage.host(1), "chmod 0644 /etc/etcd/main/pki/current/peer.key");
    undo(&stage, &["peer.key", "0644 -> 0600"]);

    on(&stage.host(3), "rm /opt/quorate/etcd/3.6.16/etcd");
    undo(&stage, &["etcd-3", "install-etcd-3.6.16"]);
    on(&stage.host(3), "echo >> /opt/quorate/etcd/3.6.16/etcdctl");
    undo(&stage, &["etcd-3", "install-etcd-3.6.16"]);

    let unit = "/etc/systemd/system/etcd-main.service";
    on(&stage.host(2), &format!("sed -i 's/^# etcd goes before.*/# by hand/' {unit}"));
    undo(&stage, &["etcd-2", unit]);
    on(&stage.host(2), "systemctl disable --quiet etcd-main");
    undo(&stage, &["etcd-2", "not enabled"]);
    assert_eq!(pids(&stage), running, "none of this needs a restart");

    on(&stage.host(1), "systemctl stop etcd-main");
    undo(&stage, &["etcd-1", "start the member"]);
    let now = pids(&stage);
    assert_eq!(now[1..], running[1..]);

    on(&stage.host(2), &format!("sed -i 's/^CPUWeight=1000/CPUWeight=10/' {unit}"));
    on(&stage.host(2), "systemctl daemon-reload");
    undo(&stage, &["etcd-2", "restart", "note"]);
    let noted = on(&stage.host(2), "cat /var/lib/quorate/main/restart-due");
    let runs = on(&stage.host(2), "systemctl show -P InvocationID etcd-main");
    assert_ne!(noted, runs, "the note is about the process before");
    // As if an apply had put a unit right and was killed before the restart.
    on(&stage.host(2), &format!("echo {runs} > /var/lib/quorate/main/restart-due"));
    undo(&stage, &["etcd-2", "stopped before the restart"]);

    on(&stage.host(1), "usermod --shell /bin/bash etcd");
    undo(&stage, &["etcd-1", "login shell /bin/bash -> /usr/sbin/nologin"]);
    assert_eq!([&pids(&stage)[0], &pids(&stage)[2]], [&now[0], &now[2]]);
}

#[test]
fn a_foreign_drop_in_is_moved_aside_and_not_lost() {
    let stage = Stage::formed("d-dropin", 3, &SiteOptions::default());
    let folder = "/etc/systemd/system/etcd-main.service.d";
    let write = format!(
        "mkdir {folder} && printf '[Service]\\nEnvironment=BY=hand\\n' > {folder}/50-hand.conf && \
         systemctl daemon-reload"
    );
    on(&stage.host(3), &write);
    undo(&stage, &["etcd-3", "50-hand.conf", "moved-aside"]);
    on(&stage.host(3), &format!("test ! -e {folder}/50-hand.conf"));
    let kept =
        on(&stage.host(3), "cat $(find /var/lib/quorate/moved-aside -name '*50-hand.conf*')");
    assert!(kept.contains("BY=hand"), "{kept}");
    let environment = on(&stage.host(3), "tr '\\0' '\\n' < /proc/$(pgrep -x etcd)/environ");
    assert!(!environment.contains("BY=hand"), "{environment}");
    a_drop_in_for_every_service_is_reported_and_left(&stage);

    // The process still sees the folder that was there when it started.
    on(&stage.host(2), "rm -r /etc/etcd/main");
    undo(&stage, &["etcd-2", "/etc/etcd/main was replaced while the member ran"]);
}

/// systemd starts it again and again, and never calls it failed.
fn loops(host: &Host) {
    eventually("its unit loops", || {
        on(host, "systemctl show -P SubState etcd-main").starts_with("auto-restart")
    });
}

#[test]
fn a_member_that_keeps_ending_is_down_explained_and_repaired_where_that_is_possible() {
    let stage = Stage::formed("d-loop", 3, &SiteOptions::default());
    let (two, three) = (stage.host(2), stage.host(3));
    let folder = "/etc/systemd/system/etcd-main.service.d";
    let write = format!(
        "mkdir {folder} && printf '[Service]\\nLimitNOFILE=6\\n' > {folder}/50-hand.conf && \
         systemctl daemon-reload && systemctl restart --no-block etcd-main"
    );
    on(&three, &write);
    loops(&three);
    // journald writes down what systemd said of it a moment later.
    eventually("the plan has its last words", || {
        let plan = stage.run(&["plan", "--detailed-exitcode"]).ends(2);
        plan.says("it ends before it is ready").stdout.contains("ready; it said: ")
    });
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    Members::of_main(NEWEST, 3).expect_whole(&stage);

    let taker = "systemd-run -q --unit=taker --socket-property=ListenStream=2380 sleep infinity";
    on(
        &two,
        &format!("systemctl stop etcd-main && {taker} && systemctl start --no-block etcd-main"),
    );
    loops(&two);
    let (words, find) = ("address already in use", "find it with ss -ltnp on the host");
    stage.run(&["plan"]).ends(8).says(words).says(find).says("[port-taken]");
    stage.run(&["status"]).ends(1).says(words).says(find);
    stage.run(&["apply", "--yes"]).ends(8).says(words).says(find);
    on(&two, "systemctl stop taker.socket taker.service");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
}

#[test]
fn etcds_own_authentication_stops_neither_a_roll_nor_a_start() {
    let stage = Stage::formed("d-auth", 3, &SiteOptions::default());
    let members = Members::of_main(NEWEST, 3);
    let host = stage.host(1);
    for arguments in ["user add root:secret", "user grant-role root root", "auth enable"] {
        members.etcdctl(&host, arguments);
    }
    stage.expect_nothing_to_do();
    stage.edit(|text| {
        text.replace("\n[pki]", "\n[clusters.main.etcd]\nsnapshot-count = 5000\n\n[pki]")
    });
    stage.run(&["plan"]).ends(0).says("refuses quorate the handover");
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
    on(&stage.host(2), "systemctl stop etcd-main");
    eventually("the others have a leader", || {
        stage.run(&["plan"]).stdout.contains("that refusal proves a quorum")
    });
    stage.run(&["apply", "--yes"]).ends(0);
    stage.run(&["status"]).ends(0);
    members.etcdctl(&host, "--user root:secret auth disable");
}

fn a_drop_in_for_every_service_is_reported_and_left(stage: &Stage) {
    let file = "/etc/systemd/system/service.d/10-all.conf";
    let write = format!(
        "mkdir -p /etc/systemd/system/service.d && \
         printf '[Service]\\nEnvironment=TOKEN=secret\\n' > {file} && systemctl daemon-reload"
    );
    on(&stage.host(1), &write);
    let before = pids(stage);
    let plan = stage.run(&["plan", "--detailed-exitcode"]).ends(0);
    plan.says(&format!("{file} sets Environment of etcd-main.service")).does_not_say("secret");
    stage.run(&["apply", "--yes"]).ends(0);
    on(&stage.host(1), &format!("test -e {file}"));
    assert_eq!(pids(stage), before, "nothing was restarted");
    stage.edit(|text| {
        let keep = "[clusters.main.systemd]\nkeep-drop-ins = [\"10-all.conf\"]\n\n[pki]";
        text.replace("[pki]", keep)
    });
    stage.run(&["plan"]).ends(0).does_not_say("10-all.conf");
    on(&stage.host(1), &format!("rm {file} && systemctl daemon-reload"));
}

pub(crate) fn a_changed_flag_is_rolled_out_under_load_and_no_write_is_lost(runtime: Runtime) {
    let stage = Stage::formed("d-flag", 3, &options(runtime));
    let members = Members::of_main(NEWEST, 3);
    let id = members.id(&stage.host(1));
    stage.edit(|text| {
        let text = text.replace("[clusters.main]\n", "[clusters.main]\nmetrics = \"peer\"\n");
        text.replace("\n[pki]", "\n[clusters.main.etcd]\nsnapshot-count = 5000\n\n[pki]")
    });
    let plan = stage.run(&["plan", "--detailed-exitcode"]).ends(2);
    let plan = plan.says("--snapshot-count").says("--listen-metrics-urls");
    let plan = plan.says("the leader restarts last");
    plan.says("quorum main: restart etcd-").says("2 up, 2 needed, margin 0");
    roll(&stage, &members, "a flag");
    for host in stage.hosts() {
        on(
            &host,
            "tr '\\0' '\\n' < /proc/$(pgrep -x etcd)/cmdline | grep -qx -- --snapshot-count=5000",
        );
    }
    for host in stage.hosts() {
        let at = host.address();
        on(
            &stage.host(1),
            &format!("curl -s -m 5 http://{at}:2381/metrics | grep -q ^etcd_server"),
        );
        on(&host, "curl -s -m 5 http://127.0.0.1:2381/health | grep -q true");
    }
    assert_eq!(members.id(&stage.host(1)), id);
}

pub(crate) fn a_patch_release_is_rolled_out_under_load_and_no_write_is_lost(runtime: Runtime) {
    let old = Version::new(3, 6, 14);
    let stage = Stage::formed("d-patch", 3, &SiteOptions { version: old, ..options(runtime) });
    let id = Members::of_main(old, 3).id(&stage.host(1));
    let release = releases::ensure(NEWEST, |_| {}).unwrap();
    let arch = releases::architecture().unwrap();
    stage.edit(|text| {
        let text = text.replace("version = \"3.6.14\"", "version = \"3.6.16\"");
        format!("{text}\"{NEWEST}-{arch}\" = \"{}\"\n", release.sha256)
    });
    if runtime == Runtime::StaticPod {
        // What a registry would have.
        stage.lab.import_etcd_image(NEWEST, |_| {}).unwrap();
    }
    stage.run(&["plan", "--detailed-exitcode"]).ends(2).says("3.6.14 -> 3.6.16");
    let members = Members::of_main(NEWEST, 3);
    roll(&stage, &members, "3.6.14 to 3.6.16");
    assert_eq!(members.id(&stage.host(1)), id);
    // The way back needs no download.
    on(&stage.host(1), "test -x /opt/quorate/etcd/3.6.14/etcd");
}

/// Applies what restarts every member, while a client writes.
fn roll(stage: &Stage, members: &Members, what: &str) {
    let before = pids(stage);
    let writer = Writer::start(stage);
    let apply = stage.run(&["apply", "--yes"]).ends(0);
    let written = writer.finish();
    written.expect_all_there(members, stage);
    written.note(&format!("rolled {what} in {:.1} s", apply.took.as_secs_f64()));
    let after = pids(stage);
    assert!(
        before.iter().zip(&after).all(|(before, after)| before != after),
        "{before:?} {after:?}"
    );
    stage.expect_nothing_to_do();
    members.expect_whole(stage);
}

pub(crate) fn a_roll_waits_while_a_member_is_down(runtime: Runtime) {
    let stage = Stage::formed("d-held", 3, &options(runtime));
    stage.edit(|text| {
        text.replace("\n[pki]", "\n[clusters.main.etcd]\nsnapshot-count = 5000\n\n[pki]")
    });
    let before = pids(&stage);
    stage.host(3).cut().unwrap();
    // The member that is cut off may have led.
    let members = Members::of_main(NEWEST, 2);
    eventually("the other two have a leader", || {
        let asked = stage.host(1).ssh(&members.command("get x")).unwrap();
        asked.status.success()
    });
    let plan = stage.run(&["plan"]).says("held back").says("[roll-waits]").says("etcd-3");
    plan.does_not_say("No changes").ends(8);
    let apply = stage.run(&["apply", "--yes"]);
    assert_ne!(apply.code, Some(0), "{}", apply.text());
    stage.host(3).heal().unwrap();
    assert_eq!(pids(&stage), before, "nobody was restarted");
    eventually("the member is back", || stage.run(&["status"]).code == Some(0));
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
}

pub(crate) fn a_single_member_is_restarted_only_when_an_outage_is_allowed(runtime: Runtime) {
    let stage = Stage::formed("d-single", 1, &options(runtime));
    stage.edit(|text| {
        text.replace("\n[pki]", "\n[clusters.main.etcd]\nsnapshot-count = 5000\n\n[pki]")
    });
    let before = pids(&stage);
    stage.run(&["apply", "--yes"]).ends(8).says("[needs-outage]").says("--allow-outage main");
    assert_eq!(pids(&stage), before);
    stage.run(&["apply", "--yes", "--allow-outage", "main"]).ends(0);
    assert_ne!(pids(&stage), before);
    stage.expect_nothing_to_do();
}

pub(crate) fn a_saved_plan_is_applied_as_it_was_reviewed_or_refused_as_stale(runtime: Runtime) {
    let stage = Stage::ready("d-saved", 3, &options(runtime));
    stage.run(&["plan", "--out", "first"]).ends(0);
    stage.run(&["apply", "--yes", "first"]).ends(0);
    stage.expect_nothing_to_do();
    let before = stage.traces().without_data();
    stage.run(&["apply", "--yes", "first"]).ends(3);
    stage.traces().without_data().expect_same_as(&before);

    stage.stop(2);
    stage.run(&["plan", "--out", "second"]).ends(0).says("etcd-2");
    stage.start(2);
    let running = pids(&stage);
    eventually("the member is back", || stage.run(&["status"]).code == Some(0));
    stage.run(&["apply", "--yes", "second"]).ends(3).says("etcd-2");
    assert_eq!(pids(&stage), running);
}

pub(crate) fn a_full_database_is_named_and_holds_back_what_does_not_help(runtime: Runtime) {
    let stage = Stage::ready("d-full", 3, &options(runtime));
    let quota = |bytes: u64, more: &str| {
        format!("\n[clusters.main.etcd]\nquota-backend-bytes = {bytes}\n{more}\n[pki]")
    };
    stage.edit(|text| text.replace("\n[pki]", &quota(16 << 20, "")));
    stage.run(&["apply", "--yes"]).ends(0);
    let members = Members::of_main(NEWEST, 3);
    let fill = format!(
        "head -c 1000000 /dev/zero | tr '\\0' x >/run/large; i=0; while [ $i -lt 40 ]; do \
         {} </run/large || break; i=$((i + 1)); done; test $i -lt 40",
        members.command("put large/$i")
    );
    on(&stage.host(1), &fill);
    stage.run(&["status"]).ends(1).says("NOSPACE");

    let before = pids(&stage);
    stage.edit(|text| {
        text.replace(&quota(16 << 20, ""), &quota(16 << 20, "snapshot-count = 5000\n"))
    });
    stage.run(&["apply", "--yes"]).ends(8).says("[roll-under-alarm]").says("NOSPACE");
    assert_eq!(pids(&stage), before);

    let larger = |text: &str| text.replace(&(16 << 20).to_string(), &(64 << 20).to_string());
    stage.edit(larger);
    stage.run(&["apply", "--yes"]).ends(0);
    assert!(pids(&stage).iter().zip(&before).all(|(now, before)| now != before));
    stage.run(&["etcdctl", "--", "alarm", "disarm"]).ends(0);
    members.etcdctl(&stage.host(2), "put there is-room");
    stage.run(&["status"]).ends(0).does_not_say("NOSPACE");
    stage.expect_nothing_to_do();
}
