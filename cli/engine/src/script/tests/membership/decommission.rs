//! A member that the cluster no longer lists is removed from a host that stays, and only what belongs to it.

use std::process::{Command, Stdio};

use super::super::bench::{Bench, Run, on_each_shell};
use super::forget::LOG;
use super::{LIST, URL, asked, cluster, fails, silence, without};
use crate::script;

/// The records of it, the marker last.
const RECORDS: [&str; 7] = ["due", "proof", "witness", "token", "password", "note", "marker"];
/// What can be had again by nobody who has no copy.
const KEY: &str = "etc/pki/g1/healthcheck.key";

/// Its unit runs until it is stopped, is enabled until it is disabled, and is known until systemd reads its units.
const SYSTEMCTL: &str = r#"
case $* in
*ActiveState*kubelet*) echo active ;;
*ActiveState*) cat state ;;
*LoadState*) cat loaded ;;
*MainPID*) echo 0 ;;
is-enabled*) [ ! -e enabled ] || echo enabled ;;
disable*) rm -f enabled ;;
stop*) [ ! -e stuck ] || exit 1; echo inactive >state ;;
daemon-reload) [ -e unit ] || echo not-found >loaded ;;
reset-failed*) ;;
*) exit 64 ;;
esac"#;

fn host(bench: &Bench) {
    cluster(bench);
    without(bench, "c3");
    bench.program("systemctl", SYSTEMCTL);
    bench.program("date", "echo 20261128T120000Z");
    // systemd starts an etcd that was removed again and again.
    bench.write("state", "activating\n");
    bench.write("loaded", "loaded\n");
    bench.write("enabled", "");
    for folder in ["data/member/wal", "etc/pki/g1", "etc/pki/g2", "unit.d", "state.d"] {
        std::fs::create_dir_all(bench.path(folder)).unwrap();
    }
    std::fs::write(bench.path("data/member/wal/0-0.wal"), LOG).unwrap();
    for file in ["etc/pki/g1/manifest", "etc/pki/g2/manifest", KEY, "etc/pki/g2/healthcheck.key"] {
        bench.write(file, "x");
    }
    for file in ["unit", "unit.d/10-nice.conf", "etc/ca", "etc/pki/untried"] {
        bench.write(file, "x");
    }
    let _ = std::fs::remove_file(bench.path("etc/pki/current"));
    std::os::unix::fs::symlink("g1", bench.path("etc/pki/current")).unwrap();
    for file in RECORDS {
        bench.write(&format!("state.d/{file}"), "x");
    }
}

fn decommission(bench: &Bench) -> Run<'static> {
    let current = |file: &str| bench.arg(&format!("etc/pki/current/{file}"));
    let record = |file: &str| bench.arg(&format!("state.d/{file}"));
    let key = current("healthcheck.key");
    let mut args = vec![bench.arg("etcdctl"), key.clone(), key.clone(), key, URL.to_owned()];
    args.push("etcd-main.service".to_owned());
    args.push(bench.arg("data"));
    args.extend(["token", "marker", "witness", "due", "proof"].map(record));
    args.extend([bench.arg("manifest"), "2".to_owned(), record("kept")]);
    args.extend(["unit", "aside", "etc", "etc/pki", "etc/ca"].map(|name| bench.arg(name)));
    args.extend(["password", "note"].map(record));
    args.extend(["1", "2"].map(str::to_owned));
    Run::unguarded(script::DECOMMISSION_MEMBER, &args)
}

fn there<'n>(bench: &Bench, names: &[&'n str]) -> Vec<&'n str> {
    names.iter().copied().filter(|name| bench.path(name).exists()).collect()
}

/// Nothing of it is gone.
fn is_untouched(bench: &Bench) -> bool {
    let all = ["data/member/wal/0-0.wal", "unit", "enabled", "state.d/marker", KEY];
    there(bench, &all) == all && bench.read("state") == "activating\n"
}

fn is_gone(bench: &Bench) {
    let left =
        there(bench, &["data/member", "unit", "unit.d", "enabled", "etc", "state.d", "manifest"]);
    assert_eq!(left, [""; 0]);
    assert_eq!(
        (bench.read("state"), bench.read("loaded")),
        ("inactive\n".into(), "not-found\n".into())
    );
    assert!(bench.path("data/archived/20261128T120000Z-c3/wal/0-0.wal").exists());
    assert!(bench.path("aside/10-nice.conf").exists());
}

