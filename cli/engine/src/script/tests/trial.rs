//! A backup is tried apart from everything, and nothing of it stays.

use sha2::{Digest, Sha256};

use super::bench::{Bench, Run, on_each_shell};
use crate::script::{CHECK_SNAPSHOT, TRY_SNAPSHOT};
use remote::Reply;
use test_kit::executable::executable;

const SNAPSHOT: &[u8] = b"what a snapshot holds";
/// Where the etcd that is tried finds its files.
const INSIDE: &str = "/var/lib/quorate-";
/// Binds the folder, and gives a network of its own unless the host can't.
const SYSTEMD_RUN: &str = r#"
echo "$*" >ROOT/asked-of-systemd
while [ "$1" != /usr/bin/env ]; do
    case $1 in
    --property=Bind*Paths=*) bound=${1#*Paths=}; ln -sfn "${bound%%:*}" "${bound#*:}" ;;
    esac
    shift
done
[ -e ROOT/same-network ] || set -- "$1" "$2" "$3" "$4" "$5" "$6" "$7" "$8" "$9" 'net:[1]'
exec "$@""#;
const TOOL: &str = r#"#!/bin/sh
echo "$*" >>ROOT/asked
case $2 in
restore)
    [ ! -e ROOT/damaged ] || { echo "Error: expected sha256 [1], got [2]" >&2; exit 1; }
    mkdir -p data/member/snap
    cp "$3" data/member/snap/db
    ;;
status) echo '{"hash":7,"revision":41,"totalKey":9,"totalSize":20480}' ;;
esac
"#;
const ETCD: &str = r#"#!/bin/sh
echo "etcd $*" >>ROOT/asked
[ ! -e ROOT/dies ] || { echo "panic: bad page"; exit 2; }
trap 'exit 0' TERM
touch ROOT/up
while :; do sleep 0.1; done
"#;
const ETCDCTL: &str = r#"#!/bin/sh
case $* in
*'-w fields'*status* | *status*'-w fields'*) echo '"DBSize" : 20480'; exit 0 ;;
*' save '*) ;;
*) [ -e ROOT/up ] || exit 1 ;;
esac
echo "etcdctl $*" >>ROOT/asked
case $* in
*'snapshot save'*)
    for path; do :; done
    [ ! -e ROOT/unsaved ] || { echo "Error: context deadline exceeded" >&2; exit 4; }
    printf 'what a snapshot holds' >"$path"
    ;;
*' get '*) printf '"Revision" : 41\n"More" : true\n"Count" : 9\n' ;;
*hashkv*) echo '[{"Endpoint":"x","HashKV":{"hash":7,"compact_revision":12}}]' ;;
esac
"#;

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn host(bench: &Bench) {
    bench.program("systemctl", "");
    let root = bench.arg("");
    bench.program("systemd-run", &SYSTEMD_RUN.replace("ROOT", root.trim_end_matches('/')));
    for (name, text) in [("tool", TOOL), ("etcd", ETCD), ("etcdctl", ETCDCTL)] {
        executable(&bench.path(name), &text.replace("ROOT", root.trim_end_matches('/')));
    }
}

fn script(bench: &Bench) -> String {
    let script = TRY_SNAPSHOT.replace(INSIDE, &bench.arg("inside-"));
    assert_ne!(script, TRY_SNAPSHOT);
    script
}

fn run<'s>(bench: &Bench, script: &'s str) -> Run<'s> {
    let mut args: Vec<String> = ["tool", "etcd", "etcdctl"].map(|name| bench.arg(name)).to_vec();
    args.extend([sum(SNAPSHOT), SNAPSHOT.len().to_string(), bench.arg("state/trial")]);
    args.extend(["quorate-trial-main.service", "60"].map(str::to_owned));
    Run::unguarded(script, &args).with(SNAPSHOT)
}

/// How it ended, once nothing of it is left.
fn tried(bench: &Bench, run: &Run<'_>) -> (Reply, String) {
    let reply = bench.run(run);
    let left = bench.entries().into_iter().find(|name| name.contains("quorate-try"));
    assert_eq!(left, None, "left behind");
    let said = String::from_utf8_lossy(&reply.stdout).into_owned();
    (reply, said)
}

