//! A database that is rewritten while its member is stopped: as a unit and as a pod, and killed in the middle.

use super::super::bench::{Bench, Run, on_each_shell};
use super::super::pods;
use super::{ENOUGH, member};
use crate::script;
use remote::test_server::wait_for;
use test_kit::executable::executable;

/// systemd, as far as these scripts speak with it: the process is in `pid`. With `killed-after-stop` the script that
/// asked for a stop is killed.
const SYSTEMCTL: &str = r#"
case "$*" in
*kubelet*) echo "${KUBELET:-active}" ;;
stop*)
    echo "systemd stops" >>calls
    [ ! -e stuck ] || exit 0
    echo 0 >pid
    rm -f opened
    [ ! -e killed-after-stop ] || { rm killed-after-stop; kill -9 "$PPID"; }
    ;;
start*) echo "systemd starts" >>calls; echo 78 >pid ;;
*MainPID*) cat pid ;;
*ActiveState*) [ "$(cat pid)" = 0 ] && echo inactive || echo active ;;
*LoadState*) echo loaded ;;
esac
"#;

/// As root it would give the rights away; here it only says to whom.
const SETPRIV: &str = r#"
echo "$1 $2" >as
while [ "$1" != env ]; do shift; done
exec "$@"
"#;

fn host(bench: &Bench, free: u64) {
    member(bench, 400, 60, free);
    executable(&bench.path("etcdutl"), super::ETCDCTL);
    bench.program("systemctl", SYSTEMCTL);
    bench.program("setpriv", SETPRIV);
    bench.program("journalctl", "true");
    for folder in ["data/member/snap", "data/member/wal"] {
        std::fs::create_dir_all(bench.path(folder)).unwrap();
    }
    bench.write("data/member/wal/0.wal", "");
    bench.write("data/member/snap/db", "a database");
}

fn defragment(bench: &Bench, runtime: &str) -> (i32, String) {
    defragment_within(bench, runtime, 20)
}

/// With so many seconds for the member to be back.
fn defragment_within(bench: &Bench, runtime: &str, seconds: u32) -> (i32, String) {
    let args = [
        bench.arg("etcdctl"),
        "ca".to_owned(),
        "cert".to_owned(),
        "key".to_owned(),
        "own".to_owned(),
        bench.arg("data"),
        "/quorate/defragment".to_owned(),
        "30".to_owned(),
        "100000000".to_owned(),
        bench.arg("etcdutl"),
        bench.arg("data/member/wal"),
        runtime.to_owned(),
        "etcd-main.service".to_owned(),
        "etcd-main".to_owned(),
        bench.arg(pods::MANIFEST),
        bench.arg(pods::KEPT),
        seconds.to_string(),
        "20".to_owned(),
        "60".to_owned(),
    ];
    let reply = bench.run(&Run::unguarded(script::DEFRAGMENT_STOPPED, &args));
    (reply.status, String::from_utf8(reply.stdout).unwrap() + &reply.stderr)
}

/// What was done, in its order.
fn calls(bench: &Bench) -> Vec<String> {
    let said = bench.read("calls");
    let word = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    said.lines().map(word).collect()
}

/// The account that owns the files of the bench.
fn owner(bench: &Bench) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let data = std::fs::metadata(bench.path("data")).unwrap();
    // A fake root sees its own files as root's.
    let as_seen = |id: u32| if data.uid() == 0 { id } else { 0 };
    format!("--reuid={} --regid={}", as_seen(data.uid()), as_seen(data.gid()))
}

#[test]
fn a_unit_is_stopped_rewritten_as_its_account_and_started() {
    on_each_shell(|bench| {
        host(bench, ENOUGH);
        let (status, said) = defragment(bench, "systemd");
        assert_eq!(status, 0, "{said}");
        assert!(said.ends_with("before 400000000\nafter 60000000\nchanged\n"), "{said}");
        let tool = format!("tool as {}", owner(bench));
        assert_eq!(calls(bench), ["systemd stops", &tool, "systemd starts"]);
        assert_eq!(defragment(bench, "systemd"), (0, "already\n".to_owned()));
        assert_eq!(calls(bench).len(), 3, "nobody is stopped for nothing");
    });
}

