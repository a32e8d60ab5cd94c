//! What quorate is held against: etcd started, filled and restarted manually over ssh.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quorate_lab::Host;
use quorate_lab::releases;
use quorate_lab::site::SiteOptions;
use quorate_lab::ssh::User;

use crate::Failure;
use crate::site::{Site, run};

/// Runs a command on a host.
pub(crate) fn on(host: &Host, remote: &str) -> Result<String, Failure> {
    let mut command = host.ssh_command(User::Root)?;
    command.arg("--").arg(remote);
    run(command)
}

/// Runs the same command on every host at once, with a file on its standard input, and returns the
/// time until the last has ended.
pub(crate) fn on_each(
    site: &Site,
    stdin: Option<&std::path::Path>,
    mut remote: impl FnMut(&Host) -> Result<String, Failure>,
) -> Result<Duration, Failure> {
    let mut commands = Vec::new();
    for host in site.hosts()? {
        let mut command = host.ssh_command(User::Root)?;
        command.arg("--").arg(remote(&host)?);
        command.stdin(match stdin {
            Some(path) => Stdio::from(std::fs::File::open(path)?),
            None => Stdio::null(),
        });
        commands.push(command);
    }
    let started = Instant::now();
    let children = commands.iter_mut().map(Command::spawn).collect::<Result<Vec<_>, _>>()?;
    for mut child in children {
        let status = child.wait()?;
        if !status.success() {
            return Err(format!("over ssh: {status}").into());
        }
    }
    Ok(started.elapsed())
}

/// A client that writes one key after the other.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Writer {
    /// Begins to write to every member, with a client certificate of its own.
    pub(crate) fn start(site: &Site) -> Result<Self, Failure> {
        let folder = site.inventory().with_file_name("writer");
        if !folder.exists() {
            let out = folder.display().to_string();
            run(site.quorate(&["client-cert", "--cn", "writer", "--out", &out]))?;
        }
        let arch = releases::architecture()?;
        let binaries = releases::ensure_binaries(SiteOptions::default().version, &arch, |_| {})?;
        let hosts = site.hosts()?;
        let urls: BTreeSet<_> =
            hosts.iter().map(|host| format!("https://{}:2379", host.address())).collect();
        let mut put = Command::new(binaries.join("etcdctl"));
        put.args(["--command-timeout=2s", "--dial-timeout=1s", "--endpoints"]);
        put.arg(Vec::from_iter(urls).join(","));
        put.arg("--cacert").arg(folder.join("ca.crt"));
        put.arg("--cert").arg(folder.join("writer.crt"));
        put.arg("--key").arg(folder.join("writer.key"));
        put.args(["put", "bench", "value"]).stdout(Stdio::null()).stderr(Stdio::null());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || longest_gap(&stopped, put));
        Ok(Self { stop, thread })
    }

    /// Stops writing, and returns the longest time between two acknowledged writes.
    pub(crate) fn finish(self) -> Result<Duration, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the writer failed".into())
    }
}

fn longest_gap(stopped: &AtomicBool, mut put: Command) -> Duration {
    let (mut gap, mut last) = (Duration::ZERO, Instant::now());
    while !stopped.load(Ordering::Relaxed) {
        if put.status().is_ok_and(|status| status.success()) {
            gap = gap.max(last.elapsed());
            last = Instant::now();
        }
    }
    gap.max(last.elapsed())
}
