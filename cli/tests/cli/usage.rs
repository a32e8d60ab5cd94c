//! Help, usage errors, and the commands that need no inventory.

use crate::sandbox::{Sandbox, snapshot};

const COMMANDS: [&[&str]; 42] = [
    &[],
    &["init"],
    &["trust"],
    &["validate"],
    &["plan"],
    &["show"],
    &["apply"],
    &["defrag"],
    &["recover"],
    &["restore"],
    &["status"],
    &["logs"],
    &["monitoring"],
    &["monitoring", "rules"],
    &["monitoring", "targets"],
    &["support-bundle"],
    &["etcdctl"],
    &["client-cert"],
    &["dns"],
    &["firewall"],
    &["firewall", "render"],
    &["kubernetes"],
    &["kubernetes", "render"],
    &["pki"],
    &["pki", "init"],
    &["pki", "reseal"],
    &["release"],
    &["release", "pin"],
    &["archives"],
    &["archives", "list"],
    &["archives", "purge"],
    &["snapshot"],
    &["snapshot", "take"],
    &["snapshot", "list"],
    &["snapshot", "get"],
    &["snapshot", "verify"],
    &["snapshot", "prune"],
    &["history"],
    &["graph"],
    &["schema"],
    &["completions"],
    &["version"],
];

#[test]
fn every_command_says_how_it_is_used() {
    let sandbox = Sandbox::new();
    let mut all = String::new();
    for command in COMMANDS {
        let help = sandbox.run(&[command, &["--help"]].concat());
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command:?}");
        let line = [&["quorate"], command, &["--help"]].concat().join(" ");
        all.push_str(&format!("$ {line}\n{}\n", help.stdout));
    }
    snapshot("help.txt", &all);
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let sandbox = Sandbox::with_site();
    for arguments in [
        &[][..],
        &["bogus"],
        &["plan", "--bogus"],
        &["init"],
        &["init", "a@-oProxyCommand=x"],
        &["init", "a@10.0.0.1", "-i", "new.toml", "--recipient", "AGE-SECRET-KEY-1QQ"],
        &["init", "a@10.0.0.1", "--plain-keys", "--recipient", crate::sandbox::RECIPIENT],
        &["apply", "--json"],
        &["apply", "--pause"],
        &["apply", "--pause", "--json", "--yes"],
        &["plan", "--replace-certificates", "etcd-9"],
        &["plan", "--replace-certificates", "etcd-1", "--host", "etcd-2"],
        &["defrag", "--json"],
        &["defrag", "--dry-run", "--yes"],
        &["defrag", "--dry-run", "--expect", "5b7a60c90d3a"],
        &["defrag", "--min-free-percent", "101"],
        &["restore", "--cluster", "main"],
        &["restore", "--cluster", "main", "--from", "a.db", "--json"],
        &["restore", "--cluster", "main", "--from", "a.db", "--dry-run", "--yes"],
        &["restore", "--cluster", "other", "--from", "a.db", "--dry-run"],
        &["restore", "--cluster", "main", "--from", "no-such-file", "--dry-run"],
        &["restore", "--cluster", "main", "--from", "a.db", "--clients-stopped", "other", "--yes"],
        &["client-cert", "--cn", "../x", "--out", "d"],
        &["client-cert", "--cn", "x", "--out", "d", "--cluster", "other"],
        &["release", "pin", "3.3.27"],
        &["plan", "--parallelism", "0"],
        &["plan", "-q", "-v"],
        &["status", "--json", "--watch"],
        &["status", "--json", "--format", "prometheus"],
        &["status", "--warn-quota", "101"],
        &["show"],
        &["kubernetes", "render"],
        &["kubernetes", "render", "--format", "yaml"],
        &["monitoring", "targets"],
        &["monitoring", "targets", "--host", "etcd-9"],
        &["monitoring", "rules", "--job", "a\"b"],
        &["apply", "--lock-timeout", "soon"],
        &["apply", "--reason", " "],
        &["logs", "--since", "yesterday"],
        &["logs", "-n", "0"],
        &["logs", "--host", "etcd-9"],
        &["logs", "--cluster", "other"],
        &["graph", "--format", "svg"],
    ] {
        let ended = sandbox.run(arguments);
        assert_eq!(ended.code, 64, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{arguments:?}: {}", ended.stdout);
        assert!(!ended.stderr.contains("AGE-SECRET-KEY-1QQ"), "{}", ended.stderr);
    }
}

#[test]
fn the_schema_is_draft_07() {
    let ended = Sandbox::new().run(&["schema"]);
    assert_eq!(ended.code, 0);
    let schema: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert!(schema["properties"]["clusters"].is_object());
}

#[test]
fn a_pause_without_a_terminal_is_refused_with_the_reason() {
    let ended = Sandbox::with_site().run(&["apply", "--pause", "--yes"]);
    assert_eq!(ended.code, 64, "{}", ended.stderr);
    assert!(ended.stderr.contains("there is no terminal to ask at"), "{}", ended.stderr);
    assert!(ended.stderr.contains("leave out --pause"), "{}", ended.stderr);
}

#[test]
fn every_shell_gets_its_completions() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = sandbox.run(&["completions", shell]);
        assert_eq!(ended.code, 0, "{shell}");
        assert!(ended.stdout.contains("client-cert"), "{shell}");
    }
}

#[test]
fn the_version_names_the_etcd_lines() {
    let ended = Sandbox::new().run(&["version"]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(ended.stdout, format!("quorate {version}\netcd 3.4, 3.5, 3.6, 3.7\n"));
}