#[test]
fn all_of_the_member_goes_and_its_data_is_kept() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("data/notes", "mine");
        std::fs::create_dir_all(bench.path("data/archived/.quorate-snapshot.aB3dE6")).unwrap();
        assert_eq!(bench.done(&decommission(bench)), "changed");
        is_gone(bench);
        assert!(!bench.path("data/archived/.quorate-snapshot.aB3dE6").exists());
        assert_eq!(bench.read("data/notes"), "mine");
        assert_eq!(bench.done(&decommission(bench)), "already");
        assert_eq!(asked(bench), [""; 0]);
    });
}

#[test]
fn what_others_put_beside_it_stays() {
    on_each_shell(|bench| {
        host(bench);
        std::fs::create_dir(bench.path("etc/pki/by-hand")).unwrap();
        let theirs = ["etc/pki/by-hand/key", "etc/notes", "state.d/notes"];
        for file in theirs {
            bench.write(file, "mine");
        }
        std::fs::create_dir(bench.path("aside")).unwrap();
        bench.write("aside/10-nice.conf", "earlier");
        assert_eq!(bench.done(&decommission(bench)), "changed");
        assert_eq!(there(bench, &theirs), theirs);
        let ours = ["etc/pki/g1", "etc/pki/g2", "etc/pki/untried", "etc/ca", "state.d/marker"];
        assert_eq!(there(bench, &ours), [""; 0]);
        assert!(!bench.path("etc/pki/current").is_symlink());
        assert_eq!(bench.read("aside/10-nice.conf.~1~"), "earlier");
    });
}

#[test]
fn a_member_that_is_still_listed_is_not_decommissioned() {
    on_each_shell(|bench| {
        host(bench);
        let moved = LIST.replace(URL, "https://10.0.0.9:2380");
        for (list, why) in [
            (LIST.replace("c3, started, etcd-3", "c3, unstarted, "), "member c3, whose data"),
            (moved, "member c3, whose data"),
            (LIST.replace("c3, ", "d4, "), "a started member at https://10.0.0.3:2380"),
        ] {
            bench.write("list", &list);
            let said = fails(&bench.run(&decommission(bench)));
            assert!(said.starts_with(&format!("refused the cluster still lists {why}")), "{said}");
            assert!(is_untouched(bench));
        }
    });
}

#[test]
fn nothing_goes_while_no_other_member_says_who_is_one() {
    on_each_shell(|bench| {
        host(bench);
        silence(bench, "1");
        bench.write("at-2", "178 0 100");
        let said = fails(&bench.run(&decommission(bench)));
        assert!(said.starts_with("refused no other member says who is a member"), "{said}");
        assert!(is_untouched(bench));
        bench.write("at-2", "178 178 100");
        assert_eq!(bench.done(&decommission(bench)), "changed");
    });
}

/// Nobody is left who could be asked: what can't be had again is set aside on every host before.
#[test]
fn the_data_of_a_cluster_that_goes_is_set_aside_before_its_keys() {
    on_each_shell(|bench| {
        host(bench);
        silence(bench, "1");
        silence(bench, "2");
        let whole = || decommission(bench).set("others", "");
        let said = fails(&bench.run(&whole()));
        assert!(said.contains("refused the member's data is still in"), "{said}");
        assert!(is_untouched(bench));
        std::fs::create_dir_all(bench.path("data/archived")).unwrap();
        let kept = bench.path("data/archived/20261128T120000Z-c3");
        std::fs::rename(bench.path("data/member"), kept).unwrap();
        assert_eq!(bench.done(&whole()), "changed");
        is_gone(bench);
        assert_eq!(bench.done(&whole()), "already");
    });
}

/// Without keys nobody can be asked, and what can't be had again stays.
#[test]
fn without_keys_only_what_is_left_of_records_goes() {
    on_each_shell(|bench| {
        for left in ["data/member", "unit", "manifest"] {
            host(bench);
            std::fs::remove_file(bench.path(KEY)).unwrap();
            for (name, is_folder) in [("data/member", true), ("unit", false), ("manifest", false)] {
                match (name == left, is_folder) {
                    (true, _) => bench.write("manifest", "x"),
                    (false, true) => std::fs::remove_dir_all(bench.path(name)).unwrap(),
                    (false, false) => drop(std::fs::remove_file(bench.path(name))),
                }
            }
            let said = fails(&bench.run(&decommission(bench)));
            assert!(said.contains("can't ask the other members"), "{left}: {said}");
            assert!(bench.path(left).exists() && bench.path("state.d/marker").exists());
        }
        std::fs::remove_file(bench.path("manifest")).unwrap();
        assert_eq!(bench.done(&decommission(bench)), "changed");
        assert_eq!(there(bench, &["state.d", "etc", "enabled"]), [""; 0]);
    });
}

