//! Where output goes, and what it may hold.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::sandbox::{Sandbox, ended};

const ESCAPE: char = '\u{1b}';

#[test]
fn without_a_terminal_there_is_no_colour() {
    let sandbox = Sandbox::with_site();
    let ended = sandbox.run(&["plan"]);
    assert!(!ended.stdout.contains(ESCAPE) && !ended.stderr.contains(ESCAPE));
}

#[test]
fn colour_is_the_operators_choice() {
    let sandbox = Sandbox::with_site();
    let coloured = |arguments: &[&str], name: &str, value: &str| {
        ended(sandbox.command(arguments).env(name, value)).stdout.contains(ESCAPE)
    };
    assert!(coloured(&["plan", "--color", "always"], "NO_COLOR", "1"));
    assert!(coloured(&["plan"], "CLICOLOR_FORCE", "1"));
    assert!(!coloured(&["plan", "--color", "never"], "CLICOLOR_FORCE", "1"));
    let both = ended(sandbox.command(&["plan"]).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1"));
    assert!(!both.stdout.contains(ESCAPE));
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let sandbox = Sandbox::new();
    for arguments in [&["schema"][..], &["completions", "bash"], &["--help"]] {
        let mut command = sandbox.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_result_that_can_not_be_written_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Sandbox::new().command(&["schema"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write the output"));
}

#[test]
fn quiet_leaves_results_and_errors() {
    let sandbox = Sandbox::with_site();
    let made = sandbox.run(&["-q", "pki", "init"]);
    assert_eq!((made.code, made.stderr.as_str()), (0, ""));
    assert!(made.stdout.contains("pki/main"));
    assert!(sandbox.run(&["-q", "validate", "-i", "missing"]).stderr.contains("error:"));
}