#[test]
fn without_room_or_without_a_log_the_member_is_not_stopped() {
    on_each_shell(|bench| {
        host(bench, 200);
        let (status, said) = defragment(bench, "systemd");
        assert_eq!(status, 80, "{said}");
        assert!(said.contains("needs 200217728 bytes, and 200000000 are free"), "{said}");
        host(bench, ENOUGH);
        std::fs::remove_file(bench.path("data/member/wal/0.wal")).unwrap();
        let (status, said) = defragment(bench, "systemd");
        assert_eq!(status, 80, "{said}");
        assert!(said.contains("holds no write-ahead log"), "{said}");
        assert_eq!(calls(bench), Vec::<String>::new());
    });
}

#[test]
fn whatever_comes_of_the_tool_the_member_is_started() {
    on_each_shell(|bench| {
        host(bench, ENOUGH);
        bench.write("mode", "broken");
        let (status, said) = defragment(bench, "systemd");
        assert_eq!(status, 1);
        let why = "failed the member runs, and its database was not defragmented: Error: no space left on device";
        assert_eq!(said.trim_end(), why);
        assert_eq!(calls(bench).last().unwrap(), "systemd starts");
    });
}

#[test]
fn a_tool_that_says_it_is_done_and_frees_nothing_is_a_failure() {
    on_each_shell(|bench| {
        host(bench, ENOUGH);
        bench.write("mode", "useless");
        let (status, said) = defragment(bench, "systemd");
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("its database was not defragmented"), "{said}");
        assert_eq!(bench.read("pid").trim(), "78");
    });
}

/// It would run on a file that has no name any more.
#[test]
fn a_unit_that_somebody_starts_meanwhile_is_restarted() {
    on_each_shell(|bench| {
        host(bench, ENOUGH);
        bench.write("meanwhile", "echo 79 >pid");
        let (status, said) = defragment(bench, "systemd");
        assert_eq!(status, 0, "{said}");
        assert!(said.ends_with("after 60000000\nchanged\n"), "{said}");
        let last = calls(bench).split_off(2);
        assert_eq!(last, ["systemd stops", "systemd starts"]);
    });
}

#[test]
fn a_member_that_does_not_stop_keeps_its_database() {
    on_each_shell(|bench| {
        host(bench, ENOUGH);
        bench.write("stuck", "");
        let (status, said) = defragment(bench, "systemd");
        assert_eq!(status, 1);
        assert!(said.starts_with("failed etcd-main.service does not stop"), "{said}");
        assert!(!calls(bench).iter().any(|call| call.starts_with("tool")), "{:?}", calls(bench));
    });
}

#[test]
fn a_member_that_does_not_come_back_is_a_failure() {
    on_each_shell(|bench| {
        host(bench, ENOUGH);
        bench.program("systemctl", &SYSTEMCTL.replace("echo 78 >pid", "true"));
        let (status, said) = defragment_within(bench, "systemd", 1);
        assert_eq!(status, 1);
        assert!(said.contains("the member is not back"), "{said}");
    });
}

#[test]
fn a_unit_that_a_killed_try_left_stopped_is_finished_and_started() {
    on_each_shell(|bench| {
        host(bench, ENOUGH);
        bench.write("killed-after-stop", "");
        let (status, _) = defragment(bench, "systemd");
        assert_ne!(status, 0);
        assert_eq!((calls(bench).len(), bench.read("pid").trim()), (1, "0"));
        let (status, said) = defragment(bench, "systemd");
        assert_eq!(status, 0, "{said}");
        assert_eq!((bench.read("size").trim(), bench.read("pid").trim()), ("60000000", "78"));
    });
}

/// Without room there is nothing to do but to start it again.
#[test]
fn a_unit_that_a_killed_try_left_stopped_is_started_where_there_is_no_room() {
    on_each_shell(|bench| {
        host(bench, 0);
        bench.write("pid", "0");
        let (status, said) = defragment(bench, "systemd");
        assert_eq!(status, 1);
        assert!(said.contains("the member runs") && said.contains("0 are free"), "{said}");
        assert_eq!(bench.read("pid").trim(), "78");
    });
}

