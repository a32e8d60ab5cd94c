//! `quorate support-bundle`: what it holds, and what it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::sandbox::Sandbox;

const SEEDED: &str = "s33ded-secret";

#[test]
fn a_bundle_is_the_operators_alone_and_holds_no_secret() {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let text = sandbox.read("quorate.toml");
    sandbox.write(
        "quorate.toml",
        &format!("# password = {SEEDED}\n# https://u:{SEEDED}@host/\n{text}"),
    );
    let ended = sandbox.run(&["support-bundle", "--out", "b.tar"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let mode = fs::metadata(sandbox.path("b.tar")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for name in ["README.txt", "facts.txt", "inventory/quorate.toml", "plan.json", "status.json"] {
        assert!(ended.stdout.contains(name), "{}", ended.stdout);
    }
    assert!(ended.stderr.contains("not in the bundle: etcd-1: did not answer"), "{}", ended.stderr);
    let all = fs::read(sandbox.path("b.tar")).unwrap();
    let all = String::from_utf8_lossy(&all);
    assert!(all.contains("[clusters.main]") && all.contains("\"site\": \"lab\""));
    assert!(!all.contains(SEEDED) && !all.contains("PRIVATE KEY-"));
    let list = Command::new("tar").arg("-tf").arg(sandbox.path("b.tar")).output().unwrap();
    assert!(list.status.success());
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.lines().all(|name| name.starts_with("quorate/")), "{list}");
    let again = sandbox.run(&["support-bundle", "--out", "b.tar"]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("already exists"), "{}", again.stderr);
}

#[test]
fn a_bundle_that_could_not_be_made_leaves_no_file() {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let certificate = fs::read_dir(sandbox.path("pki/main"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "crt"));
    fs::write(certificate.unwrap(), "no certificate").unwrap();
    let ended = sandbox.run(&["support-bundle", "--out", "b.tar"]);
    assert_ne!(ended.code, 0, "{}", ended.stdout);
    assert!(!sandbox.path("b.tar").exists());
}
