//! Backups in a folder of another host.

use std::fs;

use remote::test_server::{Sshd, user};

use crate::sandbox::{Ended, Sandbox};
use crate::snapshots::{failed, files, plain, put, with_targets};

/// A site whose second target is the folder `two` by way of an SFTP server that knows its user's key.
fn site(server: &Sshd) -> Sandbox {
    let sandbox = with_targets("");
    let folder = sandbox.path("two");
    let text = sandbox.read("quorate.toml");
    let url = format!("sftp://{}@127.0.0.1:{}{}", user(), server.port, folder.display());
    let login = format!("\n[defaults.ssh]\nidentity-file = {:?}\n", server.path("user"));
    sandbox.write("quorate.toml", &(text.replace("file:two", &url) + &login));
    sandbox
}

fn trust(sandbox: &Sandbox, server: &Sshd) {
    fs::create_dir_all(sandbox.path(".ssh")).unwrap();
    let line = format!("[127.0.0.1]:{} {}\n", server.port, server.host_key("ed25519"));
    sandbox.write(".ssh/known_hosts", &line);
}

fn ended_well(ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[test]
fn backups_on_another_host_are_listed_opened_and_pruned() {
    let server = Sshd::with("Subsystem sftp internal-sftp");
    let sandbox = site(&server);
    trust(&sandbox, &server);
    let text = sandbox.read("quorate.toml");
    let keep = text.replace("to = [\"file:one/\", ", "keep = { hourly = 1 }\nto = [");
    sandbox.write("quorate.toml", &keep);
    let ended = sandbox.run(&["snapshot", "list"]);
    ended_well(&ended);
    assert!(ended.stderr.contains("there is no such folder"), "{}", ended.stderr);
    let (old, new) = (put(&sandbox, 200, &["two"]), put(&sandbox, 90, &["two"]));
    let ended = sandbox.run(&["snapshot", "list"]);
    ended_well(&ended);
    assert!(ended.stdout.contains(&new.to_string()) && ended.stdout.contains("sftp://"));
    let id = new.to_string();
    let get = ["snapshot", "get", &id, "--open", "--identity", "key", "--out", "out.db"];
    ended_well(&sandbox.run(&get));
    assert!(fs::read(sandbox.path("out.db")).unwrap() == plain());
    ended_well(&sandbox.run(&["snapshot", "prune", "--yes"]));
    assert_eq!(files(&sandbox, "two"), [new.object(), new.sidecar()]);
    assert!(!files(&sandbox, "two").contains(&old.object()));
}

#[test]
fn a_host_for_backups_that_is_not_known_is_not_trusted_and_hides_no_folder() {
    let server = Sshd::with("Subsystem sftp internal-sftp");
    let sandbox = site(&server);
    let good = put(&sandbox, 90, &["one"]);
    let ended = sandbox.run(&["snapshot", "list"]);
    failed(&ended, "cannot read sftp://");
    failed(&ended, "known_hosts");
    assert!(ended.stdout.contains(&good.to_string()), "{}", ended.stdout);
    assert!(!server.log().contains("Accepted"), "{}", server.log());
}
