//! A restore: what is prepared beside the data that runs, and what goes to its place once nothing does.

mod clients;
mod silence;

use std::os::unix::fs::PermissionsExt as _;

use sha2::{Digest, Sha256};

use super::bench::{Bench, Run, mode, on_each_shell};
use crate::script;
use test_kit::executable::executable;

const SNAPSHOT: &[u8] = b"what a snapshot holds";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Shows what it was asked for, and restores as little as the script looks at.
const TOOL: &str = r#"#!/bin/sh
echo "$*" >>ROOT/asked
for word; do case $word in --data-dir=*) dir=${word#*=} ;; esac; done
mkdir -p "$dir/member/snap" "$dir/member/wal"
cp "$3" "$dir/member/snap/db"
if [ -e ROOT/broken ]; then echo "Error: expected sha256 [1], got [2]" >&2; exit 1; fi
echo new >"$dir/member/wal/0-0.wal"
"#;
const SYSTEMCTL: &str = r#"
case $* in
*ActiveState*) cat state ;;
*MainPID*) cat pid ;;
stop*) echo inactive >state; echo stop >>stops ;;
*) exit 64 ;;
esac"#;
/// The others of whom each host file named `up-PORT` exists.
const ETCDCTL: &str = r#"#!/bin/sh
for word; do case $word in --endpoints=*) port=${word##*:} ;; esac; done
if [ -e "ROOT/up-$port" ]; then echo "$port, 3.6.16"; exit 0; fi
for word; do
    case $word in --endpoints=*) endpoint=${word#*=} ;; esac
done
failed() { echo "Failed to get the status of endpoint $endpoint ($1)" >&2; exit 1; }
if [ -e "ROOT/said-$port" ]; then cat "ROOT/said-$port" >&2; failed 'context deadline exceeded'; fi
echo "latest balancer error: transport: Error while dialing: dial tcp 10.0.0.2:$port: connect: connection refused" >&2
failed 'context deadline exceeded'
"#;

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A host whose member runs.
fn host(bench: &Bench) {
    bench.program("systemctl", SYSTEMCTL);
    bench.program("date", "echo 20261128T120000Z");
    // Nobody is connected.
    bench.program(
        "ss",
        "case $* in *syn-sent*) cat unanswered ;; *listening*) cat listens ;; *-Htne*) cat ends ;; *) cat named ;; esac",
    );
    bench
        .program("find", "case $1 in /proc/*) cat sockets ;; *) exec /usr/bin/find \"$@\" ;; esac");
    bench.program("sleep", "");
    bench.program("now", "");
    let root = bench.arg("");
    let root = root.trim_end_matches('/');
    executable(&bench.path("tool"), &TOOL.replace("ROOT", root));
    executable(&bench.path("etcdctl"), &ETCDCTL.replace("ROOT", root));
    for file in ["ca", "cert", "key", "listens", "ends", "named", "sockets", "unanswered"] {
        bench.write(file, "");
    }
    bench.write("pid", "0\n");
    bench.write("state", "active\n");
    std::fs::create_dir_all(bench.path("data/member/wal")).unwrap();
    bench.write("data/member/wal/0-0.wal", "old");
    std::fs::create_dir_all(bench.path("state-dir")).unwrap();
}

fn stage(bench: &Bench) -> Run<'static> {
    let mut args = vec![bench.arg("tool"), sum(SNAPSHOT), SNAPSHOT.len().to_string()];
    args.extend(
        ["etcd-1", "https://10.0.0.1:2380", "etcd-1=https://10.0.0.1:2380"].map(str::to_owned),
    );
    args.extend([TOKEN, "1000000000", "root"].map(str::to_owned));
    args.extend(["data", "data/restored", "state-dir/restore"].map(|path| bench.arg(path)));
    args.push("20".to_owned());
    Run::unguarded(script::STAGE_RESTORE, &args).with(SNAPSHOT)
}

/// The arguments of the steps after it.
fn of_this(bench: &Bench) -> Vec<String> {
    vec![bench.arg("state-dir/restore"), TOKEN.to_owned(), sum(SNAPSHOT)]
}

fn stop(bench: &Bench) -> Run<'static> {
    let mut args = of_this(bench);
    args.extend(["etcdctl", "ca", "cert", "key"].map(|path| bench.arg(path)));
    args.push("etcd-main.service".to_owned());
    args.extend(["manifest", "data"].map(|path| bench.arg(path)));
    args.push("2".to_owned());
    args.extend([bench.arg("kept"), String::new()]);
    Run::unguarded(script::STOP_FOR_RESTORE, &args)
}

