//! A database that a member rewrites while it runs: worth it or not, with room or not, and a client that gives up.

pub(super) mod stopped;

use super::bench::{Bench, Run, on_each_shell};
use crate::script;
use test_kit::executable::executable;

/// A member whose database is as the files `size` and `in-use` say. It serves nobody while `down` is there, nor for the
/// next questions, as many as `busy` says. How it takes to a defragmentation is in `mode`. Without a process, in
/// `pid`, it answers nothing; the same program is the tool that rewrites its files then.
pub(super) const ETCDCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
shrink() { cat in-use >size; }
case "$*" in
*"defrag --data-dir="*)
    echo "tool as $(cat as 2>/dev/null): $*" >>calls
    [ "$(cat pid)" = 0 ] || { echo "the database is open" >&2; exit 1; }
    [ "$(cat mode)" != broken ] || { echo "Error: no space left on device" >&2; exit 1; }
    [ "$(cat mode)" != useless ] || exit 0
    # Somebody starts the member: it has the old file open.
    [ ! -e meanwhile ] || { mv meanwhile meant; cp size opened; sh ./meant; }
    shrink
    exit 0
    ;;
esac
[ "$(cat pid)" != 0 ] || { echo "Error: connection refused" >&2; exit 1; }
case "$*" in
*"endpoint status -w json"*)
    printf '[{"Endpoint":"own","Status":{"header":{"member_id":%s},"version":"3.6.16","dbSize":%s,"leader":7,"dbSizeInUse":%s}}]\n' \
        "$(cat id 2>/dev/null || echo 8)" "$(cat opened 2>/dev/null || cat size)" "$(cat in-use)"
    ;;
*"member list"*) cat members ;;
*"get --consistency=l"*)
    [ ! -e auth ] || { echo "Error: etcdserver: permission denied" >&2; exit 1; }
    busy=$(cat busy 2>/dev/null || echo 0)
    [ ! -e down ] || busy=1
    [ "$busy" = 0 ] || { echo $((busy - 1)) >busy; echo "Error: context deadline exceeded" >&2; exit 1; }
    ;;
*defrag*)
    for word; do case "$word" in --command-timeout=*) echo "online within ${word#*=}" >>calls ;; esac; done
    case "$(cat mode)" in
    works) shrink ;;
    # The client gave up; the member continues for three questions.
    gives-up) shrink; echo 3 >busy; echo "Error: context deadline exceeded" >&2; exit 1 ;;
    gives-up-for-good) touch down; echo "Error: context deadline exceeded" >&2; exit 1 ;;
    broken) echo "Error: etcdserver: no space left on device" >&2; exit 1 ;;
    esac
    ;;
*) exit 64 ;;
esac
"#;

const MB: u64 = 1_000_000;
/// So many free megabytes are enough for 60 in use: a tenth and 128 MiB more.
pub(super) const ENOUGH: u64 = 201;
/// Where the member listens; nobody saves a snapshot from there, in no other test either.
const OWN: &str = "https://127.0.0.1:41379";
/// The same of the test in which somebody does: the script looks at every process of this machine.
const SAVED: &str = "https://127.0.0.1:41377";

/// A member with so many megabytes of which so many are in use, and as many free on its disk.
pub(super) fn member(bench: &Bench, size: u64, in_use: u64, free: u64) {
    executable(&bench.path("etcdctl"), ETCDCTL);
    bench.write("size", &(size * MB).to_string());
    bench.write("in-use", &(in_use * MB).to_string());
    bench.write("free", &(free * MB).to_string());
    bench.write("mode", "works");
    bench.write("pid", "77");
    bench.write("calls", "");
    bench.write("key", "");
    bench.program("df", "echo Avail; cat free");
}

fn defragment(bench: &Bench) -> (i32, String) {
    defragment_within(bench, 20)
}

/// With so many seconds for the member to serve again.
fn defragment_within(bench: &Bench, seconds: u32) -> (i32, String) {
    defragment_at(bench, OWN, seconds)
}

fn defragment_at(bench: &Bench, own: &str, seconds: u32) -> (i32, String) {
    let args = [
        bench.arg("etcdctl"),
        "ca".to_owned(),
        "cert".to_owned(),
        "key".to_owned(),
        own.to_owned(),
        bench.arg("data"),
        "/quorate/defragment".to_owned(),
        "30".to_owned(),
        (100 * MB).to_string(),
        (20 * MB).to_string(),
        "30".to_owned(),
        "600".to_owned(),
        seconds.to_string(),
    ];
    let reply = bench.run(&Run::unguarded(script::DEFRAGMENT, &args));
    (reply.status, String::from_utf8(reply.stdout).unwrap())
}

#[test]
fn what_is_worth_it_is_rewritten_once_and_the_time_without_the_member_is_reported() {
    on_each_shell(|bench| {
        member(bench, 400, 60, ENOUGH);
        let (status, said) = defragment(bench);
        assert_eq!(status, 0, "{said}");
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines[0].starts_with("stood-still-ms "), "{said}");
        assert_eq!(&lines[1..], ["before 400000000", "after 60000000", "changed"]);
        // 30 s, and one for each 20 MB of the file.
        assert_eq!(bench.read("calls"), "online within 50s\n");
        assert_eq!(defragment(bench), (0, "already\n".to_owned()));
    });
}

#[test]
fn the_client_waits_as_long_as_the_size_explains_and_no_longer_than_it_is_told() {
    on_each_shell(|bench| {
        member(bench, 20_000, 60, ENOUGH);
        assert_eq!(defragment(bench).0, 0);
        assert_eq!(bench.read("calls"), "online within 600s\n");
    });
}

