//! What is planned for what was seen: each test changes a fact, and says what of the plan follows.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]

mod authenticated;
mod by_discovery;
mod checker;
mod corrupt;
mod destroying;
mod drift;
mod file_systems;
mod firewall;
mod formed;
mod formed_once;
mod interplay;
mod interrupted;
mod kubelets;
mod leaving;
mod locks;
mod machines;
mod membership;
mod moving;
mod names;
mod neighbours;
mod new_members;
mod of_pods;
mod owners;
mod preflight;
mod replacing;
mod screens;
mod since;
mod staleness;
mod status;
mod strays;
mod trials;

use planner::facts::{FileFacts, SiteFacts};
use planner::{Plan, Policy, SiteSpec, plan};

fn planned(spec: &SiteSpec, facts: &SiteFacts) -> Plan {
    plan(spec, facts, &Policy::default()).unwrap()
}

/// A file of root's that everybody may read.
fn file(text: Option<String>) -> FileFacts {
    FileFacts {
        mode: 0o644,
        owner: "root".to_owned(),
        group: "root".to_owned(),
        sha256: "ab".repeat(32),
        text,
    }
}
