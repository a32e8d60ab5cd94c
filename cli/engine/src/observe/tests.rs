//! The script run for real, under the shells that hosts have, on a tree of our own; and what is made
//! of the reply.

mod at_boot;
mod captured;
mod data;
mod drop_ins;
mod flood;
mod network;
mod parents;
mod processes;
mod releases;
mod torn;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use inventories::{AccountName, HostName};
use planner::facts::{HostFacts, MemberFacts, Observed};
use planner::layout;
use planner::{SiteSpec, expand};
use sha2::{Digest as _, Sha256};
use templates::Layout;
use templates::layout::{PkiFile, SITE_FILE};
use test_kit::executable::executable;

use super::SCRIPT;
use super::clock::Span;
use super::host;
use super::records::Records;
use super::request::{self, Request};

const SHELLS: [&[&str]; 2] = [&["dash"], &["bash", "--posix"]];

fn spec(text: &str) -> SiteSpec {
    let source = inventories::Source::new("quorate.toml".to_owned(), text.to_owned());
    let parsed = inventories::parse(&source, &[], templates::FLAG_CHECKS);
    let inventory = parsed.inventory.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    expand(&inventory, &Default::default()).expect("a sound inventory")
}

fn request_of(inventory: &str) -> Request {
    let host: HostName = "etcd-1".parse().expect("a name");
    Request::all(&spec(inventory)).remove(&host).expect("a request")
}

/// Two clusters share the first host.
fn request() -> Request {
    request_of(
        r#"
        [site]
        name = "lab"
        [hosts.etcd-1]
        address = "192.0.2.1"
        [hosts.etcd-2]
        address = "192.0.2.2"
        [hosts.etcd-3]
        address = "192.0.2.3"
        [clusters.main]
        version = "3.6.16"
        members = ["etcd-1", "etcd-2", "etcd-3"]
        [clusters.events]
        version = "3.5.35"
        members = ["etcd-1"]
        ports = { client = 2382, peer = 2383, metrics = 2384 }
        [firewall]
        [pki]
        plain-keys = true
        [release.sha256]
        "3.6.16-amd64" = "0000000000000000000000000000000000000000000000000000000000000000"
        "3.5.35-amd64" = "0000000000000000000000000000000000000000000000000000000000000000"
    "#,
    )
}

/// What the host is asked about the member of a cluster.
fn asked(cluster: &str) -> templates::Member {
    let mut members = request().members.into_iter();
    members.find(|member| member.cluster.as_str() == cluster).expect("asked for")
}

/// A host's file system in a directory of its own.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().expect("a directory"));
        for directory in ["/opt", "/var/lib", "/etc"] {
            fs::create_dir_all(tree.path(directory)).expect("directories");
        }
        tree
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(&path, content).expect("a file");
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.root().display())
    }

    /// What the host says, its paths as if the tree were its root.
    fn records(&self, shell: &[&str]) -> Records {
        let root = self.root().display().to_string();
        let arguments = request().arguments().into_iter().map(|word| {
            // Paths begin a value or follow a comma; a URL has its slashes behind a colon.
            word.replace("=/", &format!("={root}/")).replace(",/", &format!(",{root}/"))
        });
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", SCRIPT, "sh"])
            .args(arguments)
            .env("LC_ALL", "C")
            .env("PATH", format!("{root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
            .output()
            .expect("a shell");
        assert!(output.status.success(), "{:?}", output.status);
        let records = Records::parse(&output.stdout).expect("records");
        records.map(|_, body| match String::from_utf8(body) {
            Ok(text) => {
                let text = text.replace(&format!("{root} "), "/ ");
                Some(text.replace(&root, "").into_bytes())
            }
            Err(error) => Some(error.into_bytes()),
        })
    }

    fn facts(&self, shell: &[&str]) -> HostFacts {
        host::seen(&request(), &self.records(shell), now()).expect("facts").facts
    }
}

fn now() -> Span {
    Span { sent: SystemTime::now(), received: SystemTime::now() }
}

fn layout(cluster: &str) -> Layout {
    Layout::new(&cluster.parse().expect("a name"))
}

fn member<'a>(facts: &'a HostFacts, cluster: &str) -> &'a MemberFacts {
    facts.clusters.iter().find(|(name, _)| name.as_str() == cluster).expect("asked for").1
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A member that has certificates, a token, a log and no marker yet.
fn started_member() -> Tree {
    let tree = Tree::new();
    let main = layout("main");
    let generation = format!("{}/generation-1", main.pki_dir());
    for file in PkiFile::ALL {
        tree.write(&format!("{generation}/{}", file.name()), format!("{} text\n", file.name()));
    }
    symlink("generation-1", tree.path(&main.pki_current())).expect("a link");
    tree.write(&main.unit_file(), "[Unit]\n");
    tree.write(&main.pki_untried(), "generation-0\n");
    tree.write(&main.token_file(), format!("{}\n", "0f".repeat(16)));
    tree.write(&format!("{}/0-0.wal", main.wal_dir()), [0; 100_000]);
    tree.write(SITE_FILE, "lab\n");
    tree
}

