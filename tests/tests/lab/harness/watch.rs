//! Argument lists and environments of every process on the machine, looked at all the time.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Looks at `/proc` until it is asked what it saw. The hosts' processes are the machine's too.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<Vec<u8>>>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                look(&mut seen);
            }
            seen
        });
        Self { stop, thread }
    }

    /// Every argument list and environment that was seen.
    pub(crate) fn seen(self) -> BTreeSet<Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn look(seen: &mut BTreeSet<Vec<u8>>) {
    let own = std::process::id().to_string();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let name = entry.file_name();
        let is_pid = name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
        if !is_pid || name.to_string_lossy() == own {
            continue;
        }
        for file in ["cmdline", "environ"] {
            // A process may be gone by now.
            if let Ok(text) = fs::read(entry.path().join(file)) {
                seen.insert(text);
            }
        }
    }
}
