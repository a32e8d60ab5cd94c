//! Pods, by a kubelet of the test's own: it does what lies in its folder, as little of it as matters here.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::bench::{Bench, Run, mode, on_each_shell};
use crate::script::{RUN_POD, STOP_OLD_RUNTIME, WRITE_MANIFEST};
use remote::test_server::wait_for;

pub(super) const MANIFEST: &str = "folder/manifests/etcd-main.yaml";
/// An etcd that runs until somebody ends it.
const ETCD: &str = "while :; do sleep 0.05; done";
/// Where a manifest is kept while it is replaced.
pub(super) const KEPT: &str = "kept";

/// As much of a manifest as the scripts and this kubelet read.
fn manifest(identity: &str, more: &str) -> String {
    format!(
        "# A comment.\nkind: Pod\n    runAsUser: \"@UID_OF_ETCD@\"\n    runAsGroup: \"@GID_OF_ETCD@\"\n\
             - name: QUORATE_MANIFEST\n      value: {identity}\n{more}"
    )
}

/// The same, as it stands on a host where the account is root's.
pub(super) fn written(identity: &str, more: &str) -> String {
    manifest(identity, more).replace("\"@UID_OF_ETCD@\"", "0").replace("\"@GID_OF_ETCD@\"", "0")
}

pub(super) fn host(bench: &Bench, kubelet: &str) {
    // The unit has no process.
    bench.program(
        "systemctl",
        &format!("case $* in *kubelet*) echo {kubelet} ;; *LoadState*) echo not-found ;; *) echo 0 ;; esac"),
    );
    bench.program("journalctl", "true");
    bench.program("crictl", "true");
    bench.program("etcd", ETCD);
    std::fs::create_dir_all(bench.path("bin/brief")).unwrap();
    bench.program("brief/etcd", "sleep 0.7");
    std::fs::create_dir_all(bench.path("folder/manifests")).unwrap();
}

pub(super) fn run_pod<'a>(bench: &Bench, identity: &str, more: &str, seen: &str) -> Run<'a> {
    run_pod_for(bench, (identity, more), seen, 10, "ends")
}

fn run_pod_for<'a>(
    bench: &Bench,
    (identity, more): (&str, &str),
    seen: &str,
    seconds: u32,
    running: &str,
) -> Run<'a> {
    let words = [
        bench.arg(MANIFEST),
        bench.arg("data"),
        "etcd-main.service".to_owned(),
        "etcd-main".to_owned(),
        identity.to_owned(),
        seen.to_owned(),
        running.to_owned(),
        String::new(),
        "2".to_owned(),
        "root".to_owned(),
        "root".to_owned(),
        seconds.to_string(),
        "2".to_owned(),
        "2".to_owned(),
        bench.arg(KEPT),
        "registry.example.net/etcd:v3.6.16".to_owned(),
    ];
    Run::unguarded(RUN_POD, &words).with(manifest(identity, more).as_bytes())
}

fn stop_old_runtime<'a>(bench: &Bench) -> Run<'a> {
    let words = [
        "static-pod".to_owned(),
        "etcd-main.service".to_owned(),
        bench.arg("unit"),
        bench.arg(MANIFEST),
        bench.arg("data"),
        "etcd-main".to_owned(),
        "1".to_owned(),
        bench.arg(KEPT),
        "2".to_owned(),
        String::new(),
    ];
    Run::unguarded(STOP_OLD_RUNTIME, &words)
}

fn said(bench: &Bench, run: &Run<'_>) -> (i32, String) {
    let reply = bench.run(run);
    (reply.status, String::from_utf8(reply.stdout).unwrap())
}