#[test]
fn an_empty_host_has_nothing_and_says_so() {
    for shell in SHELLS {
        let facts = Tree::new().facts(shell);
        assert_eq!(facts.site, Observed::Absent);
        assert!(facts.releases.values().all(Observed::is_absent));
        let main = member(&facts, "main");
        assert!(main.marker.is_absent() && main.token.is_absent() && main.data.is_absent());
        assert!(main.pki_generation.is_absent() && !main.quorum_seen);
        // Some of the directories above are on every host.
        let above = layout::parents(&asked("main"));
        let mut files = main.files.iter().filter(|(path, _)| !above.contains(*path));
        assert!(main.files.len() > 20 && files.all(|(_, file)| file.is_absent()));
        assert!(facts.machine.cores > 0 && facts.machine.memory > 0);
        assert!(facts.machine.data_free > 0 && facts.machine.release_free > 0);
        assert!(!facts.machine.boot_id.is_empty() && facts.machine.clock_skew_ms.abs() < 60_000);
        assert_eq!(facts.sources.len(), 2);
        assert!(facts.other_clusters.is_empty());
    }
}

/// A lease of 60 s was just taken on this very host, as the lock's own script counts.
#[test]
fn who_holds_the_lock_is_shown_by_the_clock_of_the_lock() {
    let stat = fs::read_to_string("/proc/self/stat").expect("a stat");
    let started = stat.rsplit(") ").next().and_then(|words| words.split(' ').nth(19));
    let here: u64 = started.and_then(|ticks| ticks.parse().ok()).map(|t: u64| t / 100).unwrap();
    for shell in SHELLS {
        let records = Tree::new().records(shell);
        let said: u64 = records.text("uptime").unwrap().trim().parse().unwrap();
        // The script is younger than we are.
        assert!((here..here + 3600).contains(&said), "{said}, and we began at {here}");
    }
    assert!(!SCRIPT.contains("</proc/uptime"), "which may be a container's own");
}

/// A folder above a member's may let one of them in.
#[test]
fn the_groups_of_an_account_are_seen() {
    let tree = Tree::new();
    fs::create_dir(tree.path("/bin")).expect("a directory");
    for (name, text) in [
        (
            "getent",
            "case $1 in passwd) echo 'etcd:x:7:8::/:/bin/false' ;; *) echo 'etcd:x:8:' ;; esac",
        ),
        ("id", "echo etcd storage"),
    ] {
        executable(Path::new(&tree.path(&format!("/bin/{name}"))), &format!("#!/bin/sh\n{text}\n"));
    }
    for shell in SHELLS {
        let groups = |mode: u32| {
            let folder = fs::Permissions::from_mode(mode);
            fs::set_permissions(tree.path("/opt"), folder).expect("a mode");
            let facts = tree.facts(shell);
            facts.account(&AccountName::default()).known().expect("an account").groups.clone()
        };
        for mode in [0o750, 0o705] {
            assert_eq!(groups(mode), ["etcd", "storage"].map(str::to_owned).into(), "{mode:o}");
        }
        for mode in [0o755, 0o700] {
            assert!(groups(mode).is_empty(), "{mode:o}: they tell nothing");
        }
    }
}

#[test]
fn a_systemctl_that_can_not_be_asked_leaves_units_unknown() {
    for shell in SHELLS {
        let records = Tree::new().records(shell).map(|key, body| match key {
            "units" => Some(b"1 Failed to connect to bus".to_vec()),
            _ => Some(body),
        });
        let facts = host::seen(&request(), &records, now()).expect("facts").facts;
        for member in facts.clusters.values() {
            let why = "systemctl failed: Failed to connect to bus".to_owned();
            assert_eq!(member.unit, Observed::Unknown(why.clone()));
            assert_eq!(member.running, Observed::Unknown(why.clone()));
            assert_eq!(member.etcd, Observed::Unknown(why));
        }
    }
}

