//! A program that fails says nothing, and nothing is never good news.

use super::bench::{Bench, Run, on_each_shell};
use crate::script;
use test_kit::executable::executable;

/// Members that say what their files hold; one without a file is down. Of alarms the file `alarms` tells, and
/// the first questions, as many as `silent` says, are not answered.
const ETCDCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
for word; do
    case "$word" in --endpoints=*) endpoint=${word#--endpoints=} ;; esac
done
case "$*" in
*"alarm list"*)
    echo asked >>asked
    [ "$(wc -l <asked)" -gt "$(cat silent)" ] || exit 1
    cat alarms
    ;;
*) cat "member-$endpoint" ;;
esac
"#;

fn rejoin(bench: &Bench, others: &[&str]) -> (i32, String) {
    rejoin_within(bench, "1", others)
}

fn rejoin_within(bench: &Bench, seconds: &str, others: &[&str]) -> (i32, String) {
    if !bench.path("silent").exists() {
        bench.write("silent", "0");
    }
    executable(&bench.path("etcdctl"), ETCDCTL);
    bench.program("systemctl", "echo active");
    bench.program("journalctl", "true");
    let etcdctl = bench.arg("etcdctl");
    let mut words =
        vec![etcdctl.as_str(), "ca", "cert", "key", "own", "3.6.16", seconds, "NOSPACE"];
    words.extend(["etcd-main.service", "etcd-main", "/data", ""]);
    words.extend(others);
    let reply = bench.run(&Run::unguarded(script::AWAIT_REJOIN, &words));
    (reply.status, String::from_utf8(reply.stdout).unwrap())
}

fn member(bench: &Bench, name: &str, applied: u64) {
    let said = format!(
        "\"Leader\" : 7\n\"Version\" : \"3.6.16\"\n\"RaftIndex\" : {applied}\n\
         \"RaftAppliedIndex\" : {applied}\n"
    );
    bench.write(&format!("member-{name}"), &said);
}

#[test]
fn a_member_is_back_once_it_has_what_the_others_had() {
    on_each_shell(|bench| {
        member(bench, "own", 90);
        member(bench, "a", 90);
        bench.write("alarms", "memberID:7 alarm:NOSPACE \n");
        assert_eq!(rejoin(bench, &["a", "b"]), (0, "changed\n".to_owned()), "b is down");
        assert_eq!(rejoin(bench, &[]), (0, "changed\n".to_owned()), "it is alone");
        member(bench, "own", 89);
        let (status, said) = rejoin(bench, &["a", "b"]);
        assert_eq!(status, 1);
        assert!(said.contains("it has applied 89 of 90 entries of the log"), "{said}");
    });
}

#[test]
fn others_that_do_not_answer_are_no_sign_that_it_has_caught_up() {
    on_each_shell(|bench| {
        member(bench, "own", 90);
        bench.write("alarms", "");
        let (status, said) = rejoin(bench, &["a", "b"]);
        assert_eq!(status, 1, "{said}");
        assert!(
            said.contains("too few of the other members report their position in the log"),
            "{said}"
        );
        member(bench, "a", 90);
        let (status, said) = rejoin(bench, &["a", "b", "c", "d"]);
        assert_eq!(status, 1, "one of four is too few: {said}");
        member(bench, "b", 80);
        assert_eq!(rejoin(bench, &["a", "b", "c", "d"]).0, 0);
    });
}

#[test]
fn a_list_of_alarms_that_does_not_come_is_not_an_empty_one() {
    on_each_shell(|bench| {
        member(bench, "own", 90);
        bench.write("alarms", "memberID:7 alarm:CORRUPT \n");
        bench.write("silent", "999");
        let (status, said) = rejoin(bench, &[]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("the member does not say whether an alarm is up"), "{said}");
        // It is asked again.
        bench.write("asked", "");
        bench.write("silent", "2");
        let (status, said) = rejoin_within(bench, "600", &[]);
        assert_eq!((status, said.as_str()), (1, "failed etcd raised a new alarm: CORRUPT\n"));
        assert_eq!(bench.read("asked").lines().count(), 3);
    });
}

fn discard(bench: &Bench) -> i32 {
    let words = ["data", "token", "marker", "witness", "manifest"].map(|name| bench.arg(name));
    let mut args = vec!["etcd-main.service".to_owned()];
    args.extend(words);
    args.extend(["1".to_owned(), bench.arg("kept")]);
    bench.run(&Run::unguarded(script::DISCARD_BOOTSTRAP, &args)).status
}

#[test]
fn nothing_is_discarded_while_systemd_does_not_say_what_runs() {
    on_each_shell(|bench| {
        bench.write("token", "t");
        for silent in ["exit 1", "case $* in *LoadState*) echo not-found ;; *) exit 1 ;; esac"] {
            bench.program("systemctl", silent);
            assert_ne!(discard(bench), 0, "{silent}");
            assert!(bench.path("token").exists(), "{silent}");
        }
        bench.program("systemctl", "case $* in *LoadState*) echo not-found ;; *) echo 0 ;; esac");
        assert_eq!(discard(bench), 0);
        assert!(!bench.path("token").exists());
    });
}

