//! A guard as the three arguments that `scripts/guards.sh` reads.

use planner::Step;
use planner::plan::{Guard, StepKind};
use templates::Layout;
use templates::layout::SITE_FILE;

use super::failure::Failure;
use super::prove::credentials;

/// The arguments of the step's guard. `wanted` is the sha256 of what the step writes: a file that
/// is so already does not stand in the way of a step that was done and is done again.
pub(super) fn arguments(step: &Step, wanted: Option<&str>) -> Result<Vec<String>, Failure> {
    let words = match &step.guard {
        Guard::Nothing => nothing(),
        Guard::HostIsFree => {
            let StepKind::ClaimHost { site } = &step.kind else {
                return Err(Failure::local("only claiming a host asks whether it is free"));
            };
            ["host-is-free".to_owned(), SITE_FILE.to_owned(), site.to_string()]
        }
        Guard::NeverFormed => {
            let layout = layout(step)?;
            ["never-formed".to_owned(), layout.marker(), layout.quorum_witness()]
        }
        Guard::FileIs { path, sha256 } => {
            let planned = sha256.as_deref().unwrap_or("absent");
            let digests = wanted.map_or(planned.to_owned(), |wanted| format!("{planned} {wanted}"));
            ["file-is".to_owned(), path.clone(), digests]
        }
        Guard::HasLogOrNeverFormed => {
            let layout = layout(step)?;
            let marks = format!("{} {}", layout.marker(), layout.quorum_witness());
            ["has-log-or-never-formed".to_owned(), layout.wal_dir(), marks]
        }
        Guard::OthersHealthy { others, needed, version } => {
            let tools = credentials(&layout(step)?, *version).join(" ");
            let endpoints: Vec<&str> = others.values().map(String::as_str).collect();
            ["others-healthy".to_owned(), format!("{needed} {tools}"), endpoints.join(" ")]
        }
        Guard::HasLog => ["has-log".to_owned(), layout(step)?.wal_dir(), String::new()],
    };
    Ok(words.to_vec())
}

/// The arguments for a script that only looks.
pub(super) fn nothing() -> [String; 3] {
    ["nothing".to_owned(), String::new(), String::new()]
}

/// The paths of the step's cluster.
pub(super) fn layout(step: &Step) -> Result<Layout, Failure> {
    match &step.cluster {
        Some(cluster) => Ok(Layout::of(cluster)),
        None => Err(Failure::local(format!("step {} names no cluster", step.id))),
    }
}
