//! What is removed from a host is archived on it, and what quorate did not make is not touched.

use std::os::unix::fs::symlink;

use super::bench::{Bench, Run, mode, on_each_shell};
use crate::script;

/// The beginning of a real log of member 2baa8bd9efc286ee, as etcd 3.4 to 3.7 write it.
const LOG: [u8; 56] = [
    0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x84, 0x08, 0x04, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x1f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x81, 0x08, 0x01, 0x10, 0xef, 0x93, 0xa1, 0xdd, 0x07,
    0x1a, 0x15, 0x08, 0xee, 0x8d, 0x8a, 0xfe, 0x9e, 0xfb, 0xa2, 0xd5, 0x2b, 0x10, 0xe2, 0x8e, 0x9e,
    0x8f, 0xcb, 0xf1, 0xe5, 0xc9, 0xc4, 0x01, 0x00,
];

fn host(bench: &Bench, log: &[u8]) {
    bench.program("systemctl", "case $* in *LoadState*) echo not-found ;; *) echo 0 ;; esac");
    bench.program("date", "echo 20261128T120000Z");
    std::fs::create_dir_all(bench.path("data/member/wal")).unwrap();
    std::fs::write(bench.path("data/member/wal/0-0.wal"), log).unwrap();
    std::fs::create_dir_all(bench.path("data/lost+found")).unwrap();
    bench.write("data/notes", "mine");
    bench.write("token", "t");
}

fn discard(bench: &Bench) -> Run<'static> {
    let paths = ["data", "token", "marker", "witness", "manifest"].map(|name| bench.arg(name));
    let mut args = vec!["etcd-main.service".to_owned()];
    args.extend(paths);
    args.extend(["9".to_owned(), bench.arg("kept")]);
    Run::unguarded(script::DISCARD_BOOTSTRAP, &args)
}

fn in_data(bench: &Bench) -> Vec<String> {
    let all = bench.entries().into_iter();
    all.filter_map(|path| path.strip_prefix("data/").map(str::to_owned)).collect()
}

#[test]
fn the_data_of_a_bootstrap_is_kept_and_nothing_else_is_touched() {
    on_each_shell(|bench| {
        host(bench, &LOG);
        assert_eq!(bench.done(&discard(bench)), "changed");
        let kept = "archived/20261128T120000Z-2baa8bd9efc286ee";
        let wal = format!("{kept}/wal");
        let log = format!("{wal}/0-0.wal");
        assert_eq!(in_data(bench), ["archived", kept, &wal, &log, "lost+found", "notes"]);
        assert_eq!(mode(&bench.path("data/archived")), 0o700);
        assert_eq!(std::fs::read(bench.path("data").join(log)).unwrap(), LOG);
        assert!(!bench.path("token").exists());
        assert_eq!(bench.done(&discard(bench)), "already");
    });
}

#[test]
fn data_whose_member_is_not_known_is_kept_all_the_same() {
    for log in [&LOG[..0], &LOG[..30], &LOG[..40], &[0xff; 80]] {
        on_each_shell(|bench| {
            host(bench, log);
            bench.done(&discard(bench));
            assert!(bench.path("data/archived/20261128T120000Z-unknown/wal/0-0.wal").exists());
        });
    }
}

#[test]
fn a_second_archive_is_beside_the_first_and_never_over_it() {
    on_each_shell(|bench| {
        host(bench, &LOG);
        bench.done(&discard(bench));
        host(bench, &LOG);
        // The same moment and the same member: nothing is lost, and the data stays where it is.
        assert_ne!(bench.run(&discard(bench)).status, 0);
        assert!(bench.path("data/member/wal/0-0.wal").exists() && bench.path("token").exists());
        bench.program("date", "echo 20261128T120001Z");
        bench.done(&discard(bench));
        assert_eq!(std::fs::read_dir(bench.path("data/archived")).unwrap().count(), 2);
    });
}

