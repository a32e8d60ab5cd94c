//! What a removed member left is removed from its host.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::super::bench::{Bench, Run, on_each_shell};
use super::{LIST, URL, asked, cluster, fails, silence, without};
use crate::script;

/// The beginning of the log of member c3.
pub(super) const LOG: [u8; 40] = [
    0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x84, 0x08, 0x04, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x1f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x81, 0x08, 0x01, 0x10, 0xef, 0x93, 0xa1, 0xdd, 0x07,
    0x1a, 0x05, 0x08, 0xc3, 0x01, 0x10, 0x01, 0x00,
];
const FILES: [&str; 5] = ["due", "proof", "witness", "marker", "token"];

/// Its unit runs until it is stopped, and is enabled until it is disabled.
const SYSTEMCTL: &str = r#"
case $* in
*ActiveState*kubelet*) echo active ;;
*ActiveState*) cat state ;;
*MainPID*) echo 0 ;;
is-enabled*) [ ! -e enabled ] || echo enabled ;;
disable*) rm enabled ;;
stop*) [ ! -e stuck ] || exit 1; echo inactive >state; echo stop >>stops ;;
*) exit 64 ;;
esac"#;

fn host(bench: &Bench) {
    cluster(bench);
    without(bench, "c3");
    bench.program("systemctl", SYSTEMCTL);
    bench.program("date", "echo 20261128T120000Z");
    bench.write("state", "active\n");
    bench.write("enabled", "");
    std::fs::create_dir_all(bench.path("data/member/wal")).unwrap();
    std::fs::write(bench.path("data/member/wal/0-0.wal"), LOG).unwrap();
    bench.write("data/notes", "mine");
    for file in FILES {
        bench.write(file, "x");
    }
}

fn forget(bench: &Bench) -> Run<'static> {
    let mut args = vec![bench.arg("etcdctl")];
    args.extend(["ca", "cert", "key", URL, "etcd-main.service"].map(str::to_owned));
    let paths = ["data", "token", "marker", "witness", "due", "proof", "manifest"];
    args.extend(paths.map(|name| bench.arg(name)));
    args.extend(["2".to_owned(), bench.arg("kept"), "1".to_owned(), "2".to_owned()]);
    Run::unguarded(script::FORGET_MEMBER, &args)
}

/// Nothing of it is gone.
fn is_untouched(bench: &Bench) -> bool {
    let data = bench.path("data/member/wal/0-0.wal").exists();
    data && bench.read("state") == "active\n" && FILES.iter().all(|file| bench.path(file).exists())
}

#[test]
fn a_removed_member_is_stopped_its_data_kept_and_its_traces_go() {
    on_each_shell(|bench| {
        host(bench);
        assert_eq!(bench.done(&forget(bench)), "changed");
        assert_eq!(bench.read("state"), "inactive\n");
        let log = bench.path("data/archived/20261128T120000Z-c3/wal/0-0.wal");
        assert_eq!(std::fs::read(log).unwrap(), LOG);
        let archive = std::fs::metadata(bench.path("data/archived")).unwrap();
        assert_eq!(archive.permissions().mode() & 0o777, 0o700);
        assert_eq!(bench.read("data/notes"), "mine");
        for gone in ["data/member", "enabled"].iter().chain(&FILES) {
            assert!(!bench.path(gone).exists(), "{gone}");
        }
        assert_eq!(bench.done(&forget(bench)), "already");
        assert_eq!((bench.read("stops").as_str(), asked(bench).len()), ("stop\n", 0));
    });
}

#[test]
fn a_member_that_is_listed_as_started_is_not_forgotten() {
    on_each_shell(|bench| {
        host(bench);
        let other = LIST.replace("c3, ", "d4, ");
        for list in [&other, &other.replace(URL, &format!("https://etcd-3:2380,{URL}"))] {
            bench.write("list", list);
            let said = fails(&bench.run(&forget(bench)));
            let why = "refused the cluster still lists a started member at https://10.0.0.3:2380\n";
            assert_eq!(said, why);
            assert!(is_untouched(bench));
        }
        // One that is added again, and has not started, has nothing here yet.
        bench.write("list", &LIST.replace("c3, started, etcd-3", "d4, unstarted, "));
        assert_eq!(bench.done(&forget(bench)), "changed");
    });
}

