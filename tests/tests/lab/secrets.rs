//! No private key is ever where it could be read by accident: every key made in a run is searched
//! for wherever a program leaves traces.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use quorate_lab::Host;
use quorate_lab::site::Runtime;

use crate::harness::{Stage, Watch, here, on, options};

scenarios! {
    no_private_key_is_printed_logged_passed_or_left_behind,
}

/// Where a key may lie on a host, and nowhere else.
const HOME_OF_KEYS: &str = "/etc/etcd/main/pki/";

pub(crate) fn no_private_key_is_printed_logged_passed_or_left_behind(runtime: Runtime) {
    let stage = Stage::ready("x-secrets", 3, &options(runtime));
    // The inventory is older than every key, until it is edited.
    here("cp", &["-p", &path(&stage, "quorate.toml"), &path(&stage, "began")]);
    let watch = Watch::start();
    // What the watch can see, it is seen to see.
    let mut planted =
        Command::new("sleep").arg("31.4159").env("PLANTED", "a-secret").spawn().unwrap();
    stage.run(&["-v", "apply", "--yes"]).ends(0);
    stage.run(&["-v", "plan"]).ends(0);
    stage.run(&["plan", "--json"]).ends(0);
    stage.run(&["status", "--json"]).ends(0);
    stage.run(&["client-cert", "--cn", "api", "--out", "api"]).ends(0);
    stage.run(&["etcdctl", "--", "member", "list"]).ends(0);
    let first = keys(&stage).all;
    roll_with_new_certificates(&stage);
    fail_an_apply(&stage);
    let seen = watch.seen();
    planted.kill().unwrap();
    let _ = planted.wait();

    let mut keys = keys(&stage);
    keys.all.extend(first);
    assert!(keys.leaves.len() >= 9 && keys.all.len() > keys.leaves.len(), "{}", keys.all.len());
    let contains = |text: &[u8], part: &str| text.windows(part.len()).any(|w| w == part.as_bytes());

    assert!(seen.iter().any(|text| contains(text, "31.4159")), "arguments are seen");
    assert!(seen.iter().any(|text| contains(text, "PLANTED=a-secret")), "environments are seen");
    assert!(seen.iter().any(|text| contains(text, "apply\0--yes")), "quorate is seen");
    assert!(seen.iter().any(|text| contains(text, "--initial-cluster")), "hosts are seen");
    for key in &keys.all {
        let hits: Vec<_> = seen
            .iter()
            .filter(|text| contains(text, key))
            .map(|t| String::from_utf8_lossy(t))
            .collect();
        assert!(hits.is_empty(), "in an argument list or an environment: {hits:?}");
        assert!(!stage.said().contains(key.as_str()), "printed");
    }
    for host in stage.hosts() {
        on_host(&host, &keys.all);
    }
    // The operator's side holds CAs and the client's key, and no member's.
    assert_eq!(holders(&stage, &keys.leaves), BTreeSet::new(), "on this machine");
    assert_ne!(holders(&stage, &keys.all), BTreeSet::new(), "the search finds what is there");
}

/// Every member gets other certificates and is restarted.
fn roll_with_new_certificates(stage: &Stage) {
    stage.edit(|text| {
        let text = text.replace("ssh.host-key", "sans = [\"etcd.example\"]\nssh.host-key");
        text.replace("\n[pki]", "\n[clusters.main.etcd]\nsnapshot-count = 5000\n\n[pki]")
    });
    stage.run(&["-v", "plan", "--diff"]).ends(0).says("etcd.example");
    stage.run(&["-v", "apply", "--yes", "--json"]).ends(0);
    stage.run(&["history"]).ends(0);
}

/// The certificates of one host are there already when its next step fails, and the next apply
/// repairs it.
fn fail_an_apply(stage: &Stage) {
    let host = stage.host(2);
    stage.stop(2);
    on(&host, "rm -rf /etc/etcd/main/pki && chmod -x /opt/quorate/etcd/3.6.16/etcd");
    // The release is put right by the apply; what it can't get past is a directory in the way.
    let rendered = stage.rendered();
    on(&host, &format!("rm -f {rendered} && mkdir -p {rendered}/x"));
    let failed = stage.run(&["-v", "apply", "--yes"]);
    assert_ne!(failed.code, Some(0), "{}", failed.text());
    on(&host, &format!("rm -r {rendered}"));
    stage.run(&["apply", "--yes"]).ends(0);
    stage.expect_nothing_to_do();
}

fn path(stage: &Stage, name: &str) -> String {
    stage.folder().join(name).display().to_string()
}

struct Keys {
    /// Lines that only a private key has: leaves of the members, now and before, CAs, the client's.
    all: Vec<String>,
    /// Those of the members alone.
    leaves: Vec<String>,
}

fn keys(stage: &Stage) -> Keys {
    let mut leaves = Vec::new();
    for host in stage.hosts() {
        leaves.extend(body(&on(
            &host,
            &format!("find {HOME_OF_KEYS} -name '*.key' -exec cat {{}} +"),
        )));
    }
    let mut all = leaves.clone();
    for folder in ["pki/main", "api"] {
        for entry in fs::read_dir(stage.folder().join(folder)).unwrap().flatten() {
            if entry.path().extension().is_some_and(|kind| kind == "key") {
                all.extend(body(&fs::read_to_string(entry.path()).unwrap()));
            }
        }
    }
    Keys { all, leaves }
}

/// The lines of a PEM text that tell one key from another. The first line of a P-256 key in PKCS#8
/// begins like every other's, and continues with the secret.
fn body(pem: &str) -> Vec<String> {
    pem.lines()
        .filter(|line| !line.starts_with("-----") && line.len() > 40)
        .map(str::to_owned)
        .collect()
}

fn on_host(host: &Host, keys: &[String]) {
    let mut ssh = host.ssh_command(quorate_lab::ssh::User::Root).unwrap();
    let script = "cat > /run/patterns; journalctl --no-pager -o export > /run/journal; \
                  grep -rlaF -D skip -f /run/patterns /etc /var /opt /usr/local /home /root /tmp /srv /run \
                  /dev/shm 2>/dev/null; rm -f /run/patterns /run/journal";
    let mut child =
        ssh.arg("--").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let text = keys.join("\n") + "\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let (home, elsewhere): (Vec<&str>, Vec<&str>) = found
        .lines()
        .filter(|path| *path != "/run/patterns")
        .partition(|path| path.starts_with(HOME_OF_KEYS));
    assert!(home.len() >= 3, "the search finds what is there: {found}");
    assert_eq!(elsewhere, [""; 0], "{}", host.name());
}

/// The files that were written on this machine since the run began and hold one of the texts.
fn holders(stage: &Stage, texts: &[String]) -> BTreeSet<String> {
    let patterns = stage.folder().join("patterns");
    fs::write(&patterns, texts.join("\n") + "\n").unwrap();
    let script = "find /tmp /var/tmp /dev/shm /run -xdev -newer \"$1\" -type f -size -4M -print0 \
                  2>/dev/null | xargs -0 -r grep -laF -f \"$2\" -- 2>/dev/null; true";
    let (since, patterns) = (path(stage, "began"), patterns.display().to_string());
    let found = here("sh", &["-c", script, "sh", &since, &patterns]);
    found.lines().filter(|path| **path != *patterns).map(str::to_owned).collect()
}