#[test]
fn an_archive_that_leads_elsewhere_is_not_followed() {
    on_each_shell(|bench| {
        host(bench, &LOG);
        std::fs::create_dir(bench.path("elsewhere")).unwrap();
        symlink(bench.path("elsewhere"), bench.path("data/archived")).unwrap();
        assert_ne!(bench.run(&discard(bench)).status, 0);
        assert_eq!(std::fs::read_dir(bench.path("elsewhere")).unwrap().count(), 0);
        assert!(bench.path("data/member/wal/0-0.wal").exists() && bench.path("token").exists());
    });
}

/// Two clusters, one with an archive and what looks like one.
fn archived(bench: &Bench) {
    std::fs::create_dir_all(bench.path("root/main/archived/20261128T120000Z-a1/wal")).unwrap();
    bench.write("root/main/archived/20261128T120000Z-a1/wal/0.wal", "x");
    std::fs::create_dir_all(bench.path("root/main/archived/not an archive")).unwrap();
    std::fs::create_dir_all(bench.path("root/main/archived/.quorate-snapshot.aB3dE6")).unwrap();
    bench.write("root/main/archived/20261128T130000Z-snapshot.db", "x");
    bench.write("root/main/archived/notes.db", "x");
    std::fs::create_dir_all(bench.path("root/events/member")).unwrap();
    std::fs::create_dir_all(bench.path("elsewhere/20261128T120000Z-a1")).unwrap();
    symlink(bench.path("elsewhere"), bench.path("root/events/archived")).unwrap();
}

fn purge(bench: &Bench, cluster: &str) -> Run<'static> {
    let name = "20261128T120000Z-a1".to_owned();
    let args = [bench.arg("root"), cluster.to_owned(), name, bench.arg("record")];
    Run::unguarded(script::PURGE_ARCHIVE, &args)
}

#[test]
fn the_archives_of_every_cluster_are_listed_and_no_link_is_followed() {
    on_each_shell(|bench| {
        let list = Run::unguarded(script::LIST_ARCHIVES, &[bench.arg("root")]);
        assert_eq!(bench.run(&list).stdout, b"already\n");
        archived(bench);
        let said = String::from_utf8(bench.run(&list).stdout).unwrap();
        let [one, two, "already"] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
        let names = ["main/20261128T120000Z-a1", "main/20261128T130000Z-snapshot.db"];
        for (line, wanted) in [one, two].into_iter().zip(names) {
            let (bytes, name) = line.split_once(' ').unwrap();
            assert_eq!(name, wanted);
            assert!(bytes.parse::<u64>().unwrap() > 0);
        }
    });
}

#[test]
fn one_archive_is_purged_and_the_journal_says_by_whom() {
    on_each_shell(|bench| {
        archived(bench);
        let journal = bench.arg("journal");
        let purging = purge(bench, "main").set("journal", journal).set("entry", "{\"step\":\"s\"");
        assert_eq!(bench.done(&purging), "changed");
        assert!(bench.read("journal").ends_with("\"outcome\":\"done\"}\n"));
        let left = bench.entries();
        assert!(
            !left.iter().any(|path| path.starts_with("root/main/archived/20261128T12")),
            "{left:?}"
        );
        assert!(bench.path("root/main/archived/not an archive").exists());
        assert_eq!(bench.done(&purging), "already");
        let snapshot = "20261128T130000Z-snapshot.db";
        assert_eq!(bench.done(&purge(bench, "main").set("name", snapshot)), "changed");
        assert!(!bench.path("root/main/archived").join(snapshot).exists());
    });
}

