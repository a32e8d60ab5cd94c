//! What changes a member's unit.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn sets(facts: &HostFacts, name: &str) -> Observed<Vec<String>> {
    let files = member(facts, "main").drop_ins.known().expect("drop-ins").clone();
    let file = files.into_iter().find(|file| file.name() == name);
    match file.unwrap_or_else(|| panic!("{name} was not seen")).sets {
        Observed::Known(sets) => Observed::Known(sets.into_iter().collect()),
        Observed::Absent => Observed::Absent,
        Observed::Unknown(why) => Observed::Unknown(why),
    }
}

fn names(names: &[&str]) -> Observed<Vec<String>> {
    Observed::Known(names.iter().map(|name| (*name).to_owned()).collect())
}

/// systemd says which files it has read; those in the unit's own folder are found on the disk, where they
/// may be newer. Of all of them the host says what they set, and not to what.
#[test]
fn files_of_the_units_folder_and_those_that_systemd_has_read_are_seen_by_what_they_set() {
    let tree = started_member();
    let own = layout("main").drop_in_dir();
    tree.write(
        &format!("{own}/10-odd name.conf"),
        "# User=no\n[Service]\n  Environment = TOKEN=secret \\\nLimitCORE=1\n;Nice=1\nNice=5",
    );
    tree.write(&format!("{own}/20-empty.conf"), "");
    symlink("/dev/null", tree.path(&format!("{own}/30-masked.conf"))).expect("a link");
    tree.write(&format!("{own}/README"), "User=no\n");
    let fifo = tree.path(&format!("{own}/40-pipe.conf"));
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let shared = "/run/systemd/system/service.d/zzz.conf";
    tree.write(shared, "[Service]\nExecStart=\nExecStart=/bin/x --a=b\n");
    let unit = |name: &str, drop_ins: &str| {
        format!(
            "MainPID=0\nId={name}\nLoadState=loaded\nActiveState=active\nDropInPaths={drop_ins}\n"
        )
    };
    // systemd answers in the order in which it is asked.
    let read = format!("{} {}/gone.conf", tree.path(shared), tree.path(&own));
    let said = format!(
        "{}\n{}",
        unit("etcd-events.service", "/nowhere/x.conf"),
        unit("etcd-main.service", &read)
    );
    tree.write("/bin/systemctl", format!("#!/bin/sh\ncat <<'END'\n{said}END\n"));
    let program = fs::Permissions::from_mode(0o755);
    fs::set_permissions(tree.path("/bin/systemctl"), program).expect("a program");
    for shell in SHELLS {
        let records = format!("{:?}", tree.records(shell));
        assert!(!records.contains("secret"), "a value left the host");
        let facts = tree.facts(shell);
        let seen = member(&facts, "main").drop_ins.known().expect("drop-ins");
        assert_eq!(seen.len(), 5, "{seen:?}");
        assert_eq!(sets(&facts, "10-odd name.conf"), names(&["Environment", "Nice"]));
        assert_eq!(sets(&facts, "20-empty.conf"), names(&[]));
        assert_eq!(sets(&facts, "30-masked.conf"), names(&[]));
        assert!(matches!(sets(&facts, "40-pipe.conf"), Observed::Unknown(_)));
        assert_eq!(sets(&facts, "zzz.conf"), names(&["ExecStart"]));
        let events = member(&facts, "events").drop_ins.known().expect("drop-ins");
        assert_eq!(events.len(), 1, "a file that is gone is still in force: {events:?}");
    }
}

/// The folder may be there before the unit is, and before systemd can be asked.
#[test]
fn the_units_folder_is_looked_at_where_systemd_says_nothing() {
    let tree = started_member();
    tree.write(&format!("{}/a.conf", layout("events").drop_in_dir()), "[Service]\nUser=root\n");
    for shell in SHELLS {
        let facts = tree.facts(shell);
        let events = member(&facts, "events").drop_ins.known().expect("drop-ins");
        assert!(events.len() == 1 && events[0].sets("User"), "{events:?}");
        assert_eq!(member(&facts, "main").drop_ins, Observed::Known(Vec::new()));
    }
}

/// systemd says nothing about a unit that it has not loaded. What will change it is in the first plan all the same,
/// so that the plan after the first apply has nothing new to say.
#[test]
fn files_for_all_services_are_seen_before_the_unit_is_there() {
    let tree = started_member();
    let all = "/usr/lib/systemd/system/service.d";
    tree.write(&format!("{all}/10-timeout-abort.conf"), "[Service]\nRestart=no\n");
    tree.write(&format!("{all}/20-masked.conf"), "[Service]\nRestart=no\n");
    fs::create_dir_all(tree.path("/etc/systemd/system/service.d")).expect("a folder");
    let masks = tree.path("/etc/systemd/system/service.d/20-masked.conf");
    symlink("/dev/null", masks).expect("a link");
    tree.write("/etc/systemd/system/etcd-.service.d/30-prefix.conf", "[Service]\nNice=5\n");
    tree.write("/run/systemd/system/etcd-main.service.d/40-run.conf", "[Service]\nUser=x\n");
    tree.write("/etc/systemd/system/other-.service.d/x.conf", "[Service]\nUser=x\n");
    for shell in SHELLS {
        let facts = tree.facts(shell);
        for (cluster, count) in [("main", 4), ("events", 3)] {
            let seen = member(&facts, cluster).drop_ins.known().expect("drop-ins");
            assert_eq!(seen.len(), count, "{seen:?}");
        }
        assert_eq!(sets(&facts, "10-timeout-abort.conf"), names(&["Restart"]));
        assert_eq!(sets(&facts, "20-masked.conf"), names(&[]));
        assert_eq!(sets(&facts, "30-prefix.conf"), names(&["Nice"]));
        assert_eq!(sets(&facts, "40-run.conf"), names(&["User"]));
    }
}
