//! Processes that outlive the command that started them, each in a control group of its own.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cgroup::Cgroup;
use crate::error::LabError;
use crate::ledger::{Ledger, Resource};
use crate::network;

/// Enters every control group, then starts the program in a session of its own and ends. The
/// arguments are the number of groups, their entrances, and the program with its arguments.
/// The program is in its groups before this ends, so that a later look finds it there.
const ENTER_AND_START: &str = r#"n=$1; shift
while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 1; shift; n=$((n - 1)); done
exec setsid --fork "$@""#;

/// Starts a program in a group that is recorded first, detached from this process and its
/// terminal. What it prints goes to `log`.
pub(crate) fn launch(
    group: &str,
    ledger: &Ledger,
    program: Vec<OsString>,
    log: &Path,
) -> Result<Cgroup, LabError> {
    ledger.record(&Resource::Cgroup(group.to_owned()))?;
    let group = Cgroup::named(group)?;
    group.ensure()?;
    let output = File::create(log).map_err(LabError::file("write", log))?;
    let errors = output.try_clone().map_err(LabError::file("write", log))?;
    let entrances = group.entrances();
    let mut command = Command::new("sh");
    command
        .args(["-c", ENTER_AND_START, "sh", &entrances.len().to_string()])
        .args(entrances)
        .args(program)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    let status = command
        .status()
        .map_err(|source| LabError::ToolMissing { program: "sh".into(), source })?;
    if status.success() {
        return Ok(group);
    }
    Err(LabError::ToolFailed { command: "setsid --fork …".into(), status, stderr: tail(log) })
}

/// A background process of a lab.
pub(crate) struct Service<'a> {
    /// What it is called when it fails; its log is called after it too.
    pub(crate) name: &'a str,
    /// Its control group.
    pub(crate) group: &'a str,
    /// The network namespace that it runs in, if not the machine's own.
    pub(crate) namespace: Option<&'a str>,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
}

/// Starts a service unless it runs, and waits until it is ready.
pub(crate) fn ensure(
    service: Service<'_>,
    ledger: &Ledger,
    is_ready: impl Fn() -> bool,
) -> Result<(), LabError> {
    let log = ledger.folder().join(format!("{}.log", service.name));
    if Cgroup::named(service.group)?.processes().is_empty() {
        let enter = service.namespace.map(|name| ["nsenter".to_owned(), network::enter(name)]);
        let program = enter.into_iter().flatten().map(OsString::from).chain(service.command);
        launch(service.group, ledger, program.collect(), &log)?;
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_ready() {
        if Instant::now() > deadline {
            let (service, log) = (service.name.to_owned(), tail(&log));
            return Err(LabError::ServiceDown { service, log });
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Whether somebody listens at each of these sockets.
pub(crate) fn listen(sockets: &[SocketAddr]) -> bool {
    let patience = Duration::from_secs(1);
    sockets.iter().all(|socket| TcpStream::connect_timeout(socket, patience).is_ok())
}

/// The command line of a service that is this very program.
pub(crate) fn own(args: impl IntoIterator<Item = String>) -> Result<Vec<OsString>, LabError> {
    let args = args.into_iter().map(OsString::from);
    Ok([own_program()?.into()].into_iter().chain(args).collect())
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// The program that runs the lab's services: `QUORATE_LAB_BIN`, or this program if it is `lab`, or
/// the `lab` that cargo built beside the test that runs now.
fn own_program() -> Result<PathBuf, LabError> {
    let this = Path::new("/proc/self/exe");
    let program = match env::var_os("QUORATE_LAB_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let path = fs::read_link(this).map_err(LabError::file("read", this))?;
            let beside = |folder: &Path| folder.join("lab");
            match path.parent() {
                Some(folder) if folder.ends_with("deps") => {
                    beside(folder.parent().unwrap_or(folder))
                }
                Some(folder) => beside(folder),
                None => path,
            }
        }
    };
    if program.is_file() { Ok(program) } else { Err(LabError::NoProgram(program)) }
}