/// A run that takes the lock cuts the journal to its newest lines, and a purge holds no lock.
#[test]
fn a_purge_waits_with_its_line_until_the_journal_is_whole() {
    on_each_shell(|bench| {
        archived(bench);
        bench.write("journal.flock", "");
        let journal = bench.arg("journal");
        let purging = purge(bench, "main").set("journal", journal).set("entry", "{\"step\":\"s\"");
        let shortened = std::fs::File::open(bench.path("journal.flock")).unwrap();
        shortened.lock().unwrap();
        std::thread::scope(|scope| {
            let purged = scope.spawn(|| bench.done(&purging));
            std::thread::sleep(std::time::Duration::from_millis(500));
            assert!(!bench.path("journal").exists());
            shortened.unlock().unwrap();
            assert_eq!(purged.join().unwrap(), "changed");
        });
        assert_eq!(bench.read("journal").lines().count(), 2);
    });
}

#[test]
fn what_a_link_leads_to_is_not_purged() {
    on_each_shell(|bench| {
        archived(bench);
        assert_ne!(bench.run(&purge(bench, "events")).status, 0);
        assert!(bench.path("elsewhere/20261128T120000Z-a1").exists());
        // A link in the place of the archive itself goes, and what it leads to stays.
        let link = bench.path("root/main/archived/20261128T120000Z-a1");
        std::fs::remove_dir_all(&link).unwrap();
        symlink(bench.path("elsewhere"), &link).unwrap();
        assert_eq!(bench.done(&purge(bench, "main")), "changed");
        assert!(bench.path("elsewhere/20261128T120000Z-a1").exists() && !link.is_symlink());
    });
}

#[test]
fn what_others_put_beside_a_discovery_service_stays() {
    on_each_shell(|bench| {
        bench.program("systemctl", "case $* in *ActiveState*) echo inactive ;; esac");
        std::fs::create_dir_all(bench.path("service/member/wal")).unwrap();
        std::fs::create_dir_all(bench.path("service/lost+found")).unwrap();
        let mut args = vec![bench.arg("note"), "quorate-discovery-main.service".to_owned()];
        args.push(bench.arg("service"));
        args.extend(["etcdctl", "", "", "", "", "https://10.0.0.9:2379"].map(str::to_owned));
        let close = Run::unguarded(script::CLOSE_DISCOVERY, &args).with(b"");
        assert_eq!(bench.done(&close), "changed");
        assert!(bench.path("service/lost+found").exists());
        assert!(!bench.path("service/member").exists());
        assert_eq!(bench.done(&close), "already");
        std::fs::remove_dir(bench.path("service/lost+found")).unwrap();
        bench.done(&close);
        assert!(!bench.path("service").exists());
    });
}

/// A stop may take as long as the unit gives it: 90 s by default, and the look is made five times a second.
#[test]
fn a_restart_is_waited_for_as_long_as_systemd_stops_the_member() {
    on_each_shell(|bench| {
        bench.program("sleep", "");
        std::fs::create_dir_all(bench.path("wal")).unwrap();
        bench.write("wal/0-0.wal", "");
        bench.write("looks", "0");
        let stopping = |looks: u32, after: &str| {
            bench.write("looks", "0");
            bench.program(
                "systemctl",
                &format!(
                    "case $* in\n\
                     *MainPID*) n=$(($(cat looks) + 1)); echo $n >looks\n\
                     [ $n -gt {looks} ] && echo {after} || echo 7 ;;\n\
                     *ActiveState*) n=$(cat looks)\n\
                     [ $n = 1 ] || [ $n -gt {looks} ] && echo active || echo deactivating ;;\n\
                     esac"
                ),
            );
            let args = ["etcd-main.service".to_owned(), bench.arg("wal")];
            bench.run(&Run::unguarded(script::RESTART_MEMBER, &args))
        };
        assert_eq!(stopping(200, "8").status, 0);
        // One that never begins to stop is given up.
        assert_ne!(stopping(0, "7").status, 0);
    });
}

#[test]
fn nothing_is_purged_in_the_middle_of_a_restore() {
    on_each_shell(|bench| {
        archived(bench);
        bench.write("record", "quorate-restore 1\n");
        assert_eq!(bench.run(&purge(bench, "main")).status, 80);
        std::fs::remove_file(bench.path("record")).unwrap();
        assert_eq!(bench.done(&purge(bench, "main")), "changed");
    });
}
