//! One etcd as a process.

use std::fs::File;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// After this systemd would kill a process that was asked to end; the units of quorate wait longer.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A running etcd. It is killed when this is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts an etcd with these flags and nothing of our environment. Its log is added to the file.
    pub(crate) fn start(
        etcd: &Path,
        flags: &[(&str, String)],
        notify: Option<&Path>,
        log: &Path,
    ) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let child = Command::new(etcd)
            .args(flags.iter().map(|(flag, value)| format!("--{flag}={value}")))
            .env_clear()
            .envs(notify.map(|socket| ("NOTIFY_SOCKET", socket)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.0.id().to_string()]).status();
        assert!(sent.unwrap().success(), "process {} is gone", self.0.id());
    }

    /// Whether it is there no more.
    pub(crate) fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Ends it as systemd does: one that does not go is killed. Beside a frozen peer etcd may take very
    /// long to go.
    pub(crate) fn end(mut self, signal: &str) {
        self.signal(signal);
        let started = Instant::now();
        while !self.is_over() {
            if started.elapsed() > STOP_TIMEOUT {
                self.0.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address that no other cluster of this machine has at the time. Each kind of replay has a net of
/// its own, and clusters of so many hosts.
pub(crate) fn address(net: u8, cluster: u32, hosts: u32, index: usize) -> Ipv4Addr {
    // There are never that many clusters at one time.
    let host = (cluster % (240 / hosts)) * hosts + u32::try_from(index).unwrap() + 1;
    let process = std::process::id() % (1 << 14);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, net, 0, 0)) + (process << 8) + host)
}