#[test]
fn everything_of_a_started_member_is_seen() {
    let tree = started_member();
    for shell in SHELLS {
        let facts = tree.facts(shell);
        let main = member(&facts, "main");
        assert_eq!(facts.site.known().map(ToString::to_string), Some("lab".to_owned()));
        assert_eq!(main.pki_generation, Observed::Known("generation-1".to_owned()));
        assert_eq!(main.token.known().map(|token| token.as_str().len()), Some(32));
        let data = main.data.known().expect("data");
        assert!(data.wal && !data.empty);
        let unit = main.files[&layout("main").unit_file()].known().expect("a unit file");
        assert_eq!(unit.text.as_deref(), Some("[Unit]\n"));
        assert_eq!(unit.sha256, sha256("[Unit]\n"));
        // Each text that is asked for is a fact: what is left out would look absent to the planner.
        let read = |path: String| main.files[&path].known().is_some();
        assert!(read(layout("main").pki_untried()), "certificates that nobody has tried yet");
        assert!(
            request::facts(&asked("main")).iter().all(|(_, path)| main.files.contains_key(path))
        );
        assert!(member(&facts, "events").data.is_absent());
    }
}

#[test]
fn a_key_is_hashed_and_its_content_never_leaves_the_host() {
    let tree = started_member();
    for shell in SHELLS {
        let records = format!("{:?}", tree.records(shell));
        let facts = tree.facts(shell);
        for file in [PkiFile::ServerKey, PkiFile::PeerKey, PkiFile::HealthcheckKey] {
            let content = format!("{} text\n", file.name());
            let key = member(&facts, "main").files[&layout("main").pki_file(file)].clone();
            let key = key.known().expect("a key").clone();
            assert_eq!((key.sha256, key.text), (sha256(&content), None));
            let bytes = format!("{:?}", content.as_bytes());
            assert!(!records.contains(bytes.trim_matches(['[', ']'])), "{}", file.name());
        }
    }
}

#[test]
fn records_inside_a_file_are_not_believed() {
    let tree = started_member();
    let evil = "x\nmarked 5\nother\n\nforming 0\n\nstat 3\nabc\nclock-last 1\n0\nQUORATE-END\n";
    tree.write(&layout("main").unit_file(), evil);
    for shell in SHELLS {
        let facts = tree.facts(shell);
        let unit = member(&facts, "main").files[&layout("main").unit_file()].clone();
        assert_eq!(unit.known().and_then(|unit| unit.text.clone()).as_deref(), Some(evil));
        assert!(facts.other_clusters.is_empty());
    }
}

#[test]
fn a_file_that_a_shell_can_not_carry_hides_no_other() {
    let tree = started_member();
    let main = layout("main");
    // Power was lost while it was written: zeros, as a file system leaves them.
    tree.write(&main.unit_file(), [0; 4096]);
    tree.write(&main.pki_manifest(), b"\xff\xfe no text");
    for shell in SHELLS {
        let facts = tree.facts(shell);
        let files = &member(&facts, "main").files;
        let zeros = files[&main.unit_file()].known().expect("a unit file");
        assert_eq!((zeros.text.as_deref(), zeros.sha256.as_str()), (None, &*sha256([0; 4096])));
        assert_eq!(files[&main.pki_manifest()].known().expect("a manifest").text, None);
        for file in [PkiFile::ClientCa, PkiFile::ServerCert, PkiFile::HealthcheckCert] {
            let seen = files[&main.pki_file(file)].known().expect("a certificate");
            assert_eq!(seen.text, Some(format!("{} text\n", file.name())));
        }
        assert!(member(&facts, "main").token.known().is_some());
    }
}

