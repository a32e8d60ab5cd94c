//! CAs are born once, and issue to clients.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use pki::{CaKind, CertificateAuthority};

use crate::sandbox::Sandbox;

fn files(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, (mode, fs::read(&path).unwrap()))
        })
        .collect()
}

#[test]
fn a_ca_is_created_once() {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    let born = files(&sandbox.path("pki/main"));
    let names: Vec<&str> = born.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["client-ca.crt", "client-ca.key.age", "peer-ca.crt", "peer-ca.key.age", "recipients.txt"]
    );
    assert_eq!(born["client-ca.key.age"].0, 0o600);
    let again = sandbox.run(&["pki", "init"]);
    assert_eq!(again.code, 0);
    assert!(again.stdout.contains("already"), "{}", again.stdout);
    assert_eq!(files(&sandbox.path("pki/main")), born);
    assert_eq!(files(&sandbox.path("pki/main")), born);
    assert_eq!(fs::read_dir(sandbox.path("pki")).unwrap().count(), 1, "something was left behind");
}

#[test]
fn half_a_pair_of_cas_is_never_completed() {
    let sandbox = Sandbox::with_site();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    for lost in ["client-ca.crt", "client-ca.key.age"] {
        fs::remove_file(sandbox.path("pki/main").join(lost)).unwrap();
        let ended = sandbox.run(&["pki", "init"]);
        let expected = if lost == "client-ca.crt" { (65, "git") } else { (65, "client CA") };
        assert_eq!(ended.code, expected.0, "{}", ended.stderr);
        assert!(!sandbox.path("pki/main").join(lost).exists());
    }
}

#[test]
fn plain_keys_are_loud() {
    let sandbox = Sandbox::with_site();
    let text = sandbox.read("quorate.toml");
    let start = text.find("recipients").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    sandbox.write("quorate.toml", &text.replace(&text[start..end], "plain-keys = true"));
    let ended = sandbox.run(&["-q", "pki", "init"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("NOT sealed"), "{}", ended.stderr);
    assert_eq!(files(&sandbox.path("pki/main"))["peer-ca.key"].0, 0o600);
}

#[test]
fn clusters_that_share_a_client_ca_have_one() {
    let sandbox = Sandbox::with_site();
    let more = "\n[clusters.events]\nversion = \"3.6.16\"\nmembers = [\"etcd-1\"]\n\
                client-ca = \"main\"\nports = { client = 3379, peer = 3380, metrics = 3381 }\n";
    sandbox.write("quorate.toml", &(sandbox.read("quorate.toml") + more));
    let ended = sandbox.run(&["pki", "init"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(sandbox.path("pki/events/peer-ca.crt").exists());
    assert!(!sandbox.path("pki/events/client-ca.crt").exists());
}

#[test]
fn a_client_certificate_needs_the_operators_key_and_overwrites_nothing() {
    let sandbox = Sandbox::with_site();
    fs::create_dir(sandbox.path(".ssh")).unwrap();
    let keygen = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "tester", "-f"])
        .arg(sandbox.path(".ssh/id_ed25519"))
        .status();
    assert!(keygen.unwrap().success());
    let own = sandbox.read(".ssh/id_ed25519.pub");
    let text = sandbox.read("quorate.toml").replace(crate::sandbox::RECIPIENT, own.trim());
    sandbox.write("quorate.toml", &text);
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);

    let arguments = ["client-cert", "--cn", "kube-apiserver", "--out", "client"];
    let ended = sandbox.run(&arguments);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("--etcd-servers=https://10.20.0.11:2379,"), "{}", ended.stdout);
    let written = files(&sandbox.path("client"));
    let names: Vec<&str> = written.keys().map(String::as_str).collect();
    assert_eq!(names, ["ca.crt", "kube-apiserver.crt", "kube-apiserver.key"]);
    assert_eq!(written["kube-apiserver.key"].0, 0o600);
    assert!(!ended.stdout.contains("PRIVATE"), "a key was printed");

    assert_eq!(sandbox.run(&arguments).code, 1);
    assert_eq!(files(&sandbox.path("client")), written);
    let other = sandbox.run(&["client-cert", "--cn", "other", "--out", "client"]);
    assert_eq!(other.code, 0, "{}", other.stderr);

    fs::rename(sandbox.path(".ssh"), sandbox.path("elsewhere")).unwrap();
    let locked = sandbox.run(&["client-cert", "--cn", "third", "--out", "client"]);
    assert_eq!(locked.code, 1);
    assert!(locked.stderr.contains("--identity"), "{}", locked.stderr);
    let key = ["--identity", "elsewhere/id_ed25519"];
    let opened =
        sandbox.run(&[&["client-cert", "--cn", "third", "--out", "client"], &key[..]].concat());
    assert_eq!(opened.code, 0, "{}", opened.stderr);
}