/// As a pod the member has a process while its kubelet runs one.
const POD_PID: &str = r#"
case "$*" in
*kubelet*) echo active ;;
*MainPID*) echo 0 ;;
*LoadState*) echo not-found ;;
esac
"#;

fn pod(bench: &Bench) {
    pods::host(bench, "active");
    host(bench, ENOUGH);
    bench.program("systemctl", POD_PID);
    // The tool asks whether the member has the database open; here the list of processes shows it.
    let tool =
        super::ETCDCTL.replace("\"$(cat pid)\" = 0 ", "! -e folder/manifests/etcd-main.yaml ");
    executable(&bench.path("etcdutl"), &tool);
}

#[test]
fn a_pod_is_removed_rewritten_and_put_back_as_it_was() {
    on_each_shell(|bench| {
        pod(bench);
        pods::with_kubelet(bench, || {
            bench.done(&pods::run_pod(bench, "0a", "", "absent"));
            assert!(wait_for(|| pods::starts(bench) == 1));
            let (status, said) = defragment(bench, "static-pod");
            assert_eq!(status, 0, "{said}");
            assert!(said.ends_with("after 60000000\nchanged\n"), "{said}");
            assert_eq!(bench.read(pods::MANIFEST), pods::written("0a", ""));
            assert!(!bench.path(pods::KEPT).exists());
            assert!(wait_for(|| pods::starts(bench) == 2));
            assert_eq!(defragment(bench, "static-pod"), (0, "already\n".to_owned()));
        });
    });
}

#[test]
fn a_pod_that_somebody_puts_back_meanwhile_is_restarted() {
    on_each_shell(|bench| {
        pod(bench);
        let put = "cp kept folder/put; mv folder/put folder/manifests/etcd-main.yaml; \
             while [ \"$(wc -c <starts)\" -lt 2 ]; do sleep 0.05; done; sleep 0.4; rm opened";
        bench.write("meanwhile", put);
        pods::with_kubelet(bench, || {
            bench.done(&pods::run_pod(bench, "0a", "", "absent"));
            assert!(wait_for(|| pods::starts(bench) == 1));
            let (status, said) = defragment(bench, "static-pod");
            assert_eq!(status, 0, "{said}");
            assert_eq!(bench.read(pods::MANIFEST), pods::written("0a", ""));
            assert!(wait_for(|| pods::starts(bench) == 3));
        });
    });
}

/// A copy that an earlier run left may be older than what lies there.
#[test]
fn a_manifest_that_is_in_place_stays() {
    on_each_shell(|bench| {
        pod(bench);
        bench.write(pods::MANIFEST, &pods::written("0b", ""));
        bench.write(pods::KEPT, &pods::written("0a", ""));
        // The copy can't take its place.
        bench.program("mv", "case \"$*\" in *kept) exit 1 ;; esac; exec /bin/mv \"$@\"");
        let (status, said) = defragment(bench, "static-pod");
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("can't copy"), "{said}");
        assert_eq!(bench.read(pods::MANIFEST), pods::written("0b", ""));
    });
}

#[test]
fn a_pod_that_a_killed_try_left_without_its_manifest_is_finished_and_put_back() {
    on_each_shell(|bench| {
        pod(bench);
        bench.program(
            "sync",
            "[ -e folder/manifests/etcd-main.yaml ] || [ ! -e kill ] || { rm kill; kill -9 \"$PPID\"; }",
        );
        pods::with_kubelet(bench, || {
            bench.done(&pods::run_pod(bench, "0a", "", "absent"));
            bench.write("kill", "");
            let (status, _) = defragment(bench, "static-pod");
            assert_ne!(status, 0);
            assert!(!bench.path(pods::MANIFEST).exists() && bench.path(pods::KEPT).exists());
            let (status, said) = defragment(bench, "static-pod");
            assert_eq!(status, 0, "{said}");
            assert_eq!(bench.read(pods::MANIFEST), pods::written("0a", ""));
            assert!(!bench.path(pods::KEPT).exists());
        });
    });
}

#[test]
fn a_pod_without_a_manifest_and_without_its_copy_is_refused() {
    on_each_shell(|bench| {
        pod(bench);
        let (status, said) = defragment(bench, "static-pod");
        assert_eq!(status, 80, "{said}");
        assert!(said.contains("to start it from"), "{said}");
    });
}