/// The cluster got another release while the host was away.
#[test]
fn the_client_of_another_release_asks_as_well() {
    on_each_shell(|bench| {
        host(bench);
        std::fs::create_dir_all(bench.path("releases/3.6.1")).unwrap();
        std::os::unix::fs::symlink(bench.path("etcdctl"), bench.path("releases/3.6.1/etcdctl"))
            .unwrap();
        let run = || decommission(bench).set("etcdctl", bench.arg("releases/3.6.2/etcdctl"));
        let real = "cd \"$(dirname \"$(readlink -f \"$0\")\")\"";
        let text = bench.read("etcdctl").replace("cd \"$(dirname \"$0\")\"", real);
        bench.write("etcdctl", &text);
        bench.write("list", LIST);
        assert!(fails(&bench.run(&run())).contains("still lists member c3"));
        without(bench, "c3");
        assert_eq!(bench.done(&run()), "changed");
    });
}

#[test]
fn nothing_is_taken_from_a_member_that_does_not_stop() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("stuck", "");
        assert_ne!(bench.run(&decommission(bench)).status, 0);
        assert!(is_untouched(bench));
        for silent in ["exit 1", "true"] {
            bench.program("systemctl", silent);
            assert_ne!(bench.run(&decommission(bench)).status, 0, "{silent}");
            assert!(is_untouched(bench));
        }
    });
}

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
        let said = fails(&bench.run(&decommission(bench)));
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(said.contains("the pod does not end; the previous manifest is back"), "{said}");
        assert!(bench.path("data/member").exists() && bench.path(KEY).exists());
        // A run that was killed had kept the manifest.
        bench.write("state.d/kept", "kind: Pod\n");
        assert_eq!(bench.done(&decommission(bench)), "changed");
        is_gone(bench);
    });
}

/// At each change that it makes, it is killed right before.
#[test]
fn a_member_that_is_half_decommissioned_is_decommissioned_to_the_end() {
    const CHANGERS: [&str; 5] = ["rm", "mv", "mkdir", "rmdir", "systemctl"];
    on_each_shell(|bench| {
        let mut states = Vec::new();
        for last in 0.. {
            host(bench);
            let _ = std::fs::remove_dir_all(bench.path("data/archived"));
            let _ = std::fs::remove_dir_all(bench.path("aside"));
            bench.write("changes", "");
            for program in CHANGERS {
                let resumes = match program {
                    "systemctl" => SYSTEMCTL.to_owned(),
                    _ => format!("exec /bin/{program} \"$@\""),
                };
                let dies = format!(
                    "case $* in show*|is-enabled*) ;; *)\n\
                     echo x >>{0}; [ $(wc -l <{0}) -le {last} ] || {{ kill -9 $PPID; exit 1; }} ;; esac\n\
                     {resumes}",
                    bench.arg("changes")
                );
                bench.program(program, &dies);
            }
            let killed = bench.run(&decommission(bench)).status != 0;
            for program in CHANGERS {
                std::fs::remove_file(bench.path("bin").join(program)).unwrap();
            }
            bench.program("systemctl", SYSTEMCTL);
            let names = ["state.d/marker", "data/member", "unit", "enabled", KEY, "etc/pki/g2"];
            let left = there(bench, &names);
            assert!(left.contains(&"state.d/marker") || left.is_empty(), "{left:?}");
            // What a start could run is there no longer than what it would start with.
            assert!(left.contains(&"data/member") || !left.contains(&"enabled"), "{left:?}");
            // As long as the others' answer matters, they can be asked.
            let matters = left.contains(&"data/member") || left.contains(&"unit");
            assert!(!matters || left.contains(&KEY), "{left:?}");
            let again = bench.done(&decommission(bench));
            assert!(again == "already" || killed, "{again}");
            is_gone(bench);
            if !killed {
                break;
            }
            states.push(left);
        }
        assert!(states.len() >= 16, "{}: {states:?}", states.len());
    });
}
