//! A program of the operator's, run to its end with all that it starts.

use std::io::{Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{self, Path};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use inventories::inventory::HookCommand;
use rustix::process::{Pid, Signal, kill_process_group};

use super::Event;

/// How long a hook may run.
const LONGEST: Duration = Duration::from_secs(60);

/// How much of what a hook says is kept, in bytes.
const MOST: u64 = 16 * 1024;

/// Runs a hook in a folder to its end. Why it failed, in one line and what it said.
pub(super) async fn run(
    hook: &HookCommand,
    folder: &Path,
    event: &Event<'_>,
) -> Result<(), String> {
    run_for(hook, folder, event, LONGEST).await
}

async fn run_for(
    hook: &HookCommand,
    folder: &Path,
    event: &Event<'_>,
    longest: Duration,
) -> Result<(), String> {
    let HookCommand { program, arguments } = hook;
    // What is looked for from another folder than ours must not begin at ours.
    let folder = path::absolute(folder).map_err(|error| error.to_string())?;
    let text = serde_json::to_string(event).map_err(|error| error.to_string())?;
    // What is not a bare name is a path, and begins where the inventory is.
    let found = if program.contains('/') { folder.join(program) } else { program.into() };
    let child = Command::new(found)
        .args(arguments)
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{program} can't be run: {error}"))?;
    let mut group = Group { child, ended: false };
    if let Some(mut stdin) = group.child.stdin.take() {
        // One that does not read is no failure; a pipe that is full must not hold us up.
        thread::spawn(move || drop(writeln!(stdin, "{text}")));
    }
    let said = [read(group.child.stdout.take()), read(group.child.stderr.take())];
    let until = Instant::now() + longest;
    let status = loop {
        match group.child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Ok(None) => {
                return Err(format!("{program} did not end within {} s", longest.as_secs()));
            }
            Err(error) => return Err(format!("{program}: {error}")),
        }
    };
    group.ended = true;
    if status.success() {
        return Ok(());
    }
    // What it started may hold the pipe for ever.
    let said = said.iter().filter_map(|said| said.recv_timeout(Duration::from_secs(1)).ok());
    let said: String = said.collect();
    let said = said.trim().replace('\n', "\n  ");
    let words = if said.is_empty() { String::new() } else { format!("; it said:\n  {said}") };
    Err(format!("{program} failed ({status}){words}"))
}

const PAUSE: Duration = Duration::from_millis(50);

/// The beginning of the output, once all of it was read.
fn read(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, said) = mpsc::channel();
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stream) = stream {
            let _ = (&mut stream).take(MOST).read_to_end(&mut text);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
        // Nobody waits for it any more where the hook was ended.
        let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
    });
    said
}

/// A hook and what it started. Nobody waits for what is dropped before its end, so that is ended.
struct Group {
    child: Child,
    ended: bool,
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// An event for tests.
#[cfg(test)]
pub(super) const EVENT: Event<'static> = Event {
    event: "after-apply",
    site: "lab",
    plan: "0f0f",
    commit: None,
    who: "ann@desk",
    reason: Some("$(quota)"),
    steps: 3,
    clusters: Vec::new(),
    outcome: Some("done"),
    exit_code: Some(0),
};

#[cfg(test)]
mod tests {
    use super::*;
    use test_kit::executable::executable;

    fn hook(program: &str, arguments: &[&str]) -> HookCommand {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        HookCommand { program: program.to_owned(), arguments }
    }

    async fn ran(folder: &Path, script: &str, longest: Duration) -> Result<(), String> {
        executable(&folder.join("hook"), &format!("#!/bin/sh\n{script}\n"));
        run_for(&hook("./hook", &["a b", "$(id)"]), folder, &EVENT, longest).await
    }

    #[tokio::test]
    async fn a_hook_reads_the_event_and_its_arguments_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let script = "cat >event; printf '%s|' \"$@\" >words; pwd >where";
        ran(folder.path(), script, LONGEST).await.unwrap();
        let file = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let event: serde_json::Value = serde_json::from_str(&file("event")).unwrap();
        assert_eq!(
            (&event["event"], &event["reason"]),
            (&"after-apply".into(), &"$(quota)".into())
        );
        assert_eq!(event["exit_code"], 0);
        assert_eq!(file("words"), "a b|$(id)|");
    }

    #[tokio::test]
    async fn a_hook_that_fails_says_why_and_one_that_hangs_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let failed = ran(folder.path(), "echo no ticket; exit 3", LONGEST).await.unwrap_err();
        assert!(failed.contains("exit status: 3") && failed.contains("no ticket"), "{failed}");
        let script = "echo $$ >pid; sleep 600 & wait";
        let hung = ran(folder.path(), script, Duration::from_millis(500)).await.unwrap_err();
        assert!(hung.contains("did not end within"), "{hung}");
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let gone = |pid: &str| !Path::new(&format!("/proc/{pid}")).exists();
        assert!(gone(pid.trim()), "{pid}");
        let missing = run(&hook("./none", &[]), folder.path(), &EVENT).await.unwrap_err();
        assert!(missing.contains("./none can't be run"), "{missing}");
    }

    #[tokio::test]
    async fn a_hook_begins_at_a_folder_that_is_named_from_ours() {
        let folder = tempfile::tempdir().unwrap();
        let here = std::env::current_dir().unwrap();
        let up: std::path::PathBuf = here.components().skip(1).map(|_| "..").collect();
        let relative = up.join(folder.path().strip_prefix("/").unwrap());
        ran(folder.path(), "touch was-here", LONGEST).await.unwrap();
        std::fs::remove_file(folder.path().join("was-here")).unwrap();
        run(&hook("./hook", &[]), &relative, &EVENT).await.unwrap();
        assert!(folder.path().join("was-here").exists());
    }

    #[tokio::test]
    async fn a_hook_that_nobody_waits_for_any_more_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let script = "sleep 600 & echo $! >child; mv child pid; wait";
        let pid = folder.path().join("pid");
        let has_started = async {
            while !pid.exists() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            ended = ran(folder.path(), script, LONGEST) => panic!("{ended:?}"),
            () = has_started => {}
        }
        let pid = std::fs::read_to_string(pid).unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // The process that inherits it may not have looked yet.
        let is_over = || state().map_or(true, |state| state.contains(") Z"));
        assert!(remote::test_server::wait_for(is_over), "{pid}");
    }
}