/// What the kubelet runs now: the pod, and the process.
struct Pod {
    text: String,
    process: Child,
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Runs a kubelet while `act` works. It ignores comments.
pub(super) fn with_kubelet<T>(bench: &Bench, act: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let pod_in = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut runs: Option<Pod> = None;
            while !over.load(Ordering::Relaxed) {
                let wanted = std::fs::read_to_string(bench.path(MANIFEST)).ok();
                let wanted = wanted.as_deref().map(pod_in);
                if runs.as_ref().map(|pod| &pod.text) != wanted.as_ref() {
                    drop(runs.take());
                    thread::sleep(Duration::from_millis(150));
                    runs = wanted.map(|text| Pod { process: started(bench, &text), text });
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        // In any case: the scope waits for the kubelet.
        let _ends = OnDrop(|| over.store(true, Ordering::Relaxed));
        act()
    })
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn started(bench: &Bench, pod: &str) -> Child {
    let identity = pod.split_once("value: ").unwrap().1.lines().next().unwrap();
    bench.write("starts", &"x".repeat(starts(bench) + 1));
    let program = if pod.contains("ends at once") { "brief/etcd" } else { "etcd" };
    Command::new(bench.path("bin").join(program))
        .arg(format!("--data-dir={}", bench.arg("data")))
        .env("QUORATE_MANIFEST", identity)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// How many processes the kubelet started.
pub(super) fn starts(bench: &Bench) -> usize {
    std::fs::read_to_string(bench.path("starts")).map_or(0, |text| text.len())
}

#[test]
fn a_pod_is_started_and_replaced_and_its_own_process_waited_for() {
    on_each_shell(|bench| {
        host(bench, "active");
        with_kubelet(bench, || {
            assert_eq!(bench.done(&run_pod(bench, "0a", "", "absent")), "changed");
            assert_eq!(bench.read(MANIFEST), written("0a", ""));
            assert_eq!(mode(&bench.path(MANIFEST)), 0o600);
            assert_eq!(bench.done(&run_pod(bench, "0a", "", "absent")), "already");
            // By the identity of the one before, as the plan that wrote it replaces it.
            assert_eq!(bench.done(&run_pod(bench, "0b", "", "identity:0a")), "changed");
            assert_eq!(bench.done(&run_pod(bench, "0b", "", "identity:0a")), "already");
            assert_eq!(bench.read(MANIFEST), written("0b", ""));
            assert_eq!(bench.done(&stop_old_runtime(bench)), "changed");
            assert_eq!(bench.done(&stop_old_runtime(bench)), "already");
        });
        let left = bench.entries().into_iter().filter(|entry| entry.starts_with("folder"));
        assert_eq!(left.collect::<Vec<_>>(), ["folder", "folder/manifests"]);
    });
}

/// The plan saw the member down. To end a pod that came up since is a restart, and has no guard here.
#[test]
fn a_start_leaves_a_pod_alone_that_came_up_since_the_plan() {
    on_each_shell(|bench| {
        host(bench, "active");
        let start = |identity: &str| {
            let seen = sha256(&written(identity, ""));
            run_pod_for(bench, ("0b", ""), &seen, 10, "stays")
        };
        with_kubelet(bench, || {
            bench.done(&run_pod(bench, "0a", "", "absent"));
            assert_eq!(bench.done(&start("0a")), "already");
            assert_eq!((bench.read(MANIFEST), starts(bench)), (written("0a", ""), 1));
        });
    });
}

/// It is what a start is for, at whatever moment the look comes.
#[test]
fn a_start_takes_the_place_of_a_pod_that_ends_by_itself() {
    on_each_shell(|bench| {
        host(bench, "active");
        let ending = written("0a", "ends at once\n");
        with_kubelet(bench, || {
            bench.write("edited", &ending);
            std::fs::rename(bench.path("edited"), bench.path(MANIFEST)).unwrap();
            assert!(wait_for(|| starts(bench) == 1));
            let start = run_pod_for(bench, ("0b", ""), &sha256(&ending), 10, "stays");
            assert_eq!(bench.done(&start), "changed");
            assert_eq!((bench.read(MANIFEST), starts(bench)), (written("0b", ""), 2));
        });
    });
}

#[test]
fn a_pod_that_somebody_edited_goes_before_the_next_one_comes() {
    on_each_shell(|bench| {
        host(bench, "active");
        with_kubelet(bench, || {
            bench.done(&run_pod(bench, "0a", "", "absent"));
            // As an editor does it: nobody reads half a file.
            bench.write("edited", &written("0a", "by: hand\n"));
            std::fs::rename(bench.path("edited"), bench.path(MANIFEST)).unwrap();
            assert!(wait_for(|| starts(bench) == 2));
            // It has the identity of the one that is wanted, and is another one.
            let edited = sha256(&written("0a", "by: hand\n"));
            assert_eq!(bench.done(&run_pod(bench, "0a", "", &edited)), "changed");
            assert_eq!(bench.read(MANIFEST), written("0a", ""));
        });
    });
}

/// The host lost its power in the middle of the step.
#[test]
fn a_step_that_was_cut_off_without_its_manifest_is_done_again() {
    on_each_shell(|bench| {
        host(bench, "active");
        with_kubelet(bench, || {
            for seen in [sha256(&written("0a", "")), "identity:0a".to_owned()] {
                let _ = std::fs::remove_file(bench.path(MANIFEST));
                bench.write(KEPT, &written("0a", ""));
                assert_eq!(bench.done(&run_pod(bench, "0b", "", &seen)), "changed");
                assert_eq!(bench.read(MANIFEST), written("0b", ""));
                assert!(!bench.path(KEPT).exists());
            }
            // Somebody removed another manifest than the one that was kept.
            std::fs::remove_file(bench.path(MANIFEST)).unwrap();
            bench.write(KEPT, &written("0c", ""));
            let (status, words) = said(bench, &run_pod(bench, "0b", "", "identity:0a"));
            assert!(
                status == 80 && words.contains("has changed since the plan was made"),
                "{words}"
            );
        });
    });
}

fn sha256(text: &str) -> String {
    pki::Sha256Digest::hash(text.as_bytes()).to_string()
}

#[test]
fn an_etcd_that_ends_at_once_is_reported() {
    on_each_shell(|bench| {
        host(bench, "active");
        let (status, said) =
            with_kubelet(bench, || said(bench, &run_pod(bench, "0a", "ends at once\n", "absent")));
        assert_eq!((status, said.as_str()), (1, "failed etcd ended at once\n"));
    });
}

#[test]
fn an_etcd_that_nobody_saw_is_reported() {
    on_each_shell(|bench| {
        host(bench, "active");
        let (status, said) = said(bench, &run_pod_for(bench, ("0a", ""), "absent", 2, "ends"));
        let words = "failed no etcd from this manifest was seen in 2 s: \
                     the kubelet started none, or it ended at once\n";
        assert_eq!((status, said.as_str()), (1, words));
        assert_eq!(bench.read(MANIFEST), written("0a", ""));
    });
}

#[test]
fn nothing_is_written_where_nobody_would_run_it_or_somebody_else_wrote() {
    on_each_shell(|bench| {
        host(bench, "inactive");
        let (status, words) = said(bench, &run_pod(bench, "0a", "", "absent"));
        assert_eq!(status, 80);
        assert!(words.contains("systemctl start kubelet"), "{words}");
        host(bench, "active");
        bench.write(MANIFEST, "another");
        for seen in ["absent", &"0".repeat(64), "identity:0b"] {
            let (status, words) = said(bench, &run_pod(bench, "0a", "", seen));
            assert!(
                status == 80 && words.contains("has changed since the plan was made"),
                "{words}"
            );
        }
        assert_eq!(bench.read(MANIFEST), "another");
        let reply = bench.run(&Run { missing: 1, ..run_pod(bench, "0a", "", &sha256("another")) });
        assert_eq!(reply.status, 81);
        assert_eq!(bench.read(MANIFEST), "another");
        let left = bench.entries().into_iter().filter(|entry| entry.contains(".quorate-"));
        assert_eq!(left.count(), 0);
    });
}

#[test]
fn a_pod_is_not_removed_while_no_kubelet_would_end_it() {
    on_each_shell(|bench| {
        host(bench, "active");
        with_kubelet(bench, || {
            bench.done(&run_pod(bench, "0a", "", "absent"));
            host(bench, "inactive");
            assert_eq!(said(bench, &stop_old_runtime(bench)).0, 80);
            assert_eq!(bench.read(MANIFEST), written("0a", ""));
        });
        // Where nothing runs it is only a file.
        assert_eq!(bench.done(&stop_old_runtime(bench)), "changed");
    });
}

#[test]
fn a_manifest_is_rewritten_only_where_the_pod_stays_the_same() {
    on_each_shell(|bench| {
        host(bench, "active");
        let write = || {
            let words = [bench.arg(MANIFEST), "root".to_owned(), "root".to_owned()];
            Run::unguarded(WRITE_MANIFEST, &words).with(manifest("0a", "").as_bytes())
        };
        bench.write(MANIFEST, &written("0a", "").replace("A comment", "Another one"));
        assert_eq!(bench.done(&write()), "changed");
        assert_eq!(bench.read(MANIFEST), written("0a", ""));
        assert_eq!(mode(&bench.path(MANIFEST)), 0o600);
        assert_eq!(bench.done(&write()), "already");
        bench.write(MANIFEST, &written("0a", "by: hand\n"));
        assert_eq!(bench.run(&write()).status, 80);
        assert_eq!(bench.read(MANIFEST), written("0a", "by: hand\n"));
    });
}

/// A pod that nobody ends: its container runtime hangs.
fn stuck_pod(bench: &Bench, identity: &str) -> Pod {
    bench.write(MANIFEST, &written(identity, ""));
    Pod { text: String::new(), process: started(bench, &written(identity, "")) }
}

#[test]
fn a_manifest_whose_pod_does_not_end_is_put_back() {
    on_each_shell(|bench| {
        host(bench, "active");
        let _pod = stuck_pod(bench, "0a");
        let before = bench.read(MANIFEST);
        for run in [run_pod(bench, "0b", "", &sha256(&before)), stop_old_runtime(bench)] {
            let (status, said) = said(bench, &run);
            assert_eq!((status, said.lines().next().unwrap_or_default()), (1, STUCK));
            assert_eq!(bench.read(MANIFEST), before);
            assert_eq!(mode(&bench.path(MANIFEST)), 0o600);
            assert!(!bench.path(KEPT).exists());
        }
        let left = bench.entries().into_iter().filter(|entry| entry.contains(".quorate-"));
        assert_eq!(left.count(), 0);
    });
}

const STUCK: &str = "failed the pod does not end; the previous manifest is back";

#[test]
fn a_manifest_that_a_killed_run_had_removed_is_put_back_by_the_next() {
    on_each_shell(|bench| {
        host(bench, "active");
        let pod = stuck_pod(bench, "0a");
        // As the run left it that was killed between.
        std::fs::rename(bench.path(MANIFEST), bench.path(KEPT)).unwrap();
        let (status, words) = said(bench, &run_pod(bench, "0b", "", "absent"));
        assert_eq!((status, words.lines().next().unwrap_or_default()), (1, STUCK));
        assert_eq!(bench.read(MANIFEST), written("0a", ""));
        // And where its pod had ended meanwhile, no other one starts.
        std::fs::rename(bench.path(MANIFEST), bench.path(KEPT)).unwrap();
        drop(pod);
        let (status, words) = said(bench, &run_pod_for(bench, ("0b", ""), "absent", 2, "ends"));
        assert!(status == 1 && words.contains("the previous manifest is back"), "{words}");
        assert_eq!(bench.read(MANIFEST), written("0a", ""));
        assert!(!bench.path(KEPT).exists());
    });
}

#[test]
fn a_pod_stays_where_the_next_one_s_image_is_not_to_be_had() {
    on_each_shell(|bench| {
        host(bench, "active");
        with_kubelet(bench, || {
            bench.done(&run_pod(bench, "0a", "", "absent"));
            bench.program("crictl", "echo 'no such host' >&2; false");
            let (status, words) = said(bench, &run_pod(bench, "0b", "", "identity:0a"));
            let why = "failed can't pull the pod's image: no such host\n";
            assert_eq!((status, words.as_str()), (1, why));
            assert_eq!((starts(bench), bench.read(MANIFEST)), (1, written("0a", "")));
            // What the kubelet logs in with, crictl does not have: nobody knows, so it is tried.
            bench.program("crictl", "echo 'code = Unknown: 401 Unauthorized' >&2; false");
            assert_eq!(bench.done(&run_pod(bench, "0b", "", "identity:0a")), "changed");
            assert!(!bench.path(KEPT).exists());
        });
    });
}

#[test]
fn an_image_that_only_the_kubelet_missed_brings_the_old_pod_back() {
    on_each_shell(|bench| {
        host(bench, "active");
        with_kubelet(bench, || {
            bench.done(&run_pod(bench, "0a", "", "absent"));
            // This kubelet starts nothing of what it gets next, and says why.
            bench.program("etcd", "exit 1");
            bench.program("journalctl", "echo 'etcd-main: ErrImagePull'");
            let run = run_pod_for(bench, ("0b", ""), "identity:0a", 20, "ends");
            let (status, words) = said(bench, &run);
            let why = "failed can't pull the pod's image; the previous manifest is back";
            assert_eq!((status, words.lines().next().unwrap_or_default()), (1, why));
            assert_eq!(bench.read(MANIFEST), written("0a", ""));
        });
    });
}