fn asking(bench: &Bench) -> Vec<String> {
    let mut args = of_this(bench);
    args.extend(["etcdctl", "ca", "cert", "key"].map(|path| bench.arg(path)));
    args.push("etcd-main.service".to_owned());
    args.push(bench.arg("data"));
    args
}

const OTHERS: &str = "https://10.0.0.2:12 https://10.0.0.3:13";

fn set_aside(bench: &Bench) -> Run<'static> {
    let mut args = asking(bench);
    args.extend([bench.arg("data/restored"), OTHERS.to_owned()]);
    Run::unguarded(script::SET_ASIDE, &args)
}

fn place(bench: &Bench) -> Run<'static> {
    let mut args = asking(bench);
    args.extend([bench.arg("data/restored"), OTHERS.to_owned()]);
    Run::unguarded(script::PLACE_RESTORE, &args)
}

fn end(bench: &Bench) -> Run<'static> {
    let mut args = of_this(bench);
    args.extend([bench.arg("data/restored"), bench.arg("state-dir/marker"), String::new()]);
    Run::unguarded(script::END_RESTORE, &args)
}

fn phase(bench: &Bench) -> String {
    let text = bench.read("state-dir/restore");
    text.lines().last().unwrap().strip_prefix("phase ").unwrap().to_owned()
}

fn refusal(bench: &Bench, run: &Run<'_>) -> String {
    let reply = bench.run(run);
    let said = String::from_utf8(reply.stdout).unwrap();
    assert_eq!(reply.status, 80, "{said}{}", reply.stderr);
    said
}

const OLD: &str = "data/member/wal/0-0.wal";
const ARCHIVED: &str = "data/archived/20261128T120000Z-unknown/wal/0-0.wal";

#[test]
fn a_snapshot_is_restored_beside_the_data_and_the_record_comes_last() {
    on_each_shell(|bench| {
        host(bench);
        assert_eq!(bench.done(&stage(bench)), "changed");
        let record = format!(
            "quorate-restore 1\ntoken {TOKEN}\nsha256 {}\nmembers etcd-1=https://10.0.0.1:2380\nbump 1000000000\nphase staged\n",
            sum(SNAPSHOT)
        );
        assert_eq!(bench.read("state-dir/restore"), record);
        assert_eq!(mode(&bench.path("state-dir/restore")), 0o600);
        let asked = bench.read("asked");
        for word in [
            "snapshot restore ./",
            "--name=etcd-1",
            "--initial-cluster=etcd-1=https://10.0.0.1:2380",
            "--initial-cluster-token=0123456789abcdef",
            "--initial-advertise-peer-urls=https://10.0.0.1:2380",
            "--bump-revision=1000000000 --mark-compacted",
        ] {
            assert!(asked.contains(word), "{word}: {asked}");
        }
        let db = bench.path("data/restored/data/member/snap/db");
        assert_eq!(std::fs::read(&db).unwrap(), SNAPSHOT);
        assert_eq!(std::fs::metadata(db).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(mode(&bench.path("data/restored")), 0o700);
        // What runs still runs, and the opened snapshot is gone.
        assert_eq!((bench.read("state").as_str(), bench.read(OLD).as_str()), ("active\n", "old"));
        assert_eq!(std::fs::read_dir(bench.path("data/restored")).unwrap().count(), 1);
        assert_eq!(bench.done(&stage(bench)), "already");
        assert_eq!(bench.read("asked").lines().count(), 1);
        let without = stage(bench).set("bump", "").set("token", "f".repeat(32));
        assert_eq!(bench.done(&without), "changed");
        assert!(!bench.read("asked").lines().last().unwrap().contains("bump"));
        assert!(bench.read("state-dir/restore").contains("bump none\n"));
    });
}

#[test]
fn a_restore_that_fails_leaves_nothing_to_start_from_and_no_record() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("broken", "");
        let reply = bench.run(&stage(bench));
        let said = String::from_utf8(reply.stdout).unwrap();
        assert!(reply.status == 1 && said.contains("expected sha256 [1]"), "{said}");
        let nothing = |bench: &Bench| {
            assert!(!bench.path("state-dir/restore").exists());
            assert_eq!(std::fs::read_dir(bench.path("data/restored")).unwrap().count(), 0);
        };
        nothing(bench);
        std::fs::remove_file(bench.path("broken")).unwrap();
        let cut = Run { missing: 3, ..stage(bench) };
        assert_eq!(bench.run(&cut).status, 81);
        nothing(bench);
        let other = bench.run(&stage(bench).set("sha256", sum(b"another")));
        assert!(String::from_utf8_lossy(&other.stdout).contains("and not"));
        nothing(bench);
        // A run that was killed left half of it.
        std::fs::create_dir_all(bench.path("data/restored/.quorate-restore.aB3dE6/data")).unwrap();
        std::fs::create_dir_all(bench.path("data/restored/data/member/snap")).unwrap();
        assert_eq!(bench.done(&stage(bench)), "changed");
        assert!(bench.path("data/restored/data/member/wal/0-0.wal").exists());
        assert_eq!(std::fs::read_dir(bench.path("data/restored")).unwrap().count(), 1);
    });
}

