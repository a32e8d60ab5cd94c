//! `quorate monitoring`: files that Prometheus reads, for exactly this inventory.

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, site, snapshot};

/// Parentheses, braces and brackets of an expression that close each other; texts in quotes are passed over.
fn is_balanced(expr: &str) -> bool {
    let mut open = Vec::new();
    let mut in_text = false;
    for c in expr.chars() {
        match c {
            '"' => in_text = !in_text,
            _ if in_text => {}
            '(' | '{' | '[' => open.push(c),
            ')' | '}' | ']' => {
                let wanted = match c {
                    ')' => '(',
                    '}' => '{',
                    _ => '[',
                };
                if open.pop() != Some(wanted) {
                    return false;
                }
            }
            _ => {}
        }
    }
    open.is_empty() && !in_text
}

#[test]
fn rules_are_of_exactly_this_inventory() {
    let sandbox = Sandbox::with_site();
    let ended = sandbox.run(&["monitoring", "rules"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    snapshot("rules.yml", &ended.stdout);
    let exprs = ended.stdout.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    for expr in exprs.clone() {
        let expr: String = serde_json::from_str(expr).unwrap();
        assert!(is_balanced(&expr), "{expr}");
        assert!(expr.contains("site=\"lab\""), "{expr}");
    }
    let absent = exprs.filter(|expr| expr.contains("absent(")).count();
    assert_eq!(absent, 1 + 3 + 3, "the site, and each member twice");
    let named = |name: &str| ended.stdout.contains(&format!("member=\\\"{name}\\\""));
    assert!(named("etcd-1") && named("etcd-3") && !named("etcd-4"), "{}", ended.stdout);
}

#[test]
fn targets_are_where_the_members_of_a_host_serve_their_metrics() {
    let sandbox = Sandbox::with_site();
    let ended = sandbox.run(&["monitoring", "targets", "--host", "etcd-2"]);
    let targets: Value = serde_json::from_str(&ended.stdout).unwrap();
    let labels = json!({ "site": "lab", "cluster": "main", "member": "etcd-2" });
    assert_eq!(targets, json!([{ "targets": ["127.0.0.1:2381"], "labels": labels }]));
}

#[test]
fn targets_over_the_network_are_all_members_or_none() {
    let sandbox = Sandbox::with_site();
    let ended = sandbox.run(&["monitoring", "targets"]);
    assert_eq!(ended.code, 64, "{}", ended.stderr);
    assert!(ended.stderr.contains("at the loopback address alone: main"), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");

    let members = "members = [\"etcd-1\"";
    let text = site([1, 2, 3]).replace(members, &format!("metrics = \"peer\"\n{members}"));
    sandbox.write("quorate.toml", &text);
    let ended = sandbox.run(&["monitoring", "targets"]);
    let targets: Value = serde_json::from_str(&ended.stdout).unwrap();
    let at: Vec<_> = targets.as_array().unwrap().iter().map(|one| &one["targets"][0]).collect();
    assert_eq!(at, ["10.20.0.11:2381", "10.20.0.12:2381", "10.20.0.13:2381"]);
}

#[test]
fn rules_know_how_old_backups_may_be_and_a_target_without_one_alerts() {
    let sandbox = Sandbox::with_site();
    let text = sandbox.read("quorate.toml");
    let backups = "\n[clusters.main.backups]\nto = [\"file:one/\", \"file:two\"]\nmax-age = \"26h\"\nmax-age-opened = \"8d\"\n";
    sandbox.write("quorate.toml", &(text + backups));
    let ended = sandbox.run(&["monitoring", "rules"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let rules = &ended.stdout;
    assert!(rules.contains("alert: QuorateBackupOld"), "{rules}");
    assert!(rules.contains(&format!("> {}", 26 * 3600)), "{rules}");
    assert!(rules.contains(&format!("> {}", 8 * 86_400)), "{rules}");
    assert_eq!(rules.matches("alert: QuorateBackupMissing").count(), 2, "{rules}");
    let exprs = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    for expr in exprs {
        let expr: String = serde_json::from_str(expr).unwrap();
        assert!(is_balanced(&expr), "{expr}");
    }
}
