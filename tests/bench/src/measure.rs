//! What commands cost: wall time, CPU time and memory.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use crate::Failure;

/// What a run cost.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Wall time in seconds.
    pub(crate) wall_s: f64,
    /// CPU time in seconds, user and system.
    pub(crate) cpu_s: f64,
    /// The largest resident set of any of the processes, in megabytes.
    pub(crate) peak_mb: f64,
}

/// Runs the commands side by side. Its own process, since the kernel sums up what children cost for
/// all of a process's life.
#[derive(Debug, Args)]
pub(crate) struct Measured {
    /// Each command, its arguments separated by tabs.
    #[arg(required = true)]
    commands: Vec<String>,
}

impl Measured {
    /// Runs them, and prints what they cost.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let started = Instant::now();
        let mut children = Vec::new();
        for command in &self.commands {
            let mut words = command.split('\t');
            let mut process = Command::new(words.next().unwrap_or_default());
            process.args(words).stdin(Stdio::null()).stdout(Stdio::null());
            children.push((command, process.spawn()?));
        }
        for (command, mut child) in children {
            let status = child.wait()?;
            if !status.success() {
                return Err(format!("{}: {status}", command.replace('\t', " ")).into());
            }
        }
        let wall = started.elapsed();
        let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        crate::results::say(&serde_json::to_string(&cost(wall, &used))?);
        Ok(())
    }
}

fn cost(wall: Duration, used: &Usage) -> Cost {
    let seconds = |time: nix::sys::time::TimeVal| {
        Duration::new(
            u64::try_from(time.tv_sec()).unwrap_or_default(),
            u32::try_from(time.tv_usec()).unwrap_or_default() * 1000,
        )
        .as_secs_f64()
    };
    Cost {
        wall_s: wall.as_secs_f64(),
        cpu_s: seconds(used.user_time()) + seconds(used.system_time()),
        // The kernel counts kilobytes.
        peak_mb: used.max_rss() as f64 / 1024.0,
    }
}

/// Runs commands side by side in a process of its own.
pub(crate) fn together<'a>(
    commands: impl IntoIterator<Item = &'a Command>,
) -> Result<Cost, Failure> {
    let lines = commands.into_iter().map(|command| {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        OsString::from(words.join("\t"))
    });
    let output = Command::new(env::current_exe()?)
        .arg("measure")
        .args(lines)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(text.into());
    }
    Ok(serde_json::from_str(&text)?)
}

/// The value in the middle; the lower of two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    Spread::from_values(values).median
}

/// How long the runs of one thing took, in seconds. A median alone hides the run that stands still.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The value in the middle; the lower of two.
    pub(crate) median: f64,
    /// At most so long took 95 of 100 runs.
    pub(crate) p95: f64,
    /// The longest.
    pub(crate) slowest: f64,
}

impl Spread {
    pub(crate) fn from_values(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let at = |place: usize| values.get(place.saturating_sub(1)).copied().unwrap_or_default();
        Self {
            median: at(count.div_ceil(2)),
            p95: at((count * 95).div_ceil(100)),
            slowest: at(count),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} / {:.2} / {:.2}", self.median, self.p95, self.slowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_stands_still_is_the_slowest_and_eight_of_sixty_are_the_p95() {
        let with = |slow: usize| {
            let runs = (0..60).map(|run| if run < slow { 4.0 } else { 0.2 });
            let Spread { median, p95, slowest } = Spread::from_values(runs);
            (median, p95, slowest)
        };
        assert_eq!(with(0), (0.2, 0.2, 0.2));
        assert_eq!(with(1), (0.2, 0.2, 4.0));
        assert_eq!(with(8), (0.2, 4.0, 4.0));
        assert_eq!(Spread::from_values([3.0, 1.0]).median, 1.0);
        assert_eq!(Spread::from_values([]), Spread::default());
    }
}