/// It may be a learner that was just added and has not told its name, or a member that moved.
#[test]
fn data_of_a_member_that_is_listed_is_not_set_aside() {
    on_each_shell(|bench| {
        host(bench);
        let unstarted = LIST.replace("c3, started, etcd-3", "c3, unstarted, ");
        for list in [unstarted, LIST.replace(URL, "https://10.0.0.9:2380")] {
            bench.write("list", &list);
            let said = fails(&bench.run(&forget(bench)));
            assert!(said.starts_with("refused the cluster still lists member c3"), "{said}");
            assert!(is_untouched(bench));
        }
    });
}

#[test]
fn nothing_is_forgotten_while_no_other_member_says_who_is_one() {
    on_each_shell(|bench| {
        host(bench);
        silence(bench, "1");
        bench.write("at-2", "178 0 100");
        let said = fails(&bench.run(&forget(bench)));
        let why =
            "refused no other member says who is a member: 1 does not answer; 2 knows no leader\n";
        assert_eq!(said, why);
        assert!(is_untouched(bench));
        // One of them is enough.
        bench.write("at-2", "178 178 100");
        assert_eq!(bench.done(&forget(bench)), "changed");
    });
}

#[test]
fn nothing_is_forgotten_of_a_member_that_does_not_stop() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("stuck", "");
        assert_ne!(bench.run(&forget(bench)).status, 0);
        assert!(is_untouched(bench));
        // What systemd does not say is no sign that it has.
        for silent in ["exit 1", "true"] {
            bench.program("systemctl", silent);
            assert_ne!(bench.run(&forget(bench)).status, 0, "{silent}");
            assert!(is_untouched(bench));
        }
    });
}

/// Its pod is gone already, and its process runs on: nobody pulls the data from under it.
#[test]
fn a_pod_goes_before_its_data() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("state", "inactive\n");
        bench.write("manifest", "kind: Pod\n");
        bench.program("etcd", "while :; do /bin/sleep 0.05; done");
        let mut process = Command::new(bench.path("bin/etcd"))
            .arg(format!("--data-dir={}", bench.arg("data")))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let said = fails(&bench.run(&forget(bench)));
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(said.contains("the pod does not end; the previous manifest is back"), "{said}");
        assert!(bench.path("data/member").exists() && bench.path("marker").exists());
        assert_eq!(bench.done(&forget(bench)), "changed");
        assert!(!bench.path("manifest").exists() && !bench.path("kept").exists());
        assert_eq!(bench.done(&forget(bench)), "already");
    });
}

/// At each change that it makes, it is killed right before.
#[test]
fn a_member_that_is_half_forgotten_is_forgotten_to_the_end() {
    on_each_shell(|bench| {
        let mut states = Vec::new();
        for last in 0.. {
            host(bench);
            let _ = std::fs::remove_dir_all(bench.path("data/archived"));
            bench.write("changes", "");
            for program in ["rm", "mv", "mkdir"] {
                let dies = format!(
                    "echo x >>{0}; [ $(wc -l <{0}) -le {last} ] || {{ kill -9 $PPID; exit 1; }}\n\
                     exec /bin/{program} \"$@\"",
                    bench.arg("changes")
                );
                bench.program(program, &dies);
            }
            let killed = bench.run(&forget(bench)).status != 0;
            for program in ["rm", "mv", "mkdir"] {
                std::fs::remove_file(bench.path("bin").join(program)).unwrap();
            }
            let there = |name: &&str| bench.path(name).exists();
            let left = ["data/member", "marker", "token"].iter().filter(|name| there(name));
            let left: Vec<&str> = left.copied().collect();
            // Data without a marker would be taken for that of a bootstrap that never had a quorum.
            assert!(!left.contains(&"data/member") || left.contains(&"marker"), "{left:?}");
            assert!(left.contains(&"token") || left.is_empty(), "{left:?}");
            assert_eq!(bench.done(&forget(bench)), if killed { "changed" } else { "already" });
            assert!(!FILES.iter().any(|file| bench.path(file).exists()));
            assert!(bench.path("data/archived/20261128T120000Z-c3/wal").exists());
            if !killed {
                break;
            }
            states.push(left);
        }
        assert!(states.len() >= 6, "{states:?}");
    });
}
