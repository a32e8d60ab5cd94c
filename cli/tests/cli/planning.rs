//! Planning and applying as far as they come without hosts.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::sandbox::{Sandbox, site, snapshot};

#[test]
fn unreachable_hosts_are_named_and_nothing_is_called_unchanged() {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    for command in ["plan", "status"] {
        let ended = sandbox.run(&[command]);
        assert_eq!(ended.code, 4, "{command}: {}", ended.stderr);
        assert!(ended.stdout.contains("Connection refused"), "{}", ended.stdout);
        assert!(!ended.stdout.contains("No changes"), "{}", ended.stdout);
        snapshot(&format!("{command}-unreachable.txt"), &ended.stdout);
    }
}

#[test]
fn a_cluster_without_ca_is_blocked_and_names_the_command() {
    let ended = Sandbox::with_site().run(&["plan"]);
    assert_eq!(ended.code, 8, "{}", ended.stderr);
    assert!(ended.stdout.contains("quorate pki init"), "{}", ended.stdout);
}

#[test]
fn a_plan_in_json_is_one_document_whatever_happens() {
    let sandbox = Sandbox::with_site();
    let document = |arguments: &[&str]| -> (i32, serde_json::Value) {
        let ended = sandbox.run(arguments);
        (ended.code, serde_json::from_str(&ended.stdout).unwrap())
    };
    let (code, plan) = document(&["plan", "--json"]);
    assert_eq!((code, &plan["exit_code"], &plan["reason"]), (8, &8.into(), &"blocked".into()));
    assert_eq!(plan["format_version"], "1.4");
    assert_eq!(plan["unseen"].as_object().unwrap().len(), 3);
    let (code, status) = document(&["status", "--json"]);
    assert_eq!((code, &status["reason"]), (4, &"unreachable".into()));
    assert_eq!(status["clusters"]["main"]["members"]["etcd-1"]["state"], "unreachable");
    let (code, error) = document(&["plan", "--json", "-i", "missing.toml"]);
    assert_eq!((code, &error["reason"]), (65, &"inventory".into()));
    sandbox.write("bad.toml", "[site]\nnam = \"x\"\n");
    let (code, error) = document(&["plan", "--json", "-i", "bad.toml"]);
    assert_eq!(code, 65);
    assert!(!error["diagnostics"].as_array().unwrap().is_empty());
}

#[test]
fn an_apply_in_json_is_nothing_but_json() {
    let sandbox = Sandbox::with_site();
    for inventory in ["quorate.toml", "missing.toml"] {
        let ended = sandbox.run(&["apply", "--yes", "--json", "-i", inventory]);
        let lines: Vec<serde_json::Value> =
            ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            for key in ["@level", "@message", "@module", "@timestamp", "type"] {
                assert!(line[key].is_string(), "{key} is missing in {line}");
            }
        }
        assert_eq!(lines[0]["type"], "version");
        let end = lines.last().unwrap();
        assert_eq!((&end["type"], &end["exit_code"]), (&"end".into(), &ended.code.into()));
    }
}

#[test]
fn a_site_that_wants_to_be_named_is_not_touched_without_its_name() {
    let sandbox = Sandbox::with_site();
    let text = sandbox.read("quorate.toml");
    sandbox.write("quorate.toml", &text.replace("\"lab\"\n", "\"lab\"\nconfirm = true\n"));
    for wrong in [&["apply", "--yes"][..], &["apply", "--yes", "--confirm", "other"]] {
        let ended = sandbox.run(wrong);
        assert_eq!(ended.code, 64, "{}", ended.stderr);
        assert!(ended.stderr.contains("--confirm lab"), "{}", ended.stderr);
    }
    assert_eq!(sandbox.run(&["apply", "--yes", "--confirm", "lab"]).code, 8);
}

#[test]
fn an_interrupt_while_looking_changes_nothing_and_says_so() {
    // Accepts connections and never says a word, as a host behind a broken firewall does.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = Sandbox::new();
    sandbox.write("quorate.toml", &site([silent.local_addr().unwrap().port(), 2, 3]));
    let mut command = sandbox.command(&["plan"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (_connection, _) = silent.accept().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was changed"));
}

#[test]
fn a_configuration_of_ssh_that_is_wrong_is_reported_with_the_host_by_every_command() {
    let sandbox = Sandbox::with_site();
    sandbox.write(".ssh/config", "Host *\n  Port abc\n");
    for command in ["plan", "trust"] {
        let ended = sandbox.run(&[command]);
        let told = ended.stderr;
        assert!(ended.code == 65 && told.contains("host etcd-1 has no login"), "{command}: {told}");
        assert!(told.contains(".ssh/config") && told.contains("hint:"), "{command}: {told}");
    }
}

#[test]
fn a_saved_plan_is_shown_without_a_host_and_has_the_hash_of_the_document() {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let planned = sandbox.run(&["plan", "--json", "--out", "s.plan", "--cluster", "main"]);
    let document: serde_json::Value = serde_json::from_str(&planned.stdout).unwrap();
    let hash = document["hash"].as_str().unwrap();
    assert_eq!(hash.len(), 64);
    let shown = sandbox.run(&["show", "s.plan"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let line = format!("Plan {} of site lab, 0 steps\nmade with: --cluster main\n", &hash[..12]);
    assert!(shown.stdout.ends_with(&line), "{}", shown.stdout);
    assert!(shown.stdout.contains("unreachable etcd-1"), "{}", shown.stdout);
    // Its text decides nothing.
    let text = sandbox.read("s.plan");
    sandbox.write("s.plan", &text.replace("unreachable", "seen"));
    let applied = sandbox.run(&["apply", "s.plan", "--json"]);
    assert_ne!(applied.code, 3, "{}", applied.stdout);
    assert_ne!(applied.code, 64, "{}", applied.stderr);
}