#[test]
fn what_is_no_longer_worth_it_is_left_alone() {
    on_each_shell(|bench| {
        for (size, in_use) in [(400, 281), (140, 41), (0, 0)] {
            member(bench, size, in_use, 1_000);
            assert_eq!(defragment(bench), (0, "already\n".to_owned()), "{size} {in_use}");
            assert_eq!(bench.read("calls"), "");
        }
    });
}

#[test]
fn without_room_for_the_copy_nothing_starts_and_both_numbers_are_reported() {
    on_each_shell(|bench| {
        member(bench, 400, 60, 200);
        let (status, said) = defragment(bench);
        assert_eq!(status, 80, "{said}");
        assert!(said.contains("needs 200217728 bytes, and 200000000 are free"), "{said}");
        bench.program("df", "exit 1");
        assert_eq!(defragment(bench).0, 80, "a disk of which nobody knows has no room");
        assert_eq!(bench.read("calls"), "");
    });
}

/// The member does not hear that its client went away.
#[test]
fn after_a_client_that_gave_up_the_member_is_waited_for_and_its_size_tells_what_happened() {
    on_each_shell(|bench| {
        member(bench, 400, 60, ENOUGH);
        bench.write("mode", "gives-up");
        let (status, said) = defragment(bench);
        assert_eq!(status, 0, "{said}");
        assert_eq!(bench.read("busy").trim(), "0", "it was asked until it answered");
        assert!(said.ends_with("after 60000000\nchanged\n"), "{said}");

        member(bench, 400, 60, ENOUGH);
        bench.write("mode", "gives-up-for-good");
        let (status, said) = defragment_within(bench, 1);
        assert_eq!(status, 1);
        assert!(said.starts_with("failed the member may still be defragmenting"), "{said}");
    });
}

#[test]
fn a_defragmentation_that_failed_is_no_success() {
    on_each_shell(|bench| {
        member(bench, 400, 60, ENOUGH);
        bench.write("mode", "broken");
        let (status, said) = defragment(bench);
        let why =
            "failed the database was not defragmented: Error: etcdserver: no space left on device";
        assert_eq!((status, said.trim_end()), (1, why));
    });
}

/// A try whose connection was lost is still at work in the member when the step is done again.
#[test]
fn a_member_that_does_not_serve_is_waited_for_before_it_is_asked_to_stand_still() {
    on_each_shell(|bench| {
        member(bench, 400, 400, ENOUGH);
        bench.write("busy", "2");
        assert_eq!(defragment(bench), (0, "already\n".to_owned()));
        bench.write("down", "");
        let (status, said) = defragment_within(bench, 1);
        assert_eq!(status, 1);
        assert!(said.contains("no linearizable read: Error: context deadline"), "{said}");
        assert_eq!(bench.read("calls"), "");
    });
}

/// It refuses after a majority confirmed the read.
#[test]
fn a_refusal_of_etcds_own_authentication_is_an_answer() {
    on_each_shell(|bench| {
        member(bench, 400, 60, ENOUGH);
        bench.write("auth", "");
        assert_eq!(defragment(bench).0, 0);
    });
}

/// A leader that stands still stays the leader, and holds up every write.
#[test]
fn a_member_that_was_elected_since_the_plan_is_not_made_to_stand_still() {
    on_each_shell(|bench| {
        member(bench, 400, 60, ENOUGH);
        bench.write("id", "7");
        bench.write("members", "7, started\n8, started\n");
        let (status, said) = defragment(bench);
        assert_eq!((status, bench.read("calls").as_str()), (80, ""), "{said}");
        assert!(said.contains("was elected leader since"), "{said}");
        bench.write("members", "7, started\n");
        assert_eq!(defragment(bench).0, 0, "alone it always leads");
    });
}

/// The rewrite waits for the database's readers, and everything else waits for the member.
#[test]
fn a_member_from_which_a_snapshot_is_taken_is_left_alone() {
    on_each_shell(|bench| {
        member(bench, 400, 60, ENOUGH);
        let refused = || {
            let (status, said) = defragment_at(bench, SAVED, 20);
            assert_eq!((status, bench.read("calls").as_str()), (80, ""), "{said}");
            assert!(said.contains("a snapshot is being taken from this member"), "{said}");
        };
        // As the scripts of snapshots do.
        let lock = std::fs::File::open(bench.path("key")).unwrap();
        lock.lock_shared().unwrap();
        refused();
        drop(lock);

        executable(&bench.path("by-hand/etcdctl"), "#!/bin/sh\nsleep 60 & wait\n");
        let by_hand = |port: u16| {
            let mut command = std::process::Command::new(bench.path("by-hand/etcdctl"));
            command.arg(format!("--endpoints=https://127.0.0.1:{port}"));
            command.args(["snapshot", "save", "s"]).stdout(std::process::Stdio::null());
            command.spawn().unwrap()
        };
        let mut saves = by_hand(41377);
        let is_named = || {
            let name = std::fs::read_to_string(format!("/proc/{}/comm", saves.id()));
            name.is_ok_and(|name| name == "etcdctl\n")
        };
        assert!(remote::test_server::wait_for(is_named));
        refused();
        saves.kill().unwrap();
        saves.wait().unwrap();

        let mut of_another = by_hand(41378);
        assert_eq!(defragment_at(bench, SAVED, 20).0, 0);
        of_another.kill().unwrap();
        of_another.wait().unwrap();
    });
}
