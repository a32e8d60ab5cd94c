//! A client that watches what a [`Writer`](super::Writer) writes, and another one that keeps a lease alive.
//!
//! An etcdctl that watches or keeps a lease alive gives up where its member knows no leader or answers late, as on a busy
//! machine it does. What Kubernetes and its like do then is done here: it is started again, from where it ended.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::writer::client;
use super::{Members, Stage, Writer, Written, text};

/// Given before a command's own options, which are for a writer.
const PATIENT: [&str; 2] = ["--dial-timeout=30s", "--command-timeout=60s"];

/// A writer and a follower of what it writes.
pub(crate) struct Clients {
    writer: Writer,
    follower: Follower,
}

impl Clients {
    /// Begins to watch, and then to write.
    pub(crate) fn start(stage: &Stage) -> Self {
        let follower = Follower::start(stage);
        Self { writer: Writer::start(stage), follower }
    }

    /// Stops. Every acknowledged write is there, and was seen once and in order.
    #[track_caller]
    pub(crate) fn finish(self, members: &Members, stage: &Stage) -> Written {
        let written = self.writer.finish();
        written.expect_all_there(members, stage);
        self.follower.expect_all_seen(&written, members, stage);
        written
    }
}

/// Runs until it is asked what it saw.
pub(crate) struct Follower {
    watch: Again,
    keeper: Again,
    lease: String,
    watched: PathBuf,
}

impl Follower {
    /// Begins to watch, and grants a lease with a key.
    pub(crate) fn start(stage: &Stage) -> Self {
        let client = Arc::new(client(stage));
        // A leader may just have been lost.
        let ask = |words: &[&str]| {
            let mut said = String::new();
            super::eventually(&format!("etcd takes {words:?}"), || {
                let asked = client(&[&PATIENT[..], words].concat()).output().unwrap();
                said = text(&asked.stdout);
                asked.status.success()
            });
            said
        };
        let first = ask(&["put", "written/begin", "x", "-w", "fields"]);
        let first: u64 = values(&first, "Revision").last().unwrap().parse().unwrap();
        let watched = stage.folder().join("watched");
        File::create(&watched).unwrap();
        let (watching, into) = (Arc::clone(&client), watched.clone());
        let watch = Again::start(move || {
            let seen = fs::read_to_string(&into).unwrap();
            let last =
                values(&seen, "ModRevision").last().map_or(first, |last| last.parse().unwrap());
            let from = format!("--rev={}", last + 1);
            let mut watch = watching(&["watch", "written/", "--prefix", "-w", "fields", &from]);
            watch.stdout(File::options().append(true).open(&into).unwrap()).stderr(Stdio::null());
            watch
        });
        let granted = ask(&["lease", "grant", "60"]);
        let lease = granted.split_whitespace().nth(1).unwrap().to_owned();
        ask(&["put", "held", "yes", "--lease", &lease]);
        let held = lease.clone();
        let keeper = Again::start(move || {
            let mut keeper = client(&[PATIENT[0], "lease", "keep-alive", &held]);
            keeper.stdout(Stdio::null()).stderr(Stdio::null());
            keeper
        });
        Self { watch, keeper, lease, watched }
    }

    /// The watcher has seen every acknowledged write, each once and in the order of writing, and the lease lives.
    #[track_caller]
    pub(crate) fn expect_all_seen(self, written: &Written, members: &Members, stage: &Stage) {
        let acknowledged: Vec<&str> = written.acknowledged().iter().map(String::as_str).collect();
        let seen = || -> Vec<String> {
            values(&fs::read_to_string(&self.watched).unwrap(), "Key").map(str::to_owned).collect()
        };
        super::eventually("the watcher saw all", || {
            seen().iter().filter(|key| written.acknowledged().contains(*key)).count()
                >= acknowledged.len()
        });
        let (watches, keepers) = (self.watch.end(), self.keeper.end());
        println!("the watch was started {watches} times, and {keepers} clients kept the lease");
        let seen: Vec<String> =
            seen().into_iter().filter(|key| written.acknowledged().contains(key)).collect();
        assert_eq!(seen, acknowledged, "each once and in order");
        assert_eq!(members.etcdctl(&stage.host(1), "get held --print-value-only").trim(), "yes");
        // Its end would be a write in the middle of what comes next.
        members.etcdctl(&stage.host(1), &format!("lease revoke {}", self.lease));
    }
}

/// The values of a field in what etcdctl printed as fields.
fn values<'t>(said: &'t str, field: &str) -> impl Iterator<Item = &'t str> {
    let begins = format!("\"{field}\" : ");
    said.lines().filter_map(move |line| Some(line.strip_prefix(&begins)?.trim_matches('"')))
}

/// A command that is run again whenever it ended.
struct Again {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Again {
    fn start(mut command: impl FnMut() -> Command + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut runs = 0;
            while !stopped.load(Ordering::Relaxed) {
                let mut child = command().spawn().unwrap();
                runs += 1;
                while child.try_wait().unwrap().is_none() {
                    if stopped.load(Ordering::Relaxed) {
                        child.kill().unwrap();
                        child.wait().unwrap();
                        return runs;
                    }
                    thread::sleep(Duration::from_millis(50));
                }
                thread::sleep(Duration::from_millis(200));
            }
            runs
        });
        Self { stop, thread }
    }

    /// Ends it, and returns how often it was run.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