#[test]
fn a_host_without_room_is_refused_before_anything_is_written() {
    on_each_shell(|bench| {
        host(bench);
        bench.program(
            "stat",
            "[ \"$1\" != -f ] || { echo '65535 * 4096'; exit; }; exec /usr/bin/stat \"$@\"",
        );
        assert!(refusal(bench, &stage(bench)).contains("268435498 bytes"));
        bench.program(
            "stat",
            "[ \"$1\" != -f ] || { echo '65537 * 4096'; exit; }; exec /usr/bin/stat \"$@\"",
        );
        assert_eq!(bench.done(&stage(bench)), "changed");
    });
}

#[test]
fn data_goes_to_its_place_only_once_nothing_runs_and_the_old_is_archived() {
    on_each_shell(|bench| {
        host(bench);
        for run in [stop(bench), set_aside(bench), place(bench)] {
            assert!(refusal(bench, &run).contains("not staged"));
        }
        bench.done(&stage(bench));
        assert!(refusal(bench, &set_aside(bench)).contains("is not stopped"));
        bench.done(&stop(bench));
        for (what, text) in
            [("up-13", ""), ("said-12", "transport: authentication handshake failed: x509")]
        {
            bench.write(what, text);
            let said = refusal(bench, &set_aside(bench));
            assert!(
                said.contains(":13 is not stopped") || said.contains("still serves at"),
                "{said}"
            );
            std::fs::remove_file(bench.path(what)).unwrap();
        }
        assert!(refusal(bench, &place(bench)).contains("not set aside"));
        assert_eq!((phase(bench).as_str(), bench.read(OLD).as_str()), ("staged", "old"));
        assert_eq!(bench.done(&set_aside(bench)), "changed");
        assert_eq!((phase(bench).as_str(), bench.read(ARCHIVED).as_str()), ("set-aside", "old"));
        assert_eq!(bench.done(&set_aside(bench)), "already");
        assert_eq!(bench.done(&stage(bench)), "already");
        bench.write("up-12", "");
        assert!(refusal(bench, &place(bench)).contains("is not stopped"));
        std::fs::remove_file(bench.path("up-12")).unwrap();
        assert!(refusal(bench, &end(bench)).contains("not in its place"));
        assert_eq!(bench.done(&place(bench)), "changed");
        assert_eq!((phase(bench).as_str(), bench.read(OLD).as_str()), ("placed", "new\n"));
        for run in [stage(bench), set_aside(bench), place(bench)] {
            assert_eq!(bench.done(&run), "already");
        }
        assert_eq!(bench.read(OLD), "new\n");
        assert_eq!(bench.done(&end(bench)), "changed");
        assert!(!bench.path("state-dir/restore").exists() && !bench.path("data/restored").exists());
        assert_eq!(bench.done(&end(bench)), "already");
    });
}

#[test]
fn what_is_in_its_place_counts_as_placed_before_it_is_there() {
    on_each_shell(|bench| {
        host(bench);
        for run in [stage(bench), stop(bench), set_aside(bench)] {
            bench.done(&run);
        }
        bench.program("mv", "case $* in *data/member) exit 1 ;; esac; exec /usr/bin/mv \"$@\"");
        assert_ne!(bench.run(&place(bench)).status, 0);
        assert_eq!((phase(bench).as_str(), bench.path("data/member").exists()), ("placed", false));
        // The same command puts it there: nobody can have started on it.
        bench.program("mv", "exec /usr/bin/mv \"$@\"");
        for run in [stage(bench), set_aside(bench)] {
            assert_eq!(bench.done(&run), "already");
        }
        assert_eq!(
            (bench.done(&place(bench)).as_str(), bench.read(OLD).as_str()),
            ("changed", "new\n")
        );
        // Data that was lost later is not put there again.
        std::fs::remove_dir_all(bench.path("data/member")).unwrap();
        assert_eq!(bench.done(&place(bench)), "already");
        assert!(!bench.path("data/member").exists());
    });
}

