//! The flag table against the real binaries, which the lab keeps or builds: what the table says that
//! a version takes, it takes; what a version has, the table knows.

#![cfg(feature = "lab")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use inventories::EtcdVersion;
use quorate_lab::releases;
use templates::flags::{self, Kind};

/// One version of each line.
const VERSIONS: [releases::Version; 4] = [
    releases::Version::new(3, 4, 23),
    releases::Version::new(3, 5, 35),
    releases::Version::new(3, 6, 16),
    releases::Version::new(3, 7, 3),
];

/// With it etcd reads a file and ignores every other flag.
const CONFIG_FILE: &str = "config-file";

struct Binary {
    version: EtcdVersion,
    program: PathBuf,
}

fn binaries() -> [Binary; 4] {
    let arch = releases::architecture().expect("an architecture");
    VERSIONS.map(|version| Binary {
        version: version.to_string().parse().expect("a version of the table"),
        program: releases::ensure_binaries(version, &arch, |_| {})
            .unwrap_or_else(|error| panic!("etcd {version} can't be had: {error}"))
            .join("etcd"),
    })
}

impl Binary {
    /// etcd parses all flags before it does what `--version` asks.
    fn parse(&self, flags: &[String]) -> Output {
        let mut command = Command::new(&self.program);
        command.args(flags).arg("--version").env_clear();
        command.output().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()))
    }

    fn takes(&self, flags: &[String]) -> bool {
        self.parse(flags).status.success()
    }

    fn flags(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        let all = flags::all(self.version).map(|(name, kind, _)| (name, kind));
        all.filter(|(name, _)| *name != CONFIG_FILE)
    }

    fn refused(&self, flags: &[String]) -> Vec<String> {
        let words = |flag: &String| {
            let output = self.parse(std::slice::from_ref(flag));
            let says = String::from_utf8_lossy(&output.stderr).lines().next().map(str::to_owned);
            let refusal = format!("etcd {} {flag}: {}", self.version, says.unwrap_or_default());
            (!output.status.success()).then_some(refusal)
        };
        flags.iter().filter_map(words).collect()
    }
}

/// Values that the table allows for a kind, each of its words among them.
fn allowed(kind: Kind) -> Vec<String> {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    match kind {
        Kind::Bool => list(&["true", "false"]),
        Kind::Number { from, to } => vec![from.to_string(), to.to_string()],
        Kind::Duration => list(&["100ms", "1h30m"]),
        Kind::Retention => list(&["8h", "8"]),
        Kind::Choice(words) => list(words),
        Kind::Gates(gates) => gates.iter().map(|gate| format!("{gate}=true")).collect(),
        Kind::Urls => list(&["http://a:1,https://[fd00::1]:443"]),
        Kind::Text => list(&["x"]),
    }
}

/// Values that the table refuses because etcd's own flag parser does.
fn forbidden(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Bool => &["maybe"],
        Kind::Number { .. } => &["x", "1.5"],
        Kind::Duration => &["10", "x"],
        Kind::Gates(_) => &["Nope=true"],
        Kind::Retention | Kind::Choice(_) | Kind::Urls | Kind::Text => &[],
    }
}

#[test]
fn every_flag_of_the_table_is_taken_by_its_version() {
    let mut refused = Vec::new();
    for binary in binaries() {
        for round in 0.. {
            let nth = |(name, kind)| Some(format!("--{name}={}", allowed(kind).get(round)?));
            let flags: Vec<String> = binary.flags().filter_map(nth).collect();
            if flags.is_empty() {
                break;
            }
            if !binary.takes(&flags) {
                refused.extend(binary.refused(&flags));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn what_the_table_refuses_by_kind_etcd_refuses_too() {
    let mut taken = Vec::new();
    for binary in binaries() {
        for (name, kind) in binary.flags() {
            let flags = forbidden(kind).iter().map(|value| format!("--{name}={value}"));
            let wrong = flags.filter(|flag| binary.takes(std::slice::from_ref(flag)));
            taken.extend(wrong.map(|flag| format!("etcd {} takes {flag}", binary.version)));
        }
    }
    assert!(taken.is_empty(), "{}", taken.join("\n"));
}

#[test]
fn every_flag_of_a_version_is_in_the_table() {
    let mut missing = Vec::new();
    for binary in binaries() {
        let known: BTreeSet<&str> = flags::all(binary.version).map(|(name, ..)| name).collect();
        let help = Command::new(&binary.program).arg("--help").env_clear().output().unwrap();
        let help = [help.stdout, help.stderr].concat();
        let help = String::from_utf8_lossy(&help);
        let shown: BTreeSet<&str> = help.lines().filter_map(flag_in).collect();
        assert!(shown.len() > 50, "etcd {} shows no flags: {help}", binary.version);
        // 3.7 still explains flags that it has no longer.
        let gone = |name: &str| {
            let output = binary.parse(&[format!("--{name}=x")]);
            String::from_utf8_lossy(&output.stderr).contains("provided but not defined")
        };
        let unknown = shown.difference(&known).filter(|name| !gone(name));
        missing.extend(unknown.map(|name| format!("etcd {} has --{name}", binary.version)));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The flag that a line of etcd's help begins with.
fn flag_in(line: &str) -> Option<&str> {
    let flag = line.trim_start().strip_prefix("--")?;
    let end = flag.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(flag.len());
    Some(&flag[..end]).filter(|name| !name.is_empty())
}
