//! `quorate firewall`, as far as it comes without hosts.

use crate::sandbox::{Sandbox, site};

fn walled() -> Sandbox {
    let sandbox = Sandbox::new();
    let text = site([1, 2, 3]);
    sandbox.write("quorate.toml", &format!("{text}\n[firewall]\nclients = [\"10.20.1.0/24\"]\n"));
    sandbox
}

/// Who is connected there is not known: no rules, and no success.
#[test]
fn hosts_that_are_not_seen_get_no_rules() {
    let sandbox = walled();
    let ended = sandbox.run(&["firewall", "render", "etcd-1"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("[firewall-unknown]"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Connection refused"), "{}", ended.stderr);
    let other = "etcd-2: can't see from which addresses it speaks to etcd-1: ";
    assert!(ended.stderr.contains(other), "{}", ended.stderr);
    let ended = sandbox.run(&["-q", "firewall", "render", "--out", "rules"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("etcd-3"), "{}", ended.stderr);
    assert!(!sandbox.path("rules").exists());
}

#[test]
fn what_is_missing_on_the_command_line_or_in_the_inventory_is_named() {
    let sandbox = walled();
    assert_eq!(sandbox.run(&["firewall", "render"]).code, 64);
    let ended = sandbox.run(&["firewall", "render", "web-1"]);
    assert_eq!(ended.code, 64);
    assert!(
        ended.stderr.contains("hosts with members: etcd-1, etcd-2, etcd-3"),
        "{}",
        ended.stderr
    );
    let ended = sandbox.run(&["firewall", "render", "etcd-1", "--cut", "10.20.7.3/24"]);
    assert_eq!(ended.code, 64);
    assert!(ended.stderr.contains("within the network 10.20.7.0/24"), "{}", ended.stderr);
    let ended = Sandbox::with_site().run(&["firewall", "render", "etcd-1"]);
    assert_eq!(ended.code, 64);
    assert!(ended.stderr.contains("write: [firewall]"), "{}", ended.stderr);
}