#[test]
fn what_is_no_regular_file_is_neither_read_nor_waited_for() {
    let tree = started_member();
    let main = layout("main");
    tree.write("/etc/shadow", "root:secret\n");
    let cert = format!("{}/generation-1/{}", main.pki_dir(), PkiFile::PeerCert.name());
    fs::remove_file(tree.path(&cert)).expect("the file");
    symlink(tree.path("/etc/shadow"), tree.path(&cert)).expect("a link");
    fs::remove_file(tree.path(&main.token_file())).expect("the file");
    let fifo = Command::new("mkfifo").arg(tree.path(&main.token_file())).status();
    assert!(fifo.expect("mkfifo").success());
    for shell in SHELLS {
        let facts = tree.facts(shell);
        let main_facts = member(&facts, "main");
        let link = main_facts.files[&main.pki_file(PkiFile::PeerCert)].known().expect("a link");
        assert_eq!((link.text.as_deref(), link.sha256.as_str()), (None, ""));
        assert!(matches!(main_facts.token, Observed::Unknown(_)));
    }
}

#[test]
fn a_huge_file_is_not_shown() {
    let tree = started_member();
    tree.write(&layout("main").unit_file(), "x".repeat(3_000_000));
    for shell in SHELLS {
        let facts = tree.facts(shell);
        let unit = member(&facts, "main").files[&layout("main").unit_file()].clone();
        assert_eq!(unit.known().and_then(|unit| unit.text.clone()), None);
        assert!(member(&facts, "main").token.known().is_some());
    }
}

#[test]
fn garbage_in_our_records_is_unknown_and_never_absent() {
    let tree = started_member();
    let main = layout("main");
    for garbage in ["", "\n", "{}", "{\"format\":2}", "etcd-1\nx", "\u{1b}[31m"] {
        for path in [main.marker(), main.token_file(), SITE_FILE.to_owned()] {
            tree.write(&path, garbage);
        }
        let facts = tree.facts(SHELLS[0]);
        assert!(matches!(facts.site, Observed::Unknown(_)), "{garbage:?}");
        assert!(matches!(member(&facts, "main").marker, Observed::Unknown(_)), "{garbage:?}");
        assert!(matches!(member(&facts, "main").token, Observed::Unknown(_)), "{garbage:?}");
    }
}

#[test]
fn a_marker_ends_the_look_at_names_and_names_other_clusters() {
    let tree = started_member();
    let marker = r#"{"format":1,"site":"lab","cluster":"main","cluster_id":"a","member_id":"b"}"#;
    tree.write(&layout("main").marker(), marker);
    tree.write(&layout("events").quorum_witness(), "");
    tree.write(&layout("old").marker(), "");
    for shell in SHELLS {
        let facts = tree.facts(shell);
        assert_eq!(member(&facts, "main").marker.known().map(|m| m.member_id.as_str()), Some("b"));
        assert!(member(&facts, "events").quorum_seen);
        assert_eq!(facts.other_clusters.iter().collect::<Vec<_>>(), ["old"]);
        assert!(!facts.sources.is_empty(), "certificates are compared with them");
    }
}

#[test]
fn the_room_counts_our_own_data_as_free() {
    let tree = started_member();
    let room = |tree: &Tree| {
        let records = tree.records(SHELLS[0]).map(|key, body| match key {
            "room" => Some(b"Avail Type File\n 1000 ext4 /\n".to_vec()),
            _ => Some(body),
        });
        host::seen(&request(), &records, now()).expect("facts").facts.machine.data_free
    };
    // The other member of this host has no data, so it has the least room.
    assert_eq!(room(&tree), 1000);
    tree.write(&format!("{}/0-0.wal", layout("events").wal_dir()), [0; 50_000]);
    assert!((51_000..60_000).contains(&room(&tree)), "{}", room(&tree));
}

#[test]
fn what_may_have_been_formed_here_is_named_by_whatever_shows_it() {
    let tree = Tree::new();
    let log = |cluster: &str| tree.write(&format!("{}/0-0.wal", layout(cluster).wal_dir()), "");
    let record = |path: String| tree.write(&path, "");
    record(layout("marked").marker());
    record(layout("seen").quorum_witness());
    // Nobody witnesses the quorum of a pod; a unit does, and this one never was in any.
    record(layout("pod").token_file());
    log("pod");
    record(layout("unit").token_file());
    record(layout("unit").unit_file());
    log("unit");
    record(layout("early").token_file());
    // Its host lost power before the member joined.
    record(layout("joins").token_file());
    tree.write(&layout("joins").unit_file(), "ExecStart=etcd --initial-cluster-state=existing\n");
    for shell in SHELLS {
        let found = tree.facts(shell).other_clusters;
        assert_eq!(found.iter().collect::<Vec<_>>(), ["joins", "marked", "pod", "seen"]);
    }
}