#[test]
fn an_etcd_starts_from_it_apart_from_everything_and_nothing_stays() {
    on_each_shell(|bench| {
        host(bench);
        let script = script(bench);
        let (reply, said) = tried(bench, &run(bench, &script));
        assert_eq!(reply.status, 0, "{said}{}", reply.stderr);
        let expected = "revision 41\nkeys 9\nhash [{\"Endpoint\":\"x\",\"HashKV\":{\"hash\":7,\"compact_revision\":12}}]\nwhole\nalready\n";
        assert_eq!(said, expected);
        let systemd = bench.read("asked-of-systemd");
        for property in [
            "PrivateNetwork=yes",
            "DynamicUser=yes",
            "TemporaryFileSystem=/var/lib:ro",
            "RuntimeMaxSec=60",
            "IOSchedulingClass=idle",
            "MemoryMax=",
            "CPUQuota=100%",
        ] {
            assert!(systemd.contains(&format!("--property={property}")), "{property}: {systemd}");
        }
        let asked = bench.read("asked");
        // A cluster of its own, whatever the snapshot's was.
        assert!(asked.contains("--initial-cluster=trial=http://127.0.0.1:12380"), "{asked}");
        assert!(!asked.contains("cert"), "{asked}");
        for read in asked.lines().filter(|line| line.contains(" get ") || line.contains("hashkv")) {
            assert!(read.contains("--rev=41"), "{read}");
        }
    });
}

#[test]
fn without_a_network_of_its_own_no_etcd_starts() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("same-network", "");
        let script = script(bench);
        let (reply, said) = tried(bench, &run(bench, &script));
        assert_eq!(said, "failed systemd gave it no network of its own\n", "{}", reply.stderr);
        assert!(!bench.path("asked").exists());
    });
}

#[test]
fn what_can_not_be_restored_or_started_is_no_backup() {
    on_each_shell(|bench| {
        host(bench);
        let script = script(bench);
        bench.write("damaged", "");
        let (_, said) = tried(bench, &run(bench, &script));
        assert_eq!(said, "failed it could not be restored: Error: expected sha256 [1], got [2]\n");
        std::fs::remove_file(bench.path("damaged")).unwrap();
        bench.write("dies", "");
        let (_, said) = tried(bench, &run(bench, &script));
        assert_eq!(said, "failed no etcd starts from it: panic: bad page\n");
        let (_, said) = tried(bench, &run(bench, &script).set("sha256", sum(b"another")));
        assert!(said.starts_with("failed the snapshot that arrived has sha256"), "{said}");
        let cut = Run { missing: 3, ..run(bench, &script) };
        assert_eq!(tried(bench, &cut).0.status, 81);
    });
}

#[test]
fn a_host_without_room_or_with_another_trial_is_left_alone() {
    on_each_shell(|bench| {
        host(bench);
        let script = script(bench);
        let (reply, said) = tried(bench, &run(bench, &script).set("bytes", 1_u64 << 52));
        assert_eq!(reply.status, 80, "{said}");
        assert!(said.contains("are free there"), "{said}");
        bench.program("flock", "exit 1");
        let (reply, said) = tried(bench, &run(bench, &script));
        assert_eq!(reply.status, 80, "{said}");
        assert!(!bench.path("asked").exists());
    });
}

/// The snapshot of a member, once an etcd has started from it; where file descriptor 3 leads is a file.
fn check(bench: &Bench) -> (Reply, String) {
    let script = CHECK_SNAPSHOT.replace(INSIDE, &bench.arg("inside-"));
    let script = format!("exec 3>{}\n{script}", bench.arg("stream"));
    let mut args: Vec<String> =
        ["etcdctl", "ca", "cert", "key"].map(|name| bench.arg(name)).to_vec();
    args.push("https://127.0.0.1:2379".to_owned());
    args.extend(["tool", "etcd", "etcdctl", "state/trial"].map(|name| bench.arg(name)));
    args.extend(["quorate-trial-main.service", "60"].map(str::to_owned));
    tried(bench, &Run::unguarded(&script, &args))
}

#[test]
fn a_snapshot_is_sent_only_once_an_etcd_has_started_from_it() {
    on_each_shell(|bench| {
        host(bench);
        let (reply, said) = check(bench);
        assert_eq!(reply.status, 0, "{said}{}", reply.stderr);
        assert!(said.starts_with("status 0\nrevision 41\nkeys 9\nhash [{"), "{said}");
        assert_eq!(bench.read("stream").as_bytes(), SNAPSHOT);
        for (flaw, why) in [
            ("damaged", "failed it could not be restored: Error: expected sha256 [1], got [2]\n"),
            ("dies", "failed no etcd starts from it: panic: bad page\n"),
            (
                "unsaved",
                "failed etcdctl could not save a snapshot: Error: context deadline exceeded\n",
            ),
        ] {
            bench.write(flaw, "");
            let _ = std::fs::remove_file(bench.path("up"));
            assert_eq!(check(bench).1, why);
            assert_eq!(bench.read("stream"), "", "{flaw}");
            std::fs::remove_file(bench.path(flaw)).unwrap();
        }
    });
}