#[test]
fn a_member_is_not_decommissioned_while_systemd_does_not_say_what_runs() {
    on_each_shell(|bench| {
        let stop_old_runtime = |from: &str| {
            let files = ["unit", "manifest", "data"].map(|name| bench.arg(name));
            let mut args = vec![from.to_owned(), "etcd-main.service".to_owned()];
            args.extend(files);
            args.extend(["etcd-main", "1", "kept", "1", ""].map(str::to_owned));
            bench.run(&Run::unguarded(script::STOP_OLD_RUNTIME, &args)).status
        };
        bench.program("journalctl", "true");
        bench.program("systemctl", "exit 1");
        assert_ne!(stop_old_runtime("systemd"), 0);
        assert_ne!(stop_old_runtime("static-pod"), 0);
        bench.program("systemctl", "case $* in *LoadState*) echo not-found ;; *) echo 0 ;; esac");
        assert_eq!((stop_old_runtime("systemd"), stop_old_runtime("static-pod")), (0, 0));
    });
}

/// A member in a crash loop is no longer one once it stays up: its end is a turn of the roll, behind a guard.
#[test]
fn what_is_left_of_a_runtime_is_not_removed_while_it_runs_again() {
    on_each_shell(|bench| {
        bench.program(
            "systemctl",
            "echo \"$1\" >>calls\n\
             case $* in *LoadState*) echo loaded ;; *ActiveState*) cat state ;; esac",
        );
        let files = ["unit", "manifest", "data"].map(|name| bench.arg(name));
        let stop_old_runtime = |image: &str| {
            let mut args = vec!["systemd".to_owned(), "etcd-main.service".to_owned()];
            args.extend(files.clone());
            args.extend(["etcd-main", "1", "kept", "1", image].map(str::to_owned));
            bench.write("calls", "");
            let reply = bench.run(&Run::unguarded(script::STOP_OLD_RUNTIME, &args));
            (reply.status, bench.read("calls").contains("stop"))
        };
        bench.write("unit", "");
        bench.write("state", "active");
        assert_eq!(stop_old_runtime(""), (80, false));
        assert!(bench.path("unit").exists());
        bench.write("state", "inactive");
        assert_eq!(stop_old_runtime(""), (0, true));
    });
}

/// Without a number for its account a pod runs as root.
#[test]
fn a_pod_without_the_number_of_its_account_is_not_written() {
    on_each_shell(|bench| {
        bench.program("systemctl", "echo active");
        bench.program("journalctl", "true");
        let text =
            "kind: Pod\n    runAsUser: \"@UID_OF_ETCD@\"\n    runAsGroup: \"@GID_OF_ETCD@\"\n";
        let manifest = bench.arg("manifests/etcd-main.yaml");
        std::fs::create_dir(bench.path("manifests")).unwrap();
        let write = || {
            let words = [manifest.as_str(), "root", "root"];
            bench.run(&Run::unguarded(script::WRITE_MANIFEST, &words).with(text.as_bytes()))
        };
        let run = || {
            let mut words = vec![manifest.as_str(), "data", "unit", "pod", "id", "absent"];
            words.extend(["root", "root", "1", "1", "1", "kept", "image"]);
            bench.run(&Run::unguarded(script::RUN_POD, &words).with(text.as_bytes()))
        };
        for broken in ["id", "getent"] {
            bench.program(broken, "exit 2");
            assert_ne!((write().status, run().status), (0, 0), "{broken}");
            assert!(!bench.path("manifests/etcd-main.yaml").exists(), "{broken}");
            std::fs::remove_file(bench.path("bin").join(broken)).unwrap();
        }
    });
}

/// A lock is somebody's for all that is known.
#[test]
fn a_lock_is_held_while_the_host_does_not_say_which_boot_this_is() {
    on_each_shell(|bench| {
        let held = "generation 1\nnonce n\nuntil 999999999\nboot b\nowner alice\nsince s\nwhy w\n";
        bench.write("lock", held);
        let look = || {
            let words = [bench.arg("lock"), "look".to_owned()];
            bench.run(&Run::unguarded(script::LOCK_BREAK, &words))
        };
        assert_eq!(look().status, 0, "of another boot it is nobody's");
        for (broken, file) in [("cat", "boot"), ("cut", "uptime")] {
            bench.program(broken, "exit 1");
            bench.write("lock", &held.replace("boot b", &format!("boot {}", this_boot())));
            assert_ne!(look().status, 0, "{file}");
            std::fs::remove_file(bench.path("bin").join(broken)).unwrap();
        }
    });
}

fn this_boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    id.trim().to_owned()
}
