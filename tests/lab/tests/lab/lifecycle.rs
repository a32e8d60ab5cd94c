//! Up, reboot, crash, down.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use quorate_lab::disk::DiskSize;
use quorate_lab::ssh::User;
use quorate_lab::{Lab, LabName, Options};
use serde_json::{Value, json};

use crate::{LAB, lab, text, traces};

#[test]
fn a_lab_leaves_nothing_behind() {
    let lab = lab("t-clean", 2);
    // A trace of each kind now: what finds nothing later must be able to find something.
    let everything = traces::of("t-clean").into_keys().collect::<Vec<_>>();
    assert_eq!(traces::kinds("t-clean"), everything);
    lab.down().unwrap();
    assert_eq!(traces::kinds("t-clean"), [] as [&str; 0], "{:#?}", traces::of("t-clean"));
}

#[test]
fn a_dropped_lab_leaves_nothing_behind() {
    drop(lab("t-drop", 1));
    assert_eq!(traces::kinds("t-drop"), [] as [&str; 0], "{:#?}", traces::of("t-drop"));
}

#[test]
fn a_lab_whose_maker_was_killed_is_cleared_by_the_next() {
    for milliseconds in [20, 100, 200, 300, 500, 800] {
        let mut maker = Command::new(LAB).args(["--name", "t-crash", "up", "2"]).spawn().unwrap();
        thread::sleep(Duration::from_millis(milliseconds));
        maker.kill().unwrap();
        maker.wait().unwrap();
        let state = fs::read_to_string("/run/quorate-lab/t-crash/lab.json").unwrap_or_default();
        if state.contains("\"owner\": null") {
            // It was done before it was killed: a lab that is up to stay.
            Lab::open(&"t-crash".parse().unwrap()).unwrap().down().unwrap();
        }
        drop(lab("t-next", 1));
        let left = traces::of("t-crash");
        assert_eq!(traces::kinds("t-crash"), [] as [&str; 0], "{milliseconds} ms: {left:#?}");
    }
}

#[test]
fn a_half_made_lab_is_cleared_by_the_next_one_once_its_maker_is_gone() {
    let folder = PathBuf::from("/run/quorate-lab/t-begun");
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    drop(lab("t-after", 1));
    assert!(folder.join("lock").exists(), "its maker is at it");
    drop(lock);
    drop(lab("t-after", 1));
    assert!(!folder.exists());
}

#[test]
fn a_reboot_keeps_the_disk_and_forgets_the_rest() {
    let lab = lab("t-reboot", 1);
    let host = lab.host(1).unwrap();
    let kept = ["/etc/kept", "/var/lib/kept", "/opt/kept", "/home/ops/kept"];
    let write = kept.map(|path| format!("echo kept > {path}")).join(" && ");
    text(
        &host
            .ssh(&format!("{write} && touch /run/forgotten && nft add table inet forgotten"))
            .unwrap(),
    );
    text(&host.ssh("useradd kept && systemctl mask fstrim.service").unwrap());
    let boot = text(&host.ssh("cat /proc/sys/kernel/random/boot_id").unwrap());
    let machine = text(&host.ssh("cat /etc/machine-id").unwrap());
    host.reboot().unwrap();
    assert_eq!(
        text(&host.ssh(&format!("cat {}", kept.join(" "))).unwrap()),
        ["kept"; 4].join("\n")
    );
    assert_eq!(
        text(&host.ssh("id -nu kept && cat /etc/machine-id").unwrap()),
        format!("kept\n{machine}")
    );
    assert_ne!(text(&host.ssh("cat /proc/sys/kernel/random/boot_id").unwrap()), boot);
    assert_eq!(text(&host.ssh("ls /run/forgotten 2>/dev/null; nft list ruleset").unwrap()), "");
}

#[test]
fn hosts_are_told_apart_and_run_a_whole_systemd() {
    let lab = lab("t-hosts", 3);
    let mut identities = Vec::new();
    for host in lab.hosts().unwrap() {
        let state = "systemctl is-system-running --wait; systemctl list-units --failed --no-legend";
        assert_eq!(text(&host.ssh(state).unwrap()), "running", "{}", host.name());
        assert_eq!(text(&host.ssh("hostname").unwrap()), host.name());
        assert_eq!(text(&host.ssh_as(User::Ops, "id -un; sudo -n id -un").unwrap()), "ops\nroot");
        identities.push(text(&host.ssh("cat /etc/machine-id").unwrap()));
        identities.push(host.host_key_fingerprint().unwrap());
    }
    let count = identities.len();
    identities.sort();
    identities.dedup();
    assert_eq!(identities.len(), count, "{identities:?}");
}

