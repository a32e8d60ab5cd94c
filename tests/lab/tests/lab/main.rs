//! Real hosts, booted and harmed: what the lab promises, tried on this machine.
//!
//! Needs root. `cargo test -p quorate-lab --features lab`, or `./dev test`.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]

mod control_plane;
mod discovery;
mod kept;
mod lifecycle;
mod names;
mod network;
mod pods;
mod traces;

use std::process::Output;

use quorate_lab::{Lab, LabName, Options};

/// The lab's command line.
const LAB: &str = env!("CARGO_BIN_EXE_lab");

/// A lab for one test, which goes when it is dropped.
fn lab(name: &str, hosts: u8) -> Lab {
    Lab::up(&Options::hosts(name.parse::<LabName>().unwrap(), hosts)).unwrap()
}

/// What a command printed, which must have ended well.
#[track_caller]
fn text(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
