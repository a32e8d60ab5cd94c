//! How fast quorate is, beside what it can't be faster than, all in one run on one machine.
//!
//! Every figure of ours stands beside its reference, measured alternately: a plan without changes
//! beside `ssh HOST true`, a first apply beside etcd started manually, a roll and a change of minor beside bare restarts.
//! Hosts and operator share this machine, so only the ratios travel to another one.
//!
//! - [`noop`], [`first_apply`], [`roll`], [`hop`]: on hosts of the lab.
//! - [`planning`]: the planner alone, on generated sites.
//! - [`measure`]: what a command costs; [`site`]: the hosts that it is measured on.
//! - [`results`]: all figures, as JSON and as a table with the aims.

mod bare;
mod first_apply;
mod hop;
mod measure;
mod noop;
mod planning;
mod results;
mod roll;
mod site;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use results::Results;

/// What every part of the bench ends with where it could not measure.
type Failure = Box<dyn Error>;

#[derive(Debug, Parser)]
#[command(name = "bench", about = "Times quorate beside what it can't be faster than")]
struct Cli {
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only this (may be given again).
    #[arg(long, value_enum)]
    only: Vec<Part>,
    #[command(subcommand)]
    inner: Option<Inner>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Noop,
    FirstApply,
    Roll,
    Hop,
    Planning,
}

/// What the bench runs as a process of its own, so that memory and CPU time are that part's alone.
#[derive(Debug, Subcommand)]
enum Inner {
    /// Runs commands side by side, and says what they cost.
    #[command(hide = true)]
    Measure(measure::Measured),
    /// Plans for a generated site of so many hosts.
    #[command(hide = true)]
    Plan(planning::Planning),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.inner {
        Some(Inner::Measure(measured)) => measured.run(),
        Some(Inner::Plan(planning)) => planning.run(),
        None => bench(&cli),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            results::say(&format!("bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn bench(cli: &Cli) -> Result<(), Failure> {
    let wanted = |part| cli.only.is_empty() || cli.only.contains(&part);
    let mut results = Results::default();
    if wanted(Part::Planning) {
        results.planning = planning::measure()?;
    }
    if wanted(Part::FirstApply) {
        results.first_apply = Some(first_apply::measure()?);
    }
    if wanted(Part::Roll) {
        results.roll = Some(roll::measure()?);
    }
    if wanted(Part::Hop) {
        results.hop = Some(hop::measure()?);
    }
    if wanted(Part::Noop) {
        results.noop = noop::measure()?;
    }
    results.print();
    match &cli.json {
        Some(path) => Ok(std::fs::write(path, serde_json::to_string_pretty(&results)? + "\n")?),
        None => Ok(()),
    }
}
