//! Five hosts on loopback: their etcds, disks and logs.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use quorate_tests::membership::{Initial, Refusal, State, Urls};

use crate::answers::CLIENT_PORT;
use crate::process::{self, Process};

/// How many hosts there are.
pub(super) const HOSTS: usize = 5;

/// Each etcd listens to its peers at both, so that its peer URL can change while it runs.
const PEER_PORTS: [u16; 2] = [2380, 2381];

/// Nobody listens there.
const WRONG_PORT: u16 = 2382;

/// The second number of these hosts' addresses. The nets of processes are 64 wide.
const NET: u8 = 128;

/// How many lines of a log a report of a difference shows.
const LAST_WORDS: usize = 15;

/// The hosts. Their etcds end, and nothing is left behind, when this is dropped.
pub(super) struct Hosts {
    etcd: PathBuf,
    dir: PathBuf,
    number: u32,
    processes: [Option<Process>; HOSTS],
    /// When each was started last, and where its log was then.
    started: [(Instant, u64); HOSTS],
}

impl Hosts {
    /// Five hosts with empty disks.
    pub(super) fn new(etcd: &Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("quorate-membership-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).unwrap();
        Self {
            etcd: etcd.to_owned(),
            dir,
            number,
            processes: Default::default(),
            started: [(Instant::now(), 0); HOSTS],
        }
    }

    /// The address of a host.
    pub(super) fn address(&self, host: usize) -> Ipv4Addr {
        process::address(NET, self.number, HOSTS as u32, host)
    }

    /// The peer URLs at which the etcd of a host listens.
    pub(super) fn listens(&self, host: usize) -> Vec<String> {
        PEER_PORTS.map(|port| format!("http://{}:{port}", self.address(host))).to_vec()
    }

    /// A peer URL of a host at which nobody listens.
    pub(super) fn nowhere(&self, host: usize) -> Urls {
        Urls::from([format!("http://{}:{WRONG_PORT}", self.address(host))])
    }

    /// Starts an etcd.
    pub(super) fn start(&mut self, host: usize, state: State, initial: &Initial) {
        let of = |urls: &Urls| urls.iter().cloned().collect::<Vec<_>>().join(",");
        let own = initial.iter().find(|(other, _)| *other == name(host)).map(|(_, urls)| of(urls));
        let each = |(name, urls): &(String, Urls)| {
            urls.iter().map(|url| format!("{name}={url}")).collect::<Vec<_>>().join(",")
        };
        let client = format!("http://{}:{CLIENT_PORT}", self.address(host));
        let flags = [
            ("name", name(host)),
            ("data-dir", self.dir.join(name(host)).display().to_string()),
            ("listen-client-urls", client.clone()),
            ("advertise-client-urls", client),
            ("listen-peer-urls", self.listens(host).join(",")),
            // One that forms a cluster must advertise what the initial cluster has of it.
            ("initial-advertise-peer-urls", own.unwrap_or_else(|| self.listens(host)[0].clone())),
            ("initial-cluster", initial.iter().map(each).collect::<Vec<_>>().join(",")),
            ("initial-cluster-token", "replay".to_owned()),
            (
                "initial-cluster-state",
                match state {
                    State::New => "new".to_owned(),
                    State::Existing => "existing".to_owned(),
                },
            ),
            ("heartbeat-interval", "50".to_owned()),
            ("election-timeout", "500".to_owned()),
        ];
        let log = self.log(host);
        let length = fs::metadata(&log).map_or(0, |file| file.len());
        self.started[host] = (Instant::now(), length);
        self.processes[host] = Some(Process::start(&self.etcd, &flags, None, &log));
    }

    /// Ends an etcd by a signal.
    pub(super) fn stop(&mut self, host: usize, signal: &str) {
        if let Some(process) = self.processes[host].take() {
            process.end(signal);
        }
    }

    /// Empties the disk of a host.
    pub(super) fn wipe(&self, host: usize) {
        let _ = fs::remove_dir_all(self.dir.join(name(host)));
    }

    /// The hosts whose etcd runs.
    pub(super) fn running(&mut self) -> [bool; HOSTS] {
        for process in &mut self.processes {
            if process.as_mut().is_some_and(Process::is_over) {
                *process = None;
            }
        }
        self.processes.each_ref().map(Option::is_some)
    }

    /// The hosts whose etcd can be reached by its peers.
    pub(super) fn listening(&self) -> [bool; HOSTS] {
        let reached = |host| TcpStream::connect((self.address(host), PEER_PORTS[0])).is_ok();
        std::array::from_fn(reached)
    }

    /// For how long the etcd of a host has been there.
    pub(super) fn age(&self, host: usize) -> Duration {
        self.started[host].0.elapsed()
    }

    /// Why the etcd of a host ended, by the log of its last start. `None` if it does not in time.
    pub(super) fn ended(&mut self, host: usize, patience: Duration) -> Option<Refusal> {
        let since = Instant::now();
        while self.running()[host] {
            if since.elapsed() > patience {
                return None;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read(self.log(host)).unwrap_or_default();
        let from = usize::try_from(self.started[host].1).unwrap().min(log.len());
        Refusal::logged(&String::from_utf8_lossy(&log[from..]).replace("\\\"", "\""))
    }

    /// The end of each log.
    pub(super) fn last_words(&self) -> String {
        let words = |host: usize| {
            let said = fs::read_to_string(self.log(host)).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let last = &lines[lines.len().saturating_sub(LAST_WORDS)..];
            format!("{}:\n{}", name(host), last.join("\n"))
        };
        (0..HOSTS).map(words).collect::<Vec<_>>().join("\n")
    }

    fn log(&self, host: usize) -> PathBuf {
        self.dir.join(format!("{}.log", name(host)))
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.processes = Default::default();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The name of a host.
pub(super) fn name(host: usize) -> String {
    format!("etcd-{}", host + 1)
}
