//! What must stay absent, so that the design holds. Each test is one invariant; ARCHITECTURE.md
//! names them.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates of the product, each with those of the workspace that it may depend on.
const ARROW: [(&str, &str, &[&str]); 7] = [
    ("inventories", "inventories", &[]),
    ("templates", "templates", &["inventories"]),
    ("pki", "pki", &["inventories"]),
    ("planner", "planner", &["inventories", "pki", "templates"]),
    ("cli/remote", "remote", &[]),
    ("cli/engine", "engine", &["inventories", "pki", "planner", "remote", "templates"]),
    ("cli", "quorate", &["engine", "inventories", "pki", "planner", "remote", "templates"]),
];

/// Dependencies point one way: `inventories <- {templates, pki} <- planner <- engine <- cli <- tests`, and
/// `remote <- engine`.
#[test]
fn dependencies_point_one_way() {
    let others = ["quorate-lab", "quorate-tests", "test-kit"];
    let ours: Vec<&str> = ARROW.iter().map(|(_, name, _)| *name).chain(others).collect();
    for (_, name, allowed) in ARROW {
        let tree = dependencies(name, &["--depth", "1"]);
        let used = tree.iter().map(String::as_str).filter(|used| ours.contains(used));
        let wrong: Vec<&str> =
            used.filter(|used| *used != name && !allowed.contains(used)).collect();
        assert!(wrong.is_empty(), "{name} depends on {wrong:?}");
    }
}

/// Folders of the engine, each with those that it may use.
const ENGINE: [(&str, &[&str]); 10] = [
    ("etcd", &[]),
    ("release", &[]),
    ("pool", &[]),
    ("script", &["etcd"]),
    ("lock", &["pool", "script"]),
    ("observe", &["etcd", "lock", "pool", "script"]),
    ("backups", &["etcd", "pool", "script", "sessions"]),
    ("sessions", &["etcd", "lock", "pool", "script"]),
    ("steps", &["backups", "etcd", "lock", "pool", "release", "script", "sessions"]),
    (
        "ssh_hosts",
        &["backups", "lock", "observe", "pool", "release", "script", "sessions", "steps"],
    ),
];

/// Inside the engine too: no two folders use each other.
#[test]
fn folders_of_the_engine_point_one_way() {
    let src = root().join("cli/engine/src");
    for (path, text) in sources(&["cli/engine"]) {
        let folder = path.strip_prefix(&src).ok().and_then(|inside| inside.iter().next());
        let folder = folder.map(|name| Path::new(name).with_extension("")).unwrap_or_default();
        let Some((name, allowed)) = ENGINE.iter().find(|(name, _)| folder == Path::new(name))
        else {
            continue;
        };
        for (other, _) in ENGINE {
            let uses = |end: &str| text.contains(&format!("crate::{other}{end}"));
            let may = other == *name || allowed.contains(&other);
            assert!(may || !(uses("::") || uses(";")), "{} uses {other}", path.display());
        }
    }
}

/// Decisions never wait: nothing below the command line brings a runtime or a network.
#[test]
fn only_the_command_line_knows_a_runtime_or_a_network() {
    for name in ["inventories", "templates", "pki", "planner"] {
        for used in dependencies(name, &[]) {
            let heavy = ["tokio", "mio", "async-std", "ssh2", "libssh2-sys", "ureq", "hyper"];
            assert!(!heavy.contains(&used.as_str()), "{name} brings {used}");
        }
    }
}

/// The planner is a pure function: no file, no clock, no randomness, no process, no environment.
#[test]
fn the_planner_touches_no_world() {
    let banned = ["now_utc", "now_local", "getrandom", "rand::", "tokio", "ssh2"];
    assert_absent(&["planner"], &[&WORLD[..], &banned].concat());
}

/// Parsing, rendering and issuing take text and give text: what they read is handed to them.
#[test]
fn inventories_templates_and_pki_read_nothing_by_themselves() {
    assert_absent(&["inventories", "templates", "pki"], &[&WORLD[..], &["now_utc"]].concat());
}

/// What reaches into the world around a program.
const WORLD: [&str; 8] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::net::Tcp",
    "std::net::ToSocketAddrs",
    "SystemTime",
    "Instant",
    "std::thread",
];

/// The engine emits events; one file writes to the terminal.
#[test]
fn only_one_file_prints() {
    let printing =
        ["io::stdout", "io::stderr", "println!", "eprintln!", "print!(", "clippy::print"];
    for (path, text) in sources(&product_folders()) {
        let found = printing.iter().find(|word| text.contains(**word));
        assert!(found.is_none() || path.ends_with("cli/src/terminal.rs"), "{path:?}: {found:?}");
    }
}

