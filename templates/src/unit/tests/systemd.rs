//! What systemd itself says of our units, where the machine has one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::*;
use crate::layout::ReleaseLayout;

const ANALYZE: &str = "/usr/bin/systemd-analyze";
const MANAGER: &str = "/lib/systemd/systemd";

/// A folder with one unit in it, gone when dropped.
struct UnitDir(PathBuf);

impl UnitDir {
    fn with(name: &str, text: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("quorate-unit-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("etcd-main.service"), text).unwrap();
        Self(dir)
    }

    fn unit(&self) -> PathBuf {
        self.0.join("etcd-main.service")
    }
}

impl Drop for UnitDir {
    fn drop(&mut self) {
        // Best effort: a folder left in the temporary directory fails nothing.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn is_missing(program: &str) -> bool {
    let missing = !Path::new(program).exists();
    if missing {
        println!("skipped: this machine has no {program}");
    }
    missing
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[test]
fn the_exposure_is_at_most_1_5() {
    if is_missing(ANALYZE) {
        return;
    }
    for (name, member) in [
        ("security-new", sample::member("3.6.16")),
        ("security-existing", sample::formed("3.6.16")),
    ] {
        let dir = UnitDir::with(name, &render(&member).unwrap().bind(&token()));
        let output = Command::new(ANALYZE)
            .args(["security", "--offline=true", "--no-pager", "--threshold=15"])
            .arg(dir.unit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn systemd_finds_no_fault_with_the_units() {
    if is_missing(ANALYZE) {
        return;
    }
    for (name, member) in
        [("verify-new", sample::member("3.4.23")), ("verify-existing", sample::formed("3.7.3"))]
    {
        // The host's program need not be installed here; any that is will do.
        let program = format!("{} ", ReleaseLayout::new(member.version).etcd());
        let text = render(&member).unwrap().bind(&token());
        let dir = UnitDir::with(name, &text.replace(&program, "/usr/bin/true "));
        let output = Command::new(ANALYZE)
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(dir.unit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(said(&output), "");
    }
}

/// `systemd --test` loads units as the manager does and prints what it made of them. It refuses to
/// be root, whose manager it might disturb.
#[test]
fn systemd_reads_the_command_line_that_we_mean() {
    if is_missing(MANAGER) || is_missing("/usr/bin/setpriv") {
        return;
    }
    let mut member = sample::member("3.6.16");
    let hostile = r#"a b"c'd\e%i $HOME ${HOME} `x` ; # é"#;
    member.flags.insert("cors".to_owned(), FlagValue::Text(hostile.to_owned()));
    let dir = UnitDir::with("parse", &render(&member).unwrap().bind(&token()));
    let output = Command::new("/usr/bin/setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", MANAGER])
        .args(["--test", "--system", "--unit=etcd-main.service"])
        // The colon at the end keeps the machine's own path, with the targets that every unit needs.
        .env("SYSTEMD_UNIT_PATH", format!("{}:", dir.0.display()))
        .output()
        .unwrap();
    let said = said(&output);
    let command = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Command Line: "))
        .find(|line| line.starts_with("/usr/bin/env -i "))
        .unwrap_or_else(|| panic!("{said}"));
    // It prints `$` before the expansion that halves it, and quotes as for a shell.
    let expected = r#""--cors=a b\"c'd\\e%i \$\$HOME \$\${HOME} \`x\` ; # é""#;
    assert!(command.contains(expected), "{command}");
    assert!(command.contains(&format!(" --initial-cluster-token={} ", token())), "{command}");
}
