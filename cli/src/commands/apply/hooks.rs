//! The operator's own programs around an apply. They learn what the journal has, on stdin as JSON, and decide nothing
//! but whether an apply may begin.

use std::path::Path;

use inventories::inventory::{HookCommand, Hooks};
use planner::Plan;
use planner::facts::{Applied, Commit};
use serde::Serialize;

use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::terminal::Terminal;

mod process;

/// The hooks of an apply, and where they run.
pub(super) struct Around<'a> {
    pub(super) hooks: Hooks,
    pub(super) folder: &'a Path,
    pub(super) terminal: &'a Terminal,
}

impl Around<'_> {
    /// Runs the first hook. Nothing else of the apply may be done where it fails.
    pub(super) async fn begin(
        &self,
        event: Event<'_>,
        interrupts: &mut Interrupts,
    ) -> Result<(), CliError> {
        let Some(hook) = &self.hooks.before_apply else { return Ok(()) };
        let running = process::run(hook, self.folder, &event);
        interrupts.give_way(async { running.await.map_err(|why| refused(&why)) }).await
    }

    /// Runs the last hook, however the apply ended: nothing else closes what the first one opened.
    pub(super) async fn end(
        &self,
        event: Event<'_>,
        ended: &Result<ExitCode, CliError>,
        interrupts: &mut Interrupts,
    ) {
        let code = ended.as_ref().map_or_else(|error| error.kind, |code| *code);
        let (name, hook) = match code {
            ExitCode::Done | ExitCode::Incomplete => ("after-apply", &self.hooks.after_apply),
            _ => ("on-failure", &self.hooks.on_failure),
        };
        let Some(hook) = hook else { return };
        let event = event.after(name, code);
        match interrupts.unless_again(process::run(hook, self.folder, &event)).await {
            Some(Ok(())) => {}
            Some(Err(why)) => self.terminal.warn(&format!("{name}: {why}")),
            None => {
                self.terminal
                    .warn(&format!("{name}: {} was interrupted, and stopped", hook.program));
            }
        }
    }
}

/// What a hook reads on stdin.
#[derive(Debug, Serialize)]
pub(super) struct Event<'a> {
    /// `before-apply`, `after-apply` or `on-failure`.
    event: &'static str,
    site: &'a str,
    plan: &'a str,
    commit: Option<&'a str>,
    who: &'a str,
    reason: Option<&'a str>,
    /// How many steps the plan has.
    steps: usize,
    clusters: Vec<&'a str>,
    /// The word of the exit code; `null` before the apply.
    outcome: Option<&'static str>,
    exit_code: Option<u8>,
}

impl<'a> Event<'a> {
    /// What is known of an apply when it begins.
    pub(super) fn before(plan: &'a Plan, record: &'a Applied, reason: Option<&'a str>) -> Self {
        Self {
            event: "before-apply",
            site: plan.site.as_str(),
            plan: &record.plan,
            commit: record.commit.as_ref().map(Commit::as_str),
            who: &record.by,
            reason,
            steps: plan.steps.len(),
            clusters: plan.report.clusters.keys().map(|name| name.as_str()).collect(),
            outcome: None,
            exit_code: None,
        }
    }

    /// The same once it ended.
    pub(super) fn after(self, event: &'static str, code: ExitCode) -> Self {
        Self { event, outcome: Some(code.reason()), exit_code: Some(code.number()), ..self }
    }
}

/// Says which programs an apply will run here, so that its approval covers them.
pub(super) fn announce(terminal: &Terminal, hooks: &Hooks) {
    let Hooks { before_apply, after_apply, on_failure } = hooks;
    for (name, hook) in
        [("before-apply", before_apply), ("after-apply", after_apply), ("on-failure", on_failure)]
    {
        if let Some(HookCommand { program, arguments }) = hook {
            let words = [std::slice::from_ref(program), arguments].concat().join(" ");
            terminal.say(&format!("hook {name}, on this machine: {words}"));
        }
    }
}

/// An apply whose hooks no operator approves.
pub(super) fn unapproved() -> CliError {
    let message = "the inventory has [hooks], programs that would run on this machine, and this apply asks nobody";
    CliError::new(ExitCode::Usage, message)
        .hint("say --hooks run or --hooks skip, or set QUORATE_HOOKS")
}

/// An apply that its first hook refused.
pub(super) fn refused(why: &str) -> CliError {
    CliError::new(ExitCode::Blocked, format!("before-apply: {why}"))
        .hint("nothing was changed; [hooks] of the inventory names this program")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::{ColorChoice, Verbosity};
    use test_kit::executable::executable;

    #[tokio::test]
    async fn whatever_an_apply_came_to_its_last_hook_runs() {
        let folder = tempfile::tempdir().unwrap();
        executable(&folder.path().join("hook"), "#!/bin/sh\necho \"$1\" >>ran\n");
        let hook = |word: &str| {
            Some(HookCommand { program: "./hook".to_owned(), arguments: vec![word.to_owned()] })
        };
        let hooks = Hooks {
            before_apply: hook("before"),
            after_apply: hook("after"),
            on_failure: hook("failure"),
        };
        let terminal = Terminal::new(ColorChoice::Never, Verbosity::Quiet);
        let around = Around { hooks, folder: folder.path(), terminal: &terminal };
        let mut interrupts = Interrupts::listen().unwrap();
        around.begin(process::EVENT, &mut interrupts).await.unwrap();
        let lost = CliError::new(ExitCode::Locked, "the lock was lost");
        for ended in [Ok(ExitCode::Done), Err(lost), Ok(ExitCode::Failed)] {
            around.end(process::EVENT, &ended, &mut interrupts).await;
        }
        let ran = std::fs::read_to_string(folder.path().join("ran")).unwrap();
        assert_eq!(ran, "before\nafter\nfailure\nfailure\n");
    }
}