#[test]
fn nothing_is_deleted_in_a_folder_that_was_exchanged() {
    on_each_shell(|bench| {
        host(bench);
        std::fs::create_dir_all(bench.path("data/restored/data")).unwrap();
        // Between the look and the entering somebody put another folder there.
        let exchanged = "n=$(cat looks 2>/dev/null || echo 0); n=$((n + 1)); echo $n >looks\n\
                         case $*,$n in *%u*) echo '1000 7:7' ;; *) exec /usr/bin/stat \"$@\" ;; esac";
        bench.program("stat", exchanged);
        assert_eq!(bench.run(&stage(bench)).status, 1);
        assert!(bench.path("data/restored/data").exists());
    });
}

/// Between a renaming and its record, and after data came from elsewhere.
#[test]
fn a_run_that_was_killed_is_finished_and_nothing_is_overwritten() {
    on_each_shell(|bench| {
        host(bench);
        bench.done(&stage(bench));
        bench.done(&stop(bench));
        bench.done(&set_aside(bench));
        let record = bench.read("state-dir/restore");
        bench.done(&place(bench));
        bench.write("state-dir/restore", &record);
        assert_eq!(bench.done(&stage(bench)), "already");
        assert_eq!(bench.done(&place(bench)), "changed");
        assert_eq!((phase(bench).as_str(), bench.read(OLD).as_str()), ("placed", "new\n"));
        // Somebody put data there while the new one waits.
        std::fs::create_dir_all(bench.path("data/restored/data/member/wal")).unwrap();
        bench.write("state-dir/restore", &record);
        assert!(refusal(bench, &place(bench)).contains("exists again"));
        // Or the new one is gone: it is restored once more.
        std::fs::remove_dir_all(bench.path("data/restored")).unwrap();
        std::fs::remove_dir_all(bench.path("data/member")).unwrap();
        assert_eq!(bench.run(&place(bench)).status, 1);
        assert_eq!(bench.done(&stage(bench)), "changed");
    });
}

#[test]
fn a_former_member_is_stopped_and_archived_without_a_record() {
    on_each_shell(|bench| {
        host(bench);
        assert_eq!(bench.done(&stop(bench).set("sha256", "")), "changed");
        assert_eq!(bench.done(&set_aside(bench).set("sha256", "")), "changed");
        assert_eq!(bench.read(ARCHIVED), "old");
        assert!(!bench.path("state-dir/restore").exists());
        assert_eq!(bench.done(&set_aside(bench).set("sha256", "")), "already");
    });
}

#[test]
fn a_record_that_is_odd_stops_everything() {
    on_each_shell(|bench| {
        host(bench);
        bench.done(&stage(bench));
        let whole = bench.read("state-dir/restore");
        for odd in
            ["", "quorate-restore 1\n", &whole.replace("staged", "done"), &format!("{whole}x\n")]
        {
            bench.write("state-dir/restore", odd);
            for run in [stage(bench), stop(bench), set_aside(bench), place(bench), end(bench)] {
                let reply = bench.run(&run);
                let said = String::from_utf8_lossy(&reply.stdout).into_owned();
                assert!(reply.status == 1 && said.contains("can't be read"), "{odd:?}: {said}");
            }
            assert_eq!(bench.read(OLD), "old");
        }
    });
}

/// On the host of a member that was lost nobody writes another one.
#[test]
fn the_marker_of_the_cluster_that_is_no_more_goes_with_the_record() {
    on_each_shell(|bench| {
        host(bench);
        for run in [stage(bench), stop(bench), set_aside(bench), place(bench)] {
            bench.done(&run);
        }
        let record = bench.read("state-dir/restore");
        let marker =
            "{\n  \"format\": 1,\n  \"cluster_id\": \"cafe01\",\n  \"member_id\": \"a1\"\n}\n";
        bench.write("state-dir/marker", marker);
        assert_eq!(bench.done(&end(bench).set("voids", "cafe02")), "changed");
        assert_eq!(bench.read("state-dir/marker"), marker);
        bench.write("state-dir/restore", &record);
        assert_eq!(bench.done(&end(bench).set("voids", "cafe01")), "changed");
        assert!(!bench.path("state-dir/marker").exists());
        assert!(!bench.path("state-dir/restore").exists());
    });
}
