//! Disks that outlive their lab.

use std::process::Command;
use std::{env, fs, process};

use quorate_lab::{Lab, LabError, Options};

use crate::{lab, text};

#[test]
fn a_lab_begins_where_the_kept_disks_of_another_end() {
    let folder = env::temp_dir().join(format!("quorate-kept-{}", process::id()));
    let first = lab("t-keep", 2);
    let [one, two] = [first.host(1).unwrap(), first.host(2).unwrap()];
    assert!(one.ssh("echo once >/etc/kept && echo more >/var/lib/kept").unwrap().status.success());
    first.keep(&folder).unwrap();
    assert_eq!(text(&one.ssh("cat /etc/kept").unwrap()), "once", "it resumes automatically");
    let who = |host: &quorate_lab::Host| {
        let said = text(&host.ssh("cat /etc/machine-id").unwrap());
        (said, host.host_key_fingerprint().unwrap(), host.address())
    };
    let before = [who(&one), who(&two)];

    let again =
        Options { disks: Some(folder.clone()), ..Options::hosts("t-kept".parse().unwrap(), 2) };
    assert!(matches!(Lab::up(&again), Err(LabError::SubnetTaken(_))), "the first one has it");
    first.down().unwrap();
    let second = Lab::up(&again).unwrap();
    let [one, two] = [second.host(1).unwrap(), second.host(2).unwrap()];
    assert_eq!([who(&one), who(&two)], before);
    assert_eq!(text(&one.ssh("cat /etc/kept /var/lib/kept").unwrap()), "once\nmore");
    assert!(one.ssh("echo twice >/etc/kept").unwrap().status.success());
    second.down().unwrap();

    let third = Lab::up(&again).unwrap();
    assert_eq!(text(&third.host(1).unwrap().ssh("cat /etc/kept").unwrap()), "once");
    third.down().unwrap();
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_could_not_be_prepared_is_named_and_not_fetched() {
    let cache = env::temp_dir().join(format!("quorate-cache-{}", process::id()));
    let mut up = Command::new(env!("CARGO_BIN_EXE_lab"));
    up.args(["--name", "t-none", "up", "1"]);
    up.env("QUORATE_LAB_CACHE", &cache).env("QUORATE_LAB_PREPARED", "1");
    let output = up.output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("/images/bookworm-") && said.contains("could not make it"), "{said}");
    assert!(!cache.join("images").exists(), "nothing was started");
}