/// `validate` knows the certificates in pki/ and nothing of hosts. A CA that expires is named half a year before.
#[test]
fn validate_names_a_ca_that_ends_and_refuses_one_that_has_ended() {
    for (age, code, says) in [
        (3400, 0, None),
        (3475, 0, Some("the peer CA of main expires on ")),
        (3660, 65, Some("the client CA of main expired on ")),
    ] {
        let sandbox = Sandbox::with_site();
        let born = time::OffsetDateTime::now_utc() - time::Duration::days(age);
        for (kind, name) in [(CaKind::Peer, "peer-ca.crt"), (CaKind::Client, "client-ca.crt")] {
            let (site, cluster) = ("lab".parse().unwrap(), "main".parse().unwrap());
            let authority = CertificateAuthority::generate(kind, &site, &cluster, born).unwrap();
            sandbox.write(&format!("pki/main/{name}"), &authority.certificate().pem());
        }
        let ended = sandbox.run(&["validate"]);
        assert_eq!(ended.code, code, "{}", ended.stderr);
        match says {
            Some(says) => assert!(ended.stderr.contains(says), "{}", ended.stderr),
            None => assert_eq!(ended.stderr, ""),
        }
    }
}

/// A new key of this name, and its public half.
fn key(sandbox: &Sandbox, name: &str) -> String {
    let keygen = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
        .arg(sandbox.path(name))
        .status();
    assert!(keygen.unwrap().success());
    sandbox.read(&format!("{name}.pub")).trim().to_owned()
}

#[test]
fn a_colleague_who_joins_is_warned_of_and_opens_the_cas_after_a_reseal() {
    let sandbox = Sandbox::with_site();
    let (alice, bob) = (key(&sandbox, "alice"), key(&sandbox, "bob"));
    let site = sandbox.read("quorate.toml");
    let recipients = |who: &[&str]| {
        let quoted: Vec<String> = who.iter().map(|key| format!("{key:?}")).collect();
        let named = site.replace(&format!("{:?}", crate::sandbox::RECIPIENT), &quoted.join(", "));
        sandbox.write("quorate.toml", &named);
    };
    recipients(&[&alice]);
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    assert!(!sandbox.run(&["validate"]).stderr.contains("reseal"));
    let born = files(&sandbox.path("pki/main"));

    recipients(&[&alice, &bob]);
    let warned = sandbox.run(&["validate"]);
    let missing = "are not sealed for everyone whom [pki] recipients names";
    assert!(warned.code == 0 && warned.stderr.contains(missing), "{}", warned.stderr);
    let reseal = |who: &str| sandbox.run(&["pki", "reseal", "--identity", who]);
    let refused = reseal("bob");
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("recipients.txt"), "{}", refused.stderr);
    assert_eq!(files(&sandbox.path("pki/main")), born);
    assert_eq!(reseal("alice").code, 0);
    assert!(!sandbox.run(&["validate"]).stderr.contains("reseal"));
    let resealed = files(&sandbox.path("pki/main"));
    assert_eq!(resealed.keys().collect::<Vec<_>>(), born.keys().collect::<Vec<_>>());
    assert_eq!(resealed["peer-ca.crt"], born["peer-ca.crt"]);
    assert_eq!(resealed["peer-ca.key.age"].0, 0o600);
    let issue = ["client-cert", "--cn", "bob", "--out", "client", "--identity", "bob"];
    let issued = sandbox.run(&issue);
    assert_eq!(issued.code, 0, "{}", issued.stderr);

    // Nothing is written where nothing changes.
    assert!(reseal("alice").stdout.contains("before"));
    assert_eq!(files(&sandbox.path("pki/main")), resealed);

    recipients(&[&bob]);
    let warned = sandbox.run(&["validate"]);
    assert!(warned.stderr.contains("are still sealed for someone"), "{}", warned.stderr);
    assert_eq!(reseal("bob").code, 0);
    assert_eq!(reseal("alice").code, 0, "there is nothing to open");
    recipients(&[&alice, &bob]);
    assert_eq!(reseal("alice").code, 1);
}
