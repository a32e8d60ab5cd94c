//! A site in a git repository: what counts as committed, and what nobody is asked to commit.

use std::process::Command;

use crate::sandbox::Sandbox;

fn git(sandbox: &Sandbox, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.net"];
    let mut command = Command::new("git");
    command.arg("-C").arg(sandbox.path("")).args(identity).args(arguments);
    assert!(command.status().unwrap().success(), "git {arguments:?}");
}

fn committed() -> Sandbox {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    git(&sandbox, &["init", "-q"]);
    git(&sandbox, &["add", "."]);
    git(&sandbox, &["commit", "-qm", "one"]);
    sandbox
}

#[test]
fn what_is_not_committed_is_refused_by_name_before_any_host_is_looked_at() {
    let sandbox = committed();
    sandbox.write("quorate.toml", &format!("{}# two\n", sandbox.read("quorate.toml")));
    let ended = sandbox.run(&["apply", "--yes"]);
    assert_eq!(ended.code, 8, "{}", ended.stderr);
    assert!(ended.stderr.contains("not committed: quorate.toml (modified)"), "{}", ended.stderr);
    let planned = sandbox.run(&["plan"]);
    assert_eq!(planned.code, 4, "{}", planned.stderr);
    assert!(planned.stderr.contains("warning: not committed: quorate.toml"), "{}", planned.stderr);
    // It continues to the hosts, none of which exists.
    assert_eq!(sandbox.run(&["apply", "--yes", "--allow-dirty"]).code, 4);
}

/// A hook of another repository has its variables in the environment.
#[test]
fn variables_that_name_another_repository_are_not_git_s_answer() {
    let (sandbox, other) = (committed(), committed());
    sandbox.write("quorate.toml", &format!("{}# two\n", sandbox.read("quorate.toml")));
    let mut command = sandbox.command(&["apply", "--yes"]);
    command.env("GIT_DIR", other.path(".git")).env("GIT_WORK_TREE", other.path(""));
    command.env("GIT_INDEX_FILE", other.path(".git/index"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(8), "{said}");
    assert!(said.contains("not committed: quorate.toml (modified)"), "{said}");
}

#[test]
fn keys_and_saved_plans_beside_the_inventory_are_nobody_s_business() {
    let sandbox = committed();
    for name in ["client/kube.key", "p.plan", "password"] {
        sandbox.write(name, "x");
    }
    for arguments in [&["apply", "--yes"][..], &["plan"]] {
        let ended = sandbox.run(arguments);
        assert_eq!(ended.code, 4, "{}", ended.stderr);
        assert!(!ended.stderr.contains("commit"), "{}", ended.stderr);
    }
}

#[test]
fn init_keeps_secrets_out_of_git_and_says_what_to_commit() {
    let wanted = ["pki", "pki/*/*.crt"];
    let recipient = ["--recipient", crate::sandbox::RECIPIENT];
    for (keys, wanted) in [&recipient[..], &["--plain-keys"]].iter().zip(wanted) {
        let sandbox = Sandbox::new();
        git(&sandbox, &["init", "-q"]);
        let arguments = [&["init", "root@10.20.0.11"], *keys].concat();
        let ended = sandbox.run(&arguments);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        let next = format!("  git add .gitignore quorate.toml {wanted} && git commit\n");
        assert!(ended.stderr.contains(&next), "{}", ended.stderr);
        assert!(!ended.stderr.contains("commit them"), "{}", ended.stderr);
        git(&sandbox, &["add", "."]);
        git(&sandbox, &["commit", "-qm", "all"]);
        let mut listing = Command::new("git");
        let listed = listing.arg("-C").arg(sandbox.path("")).arg("ls-files").output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("pki/main/peer-ca.crt"), "{listed}");
        assert!(!listed.lines().any(|name| name.ends_with(".key")), "{listed}");
    }
}

#[test]
fn init_takes_a_host_once() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&["init", "root@10.20.0.11", "ops@10.20.0.11", "--plain-keys"]);
    assert_eq!(ended.code, 64, "{}", ended.stderr);
    assert!(ended.stderr.contains("10.20.0.11 is given twice"), "{}", ended.stderr);
    assert!(!sandbox.path("quorate.toml").exists());
}

#[test]
fn init_leaves_a_gitignore_that_is_there_alone() {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "*.key\nmine\n");
    let ended = sandbox.run(&["init", "root@10.20.0.11", "--plain-keys"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(sandbox.read(".gitignore"), "*.key\nmine\n");
    assert!(ended.stderr.contains("*.plan, client/, quorate-*.tar"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("git add"), "{}", ended.stderr);
}
