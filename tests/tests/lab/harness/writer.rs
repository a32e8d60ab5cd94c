//! A client that writes all the time, and knows what was acknowledged.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use quorate_lab::releases;

use super::{Members, NEWEST, Stage};

/// Writes one key after the other until it is stopped.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Written>,
}

/// What came of the writing.
#[derive(Debug)]
pub(crate) struct Written {
    /// Keys whose write etcd acknowledged.
    acknowledged: BTreeSet<String>,
    /// How many writes were answered with an error, or not in time.
    pub(crate) failed: usize,
    /// The longest time between two acknowledged writes.
    pub(crate) longest_gap: Duration,
}

impl Writer {
    /// Begins to write, with a client certificate of its own and every member as an endpoint.
    pub(crate) fn start(stage: &Stage) -> Self {
        let client = client(stage);
        let put = move |key: &str| {
            let mut command = client(&["--command-timeout=2s", "put", key, key]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || write(&stopped, put));
        Self { stop, thread }
    }

    /// Stops writing.
    pub(crate) fn finish(self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Commands of an etcdctl with a client certificate of its own and every member as an endpoint.
pub(super) fn client(stage: &Stage) -> impl Fn(&[&str]) -> Command + Send + use<> {
    if !stage.folder().join("writer").exists() {
        stage
            .run(&["client-cert", "--cluster", "main", "--cn", "writer", "--out", "writer"])
            .ends(0);
    }
    let arch = releases::architecture().unwrap();
    let etcdctl = releases::ensure_binaries(NEWEST, &arch, |_| {}).unwrap().join("etcdctl");
    let url = |host: &quorate_lab::Host| format!("https://{}:2379", host.address());
    let endpoints: Vec<String> = stage.hosts().iter().map(url).collect();
    let (endpoints, folder) = (endpoints.join(","), stage.folder().join("writer"));
    move |words: &[&str]| {
        let mut command = Command::new(&etcdctl);
        command.args(["--dial-timeout=1s", "--endpoints", &endpoints]);
        command.arg("--cacert").arg(folder.join("ca.crt"));
        command.arg("--cert").arg(folder.join("writer.crt"));
        command.arg("--key").arg(folder.join("writer.key")).args(words);
        command
    }
}

fn write(stopped: &AtomicBool, put: impl Fn(&str) -> bool) -> Written {
    let mut written =
        Written { acknowledged: BTreeSet::new(), failed: 0, longest_gap: Duration::ZERO };
    let mut last = Instant::now();
    for number in 0_u32.. {
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("written/{number:06}");
        if put(&key) {
            written.longest_gap = written.longest_gap.max(last.elapsed());
            last = Instant::now();
            written.acknowledged.insert(key);
        } else {
            written.failed += 1;
        }
    }
    written.longest_gap = written.longest_gap.max(last.elapsed());
    written
}

impl Written {
    /// Nothing that was acknowledged is gone.
    #[track_caller]
    pub(crate) fn expect_all_there(&self, members: &Members, stage: &Stage) {
        assert!(self.acknowledged.len() > 10, "{self:?}");
        let kept = members.etcdctl(&stage.host(1), "get written/ --prefix --keys-only");
        let kept: BTreeSet<String> =
            kept.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let lost: Vec<&String> = self.acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    }

    /// Whether a write was acknowledged.
    pub(crate) fn acknowledged(&self) -> &BTreeSet<String> {
        &self.acknowledged
    }

    /// What clients noticed, for people.
    pub(crate) fn note(&self, what: &str) {
        println!(
            "{what}: {} writes acknowledged, {} failed, longest gap {:.2} s",
            self.acknowledged.len(),
            self.failed,
            self.longest_gap.as_secs_f64()
        );
    }
}