/// A host's paths are spelled once, so that a layout can be changed and searched.
#[test]
fn host_paths_are_spelled_in_one_file() {
    let roots = [
        "\"/opt/quorate",
        "\"/etc/etcd",
        "\"/etc/systemd",
        "\"/var/lib/quorate",
        "\"/var/lib/etcd",
    ];
    for (path, text) in sources(&product_folders()) {
        let found = roots.iter().find(|root| text.contains(**root));
        assert!(
            found.is_none()
                || path.ends_with("templates/src/layout.rs")
                || path.ends_with("templates/src/layout/apiserver.rs"),
            "{path:?}: {found:?}"
        );
    }
}

/// Only the shell scripts of the engine act on a host, and the planner never writes a line of shell.
#[test]
fn the_planner_writes_no_shell() {
    assert_absent(&["planner", "templates", "inventories", "pki"], &["sh -c", "#!/bin/", "&&\""]);
}

/// A private key has no text: it can't be printed, logged or stored by accident.
#[test]
fn secrets_have_no_text() {
    // Fails to compile where one of them can be displayed: then two `speaks` would fit.
    trait Mute<Proof> {
        fn speaks() {}
    }
    struct Displayed;
    impl<T: ?Sized> Mute<()> for T {}
    impl<T: ?Sized + Display> Mute<Displayed> for T {}
    <pki::KeyPem as Mute<_>>::speaks();
    <pki::CaKey as Mute<_>>::speaks();
    for (path, text) in sources(&["pki"]) {
        if path.ends_with("pki/src/secret.rs") || path.ends_with("pki/src/seal/identity.rs") {
            for word in ["Serialize", "Display for", "derive(Debug", "derive(Clone"] {
                let derives_for_errors = word == "derive(Debug" || word == "derive(Clone";
                let secret = text.split(word).skip(1).any(|after| {
                    let item = after.split(['{', ';']).next().unwrap_or_default();
                    !derives_for_errors || item.contains("struct")
                });
                assert!(!secret, "{path:?} has {word}");
            }
        }
    }
}

/// A plan, an event and a fact hold no secret: their crate does not know the types.
#[test]
fn plans_hold_no_secret() {
    assert_absent(&["planner"], &["KeyPem", "CaKey", "Passphrase", "expose("]);
}

/// Every crate obeys the lints of the workspace, among them that unsafe code is forbidden.
#[test]
fn every_crate_obeys_the_lints_of_the_workspace() {
    for folder in product_folders().into_iter().chain(["tests", "tests/kit", "tests/lab"]) {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml"));
        let manifest = manifest.unwrap_or_else(|error| panic!("{folder}: {error}"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{folder}");
    }
    let workspace = std::fs::read_to_string(root().join("Cargo.toml"));
    assert!(workspace.is_ok_and(|text| text.contains("unsafe_code = \"forbid\"")));
}

/// A file of the product holds one idea; past 400 lines it holds two.
#[test]
fn files_stay_short() {
    let folders: Vec<&str> = product_folders().into_iter().chain(["tests/lab"]).collect();
    let long: Vec<String> = sources(&folders)
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 400)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// Where the crates of the product are.
fn product_folders() -> Vec<&'static str> {
    ARROW.iter().map(|(folder, _, _)| *folder).collect()
}

/// The names of the packages that a crate is built with, as cargo resolves them.
fn dependencies(of: &str, more: &[&str]) -> Vec<String> {
    let arguments =
        ["tree", "--offline", "-p", of, "-e", "normal", "--prefix", "none", "-f", "{p}"];
    let output =
        Command::new(env!("CARGO")).args(arguments).args(more).current_dir(root()).output();
    let output = output.unwrap_or_else(|error| panic!("cargo: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let names: Vec<String> =
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert_eq!(names.first().map(String::as_str), Some(of), "{text}");
    names
}

fn assert_absent(crates: &[&str], words: &[&str]) {
    for (path, text) in sources(crates) {
        for (number, line) in (1..).zip(text.lines()) {
            let found = words.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{}:{number}: {found:?}", path.display());
        }
    }
}

/// Every source file of these crates without comments and tests.
fn sources(crates: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for name in crates {
        collect(&root().join(name).join("src"), &mut found);
    }
    assert!(found.len() > crates.len(), "the sources are not where they were");
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    let entries = std::fs::read_dir(folder);
    for entry in entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests" || stem == "test_server");
        if path.is_dir() && !is_test {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            let text = std::fs::read_to_string(&path);
            let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.push((path, product(&text)));
        }
    }
}

/// The text up to its unit tests, comments taken out line by line so that lines keep their numbers.
fn product(text: &str) -> String {
    let before = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let uncommented = |line: &str| {
        if line.trim_start().starts_with("//") { "\n".to_owned() } else { format!("{line}\n") }
    };
    before.lines().map(uncommented).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