#[test]
fn up_again_adds_what_lacks_and_leaves_the_rest_alone() {
    let first = lab("t-again", 2);
    let boot_id = |number: u8| {
        text(&first.host(number).unwrap().ssh("cat /proc/sys/kernel/random/boot_id").unwrap())
    };
    let untouched = boot_id(1);
    let killed = boot_id(2);
    first.host(2).unwrap().kill().unwrap();
    assert!(!first.host(2).unwrap().is_running().unwrap());
    let second = lab("t-again", 3);
    assert_eq!(second.hosts().unwrap().len(), 3);
    assert_eq!(boot_id(1), untouched);
    assert_ne!(boot_id(2), killed);
    drop(second);
    assert_eq!(traces::kinds("t-again"), [] as [&str; 0]);
}

/// On a machine of control groups version 1, this shows version 2 to the lab in a view of its own.
#[test]
fn a_lab_runs_on_unified_control_groups() {
    let script = r#"
        set -e
        [ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup
        "$1" --name t-unified up 1 >&2
        "$1" --name t-unified ssh 1 'systemctl is-system-running --wait; stat -fc %T /sys/fs/cgroup'
        "$1" --name t-unified freeze 1 >&2
        grep -x 'frozen 1' /sys/fs/cgroup/quorate-t-unified-etcd-1/cgroup.events
        "$1" --name t-unified thaw 1 >&2
        "$1" --name t-unified reboot 1 >&2
        "$1" --name t-unified down >&2
    "#;
    let output = Command::new("unshare").args(["--mount", "sh", "-c", script, "sh", LAB]).output();
    assert_eq!(text(&output.unwrap()), "running\ncgroup2fs\nfrozen 1");
    assert_eq!(traces::kinds("t-unified"), [] as [&str; 0], "{:#?}", traces::of("t-unified"));
}

#[test]
fn a_disk_is_as_large_as_it_was_asked_for() {
    let name: LabName = "t-disk".parse().unwrap();
    let options = Options { disk: DiskSize::megabytes(128), ..Options::hosts(name, 1) };
    let lab = Lab::up(&options).unwrap();
    let host = lab.host(1).unwrap();
    for place in ["/", "/var/lib"] {
        let size = text(&host.ssh(&format!("df --output=size -m {place} | tail -1")).unwrap());
        let size: u32 = size.trim().parse().unwrap();
        assert!((80..=128).contains(&size), "{place} has {size} MiB");
    }
}

#[test]
fn a_frozen_host_stands_still_until_it_is_thawed() {
    let lab = lab("t-freeze", 1);
    let host = lab.host(1).unwrap();
    let beats = "nohup sh -c 'while sleep 0.01; do echo >> /run/beats; done' >/dev/null 2>&1 &";
    text(&host.ssh(beats).unwrap());
    let beats = PathBuf::from(format!("/proc/{}/root/run/beats", init_of("t-freeze")));
    let length = || fs::metadata(&beats).map_or(0, |file| file.len());
    eventually("it beats", || length() > 0);
    host.freeze().unwrap();
    let before = length();
    thread::sleep(Duration::from_millis(200));
    assert!(length() <= before + 1);
    host.thaw().unwrap();
    eventually("it beats again", || length() > before + 1);
}

#[test]
fn a_lab_whose_state_another_version_wrote_is_taken_down_all_the_same() {
    let lab = lab("t-format", 1);
    let path = "/run/quorate-lab/t-format/lab.json";
    let state: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let other = json!({"format": 2, "subnet": state["subnet"], "namespace": state["namespace"]});
    fs::write(path, other.to_string()).unwrap();
    drop(crate::lab("t-beside", 1));
    lab.down().unwrap();
    assert_eq!(traces::kinds("t-format"), [] as [&str; 0], "{:#?}", traces::of("t-format"));
}

#[test]
fn a_lab_that_does_not_come_up_says_so_and_leaves_nothing() {
    let in_the_way = "/run/quorate-lab/t-fails/known_hosts";
    fs::create_dir_all(in_the_way).unwrap();
    let error = Lab::up(&Options::hosts("t-fails".parse().unwrap(), 1)).unwrap_err();
    assert!(error.to_string().contains(in_the_way), "{error}");
    assert_eq!(traces::kinds("t-fails"), [] as [&str; 0], "{:#?}", traces::of("t-fails"));
}

#[test]
fn a_command_on_a_host_ends_the_command_line_as_it_ended() {
    let _lab = lab("t-exit", 1);
    let run = |words: &[&str]| {
        Command::new(LAB).args(["--name", "t-exit", "ssh", "1"]).args(words).output().unwrap()
    };
    assert_eq!(run(&["exit 7"]).status.code(), Some(7));
    assert_eq!(run(&["sh", "-c", "'exit 3'"]).status.code(), Some(3));
    assert_eq!(text(&run(&["printf", "%s", "-n", "--help"])), "-n--help");
}

#[track_caller]
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The first process of the only host of a lab.
fn init_of(lab: &str) -> String {
    let processes = traces::of(lab).remove("processes").unwrap();
    let is_init = |pid: &String| {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        comm.trim() == "systemd" && groups.contains("init.scope")
    };
    processes.into_iter().find(is_init).unwrap()
}
