//! The commands of a configuration: `Match exec` and `ProxyCommand` go to the operator's shell, as
//! ssh gives them to it.
//!
//! They are in a process group of their own: all of a command can be ended, and an interrupt at the
//! terminal, after which quorate finishes its steps, does not end a connection.

use std::collections::BTreeMap;
use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::error::ConfigProblem;

/// How long a `Match exec` command may take. One that looks whether a VPN is up waits a few seconds for
/// packets that nobody answers; ssh itself would wait for ever.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// How long a command may take to end once it is asked to.
const END_TIME: Duration = Duration::from_secs(1);

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What `Match exec` commands answered. A run of quorate asks each command once, however many hosts it
/// is for: all of them are then seen from the same network.
#[derive(Debug, Clone)]
pub struct Answers {
    limit: Duration,
    known: Arc<Mutex<BTreeMap<String, Arc<OnceLock<Answer>>>>>,
}

type Answer = Result<bool, ConfigProblem>;

impl Default for Answers {
    fn default() -> Self {
        Self::within(ANSWER_TIME)
    }
}

impl Answers {
    /// Nothing was asked yet. A command that takes longer than this is ended.
    pub fn within(limit: Duration) -> Self {
        Self { limit, known: Arc::default() }
    }

    /// Whether the command ends with 0.
    pub fn ask(&self, command: &str) -> Answer {
        let answer = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(command.to_owned()).or_default())
        };
        // Other commands continue meanwhile.
        answer.get_or_init(|| run(command, self.limit)).clone()
    }
}

fn run(command: &str, limit: Duration) -> Result<bool, ConfigProblem> {
    let failed = |why: String| ConfigProblem::Command { command: command.to_owned(), why };
    let mut child = shell(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK_AGAIN),
            Ok(None) => {
                end(&mut child);
                return Err(failed(format!("did not end within {} s", limit.as_secs_f32())));
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}

/// The operator's shell with this command.
pub fn shell(command: &str) -> Command {
    let shell = env::var_os("SHELL").filter(|shell| !shell.is_empty());
    let mut run = Command::new(shell.unwrap_or_else(|| "/bin/sh".into()));
    run.arg("-c").arg(command).process_group(0);
    run
}

/// Ends a command and what it started, and waits for it.
pub fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // Until somebody has waited for the command, its number is nobody else's.
    for signal in [Signal::TERM, Signal::KILL] {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        if let Some(group) = group {
            // It may have ended in between.
            let _ = kill_process_group(group, signal);
            // A command that waits for the terminal is stopped, and must be continued to end.
            let _ = kill_process_group(group, Signal::CONT);
        }
        let deadline = Instant::now() + END_TIME;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_asked_once() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::default();
        let command = format!("echo x >> {}/asked", dir.path().display());
        for _ in 0..3 {
            assert_eq!(answers.ask(&command), Ok(true));
        }
        assert_eq!(std::fs::read_to_string(dir.path().join("asked")).unwrap(), "x\n");
        assert_eq!(answers.ask("exit 7"), Ok(false));
        assert_eq!(answers.ask("read line || test ! -t 1"), Ok(true));
    }

    #[test]
    fn a_command_that_does_not_end_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::within(Duration::from_millis(300));
        let command =
            format!("trap '' TERM; sleep 60 & echo $! > {}/pid; wait; wait", dir.path().display());
        let started = Instant::now();
        let error = answers.ask(&command).unwrap_err().to_string();
        assert!(error.contains("did not end within 0.3 s"), "{error}");
        assert_eq!(answers.ask(&command).unwrap_err().to_string(), error);
        assert!(started.elapsed() < Duration::from_secs(10));
        let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            stat.map_or(true, |stat| stat.contains(") Z "))
        };
        assert!(crate::test_server::wait_for(gone));
    }
}
