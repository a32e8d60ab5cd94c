//! Three etcds on loopback, started as the units of quorate start theirs.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::answers;
use crate::process::{self, Process};
use crate::trace::{Operation, Verdict, View};

/// The second number of these members' addresses.
const NET: u8 = 64;

/// As in real life, and no port that a connection may have by chance while a member is down.
const PEER_PORT: u16 = 2380;

/// How many lines of the members' logs a report of a difference shows.
const LAST_WORDS: usize = 40;

/// The members of one cluster. They end, and leave nothing behind, when it is dropped.
pub(crate) struct Members {
    etcd: PathBuf,
    dir: PathBuf,
    all: [Member; 3],
}

struct Member {
    address: Ipv4Addr,
    token: String,
    process: Option<Process>,
    /// What systemd would listen on.
    notifications: UnixDatagram,
    /// The witness that the unit writes once etcd reports ready.
    ready: bool,
}

impl Members {
    /// Three members, none of which was ever started.
    pub(crate) fn new(etcd: &Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("quorate-faithful-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).unwrap();
        let member = |index: usize| {
            let notifications = UnixDatagram::bind(dir.join(format!("notify-{index}"))).unwrap();
            notifications.set_nonblocking(true).unwrap();
            Member {
                address: process::address(NET, number, 3, index),
                token: "first".to_owned(),
                process: None,
                notifications,
                ready: false,
            }
        };
        let all = std::array::from_fn(member);
        Self { etcd: etcd.to_owned(), dir, all }
    }

    /// Does an operation, and says whether etcd, or the unit around it, accepts it.
    pub(crate) fn act(&mut self, operation: Operation) -> Verdict {
        match operation {
            Operation::Start(index) => return self.start(index),
            Operation::Kill(index) => self.end(index, "KILL"),
            Operation::Restart(index) => {
                self.end(index, "TERM");
                return self.start(index);
            }
            Operation::Freeze(index) => self.signal(index, "STOP"),
            Operation::Thaw(index) => self.signal(index, "CONT"),
            Operation::Wipe(index) => {
                let data = self.data(index);
                if data.exists() {
                    fs::remove_dir_all(data).unwrap();
                }
            }
            Operation::OtherToken(index) => self.all[index].token = "second".to_owned(),
            Operation::HandOverTo(index) => return self.hand_over(index),
        }
        Verdict::Accepted
    }

    /// The member that leads, as those that answer say.
    pub(crate) fn leader(&self, patience: Duration) -> Option<usize> {
        let statuses = self.all.each_ref().map(|member| answers::status(member.address, patience));
        let leader = statuses.iter().flatten().find_map(|status| status.leader.clone())?;
        statuses.iter().position(|status| status.as_ref().is_some_and(|s| s.member == leader))
    }

    /// What can be seen from outside, where each answer is waited for so long.
    pub(crate) fn view(&mut self, patience: Duration) -> View {
        for member in &mut self.all {
            member.hear();
        }
        let statuses = self.all.each_ref().map(|member| {
            answers::status(member.address, patience).filter(|status| {
                status.leader.is_some() && answers::reads(member.address, patience)
            })
        });
        let up: Vec<_> = statuses.iter().flatten().collect();
        let leaders =
            up.iter().all(|one| up.iter().any(|other| one.leader.as_ref() == Some(&other.member)));
        let one_cluster = up.iter().all(|status| status.cluster == up[0].cluster);
        let names = self
            .all
            .iter()
            .zip(&statuses)
            .filter_map(|(member, status)| {
                status.as_ref().and_then(|_| answers::published(member.address, patience))
            })
            .next()
            .unwrap_or_default();
        View {
            answers: statuses.each_ref().map(Option::is_some),
            ready: self.all.each_ref().map(|member| member.ready),
            published: std::array::from_fn(|index| names.contains(&name(index))),
            agree: leaders && one_cluster,
        }
    }

    /// The end of what the members logged.
    pub(crate) fn last_words(&self) -> String {
        let said = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    fn data(&self, index: usize) -> PathBuf {
        self.dir.join(name(index))
    }

    /// What the unit does: without its log a member that was ever ready does not start.
    fn start(&mut self, index: usize) -> Verdict {
        let has_log = self.data(index).join("member/wal").exists();
        self.all[index].hear();
        if !has_log && self.all[index].ready {
            return Verdict::Refused;
        }
        let url = |member: &Member, port: u16| format!("http://{}:{port}", member.address);
        let peers =
            self.all.iter().enumerate().map(|(i, m)| format!("{}={}", name(i), url(m, PEER_PORT)));
        let peers = peers.collect::<Vec<_>>().join(",");
        let member = &self.all[index];
        let (client, peer) = (url(member, answers::CLIENT_PORT), url(member, PEER_PORT));
        let flags = [
            ("name", name(index)),
            ("data-dir", self.data(index).display().to_string()),
            ("listen-client-urls", client.clone()),
            ("advertise-client-urls", client),
            ("listen-peer-urls", peer.clone()),
            ("initial-advertise-peer-urls", peer),
            ("initial-cluster", peers),
            ("initial-cluster-token", member.token.clone()),
            ("initial-cluster-state", "new".to_owned()),
            ("heartbeat-interval", "20".to_owned()),
            ("election-timeout", "200".to_owned()),
        ];
        let notify = self.dir.join(format!("notify-{index}"));
        let child = Process::start(&self.etcd, &flags, Some(&notify), &self.log());
        self.all[index].process = Some(child);
        Verdict::Accepted
    }

    fn hand_over(&self, to: usize) -> Verdict {
        let (Some(leader), Some(target)) = (self.leader(answers::MORE_PATIENCE), self.id(to))
        else {
            return Verdict::Refused;
        };
        if leader == to || answers::hand_over(self.all[leader].address, &target) {
            Verdict::Accepted
        } else {
            Verdict::Refused
        }
    }

    fn id(&self, index: usize) -> Option<String> {
        answers::status(self.all[index].address, answers::MORE_PATIENCE).map(|status| status.member)
    }

    fn signal(&self, index: usize, signal: &str) {
        if let Some(process) = &self.all[index].process {
            process.signal(signal);
        }
    }

    fn end(&mut self, index: usize, signal: &str) {
        if let Some(process) = self.all[index].process.take() {
            process.end(signal);
        }
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for member in &mut self.all {
            member.process = None;
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Member {
    /// Hears what etcd told systemd.
    fn hear(&mut self) {
        let mut words = [0; 256];
        while let Ok(length) = self.notifications.recv(&mut words) {
            self.ready |= words[..length].starts_with(b"READY=1");
        }
    }
}

fn name(index: usize) -> String {
    format!("etcd-{}", index + 1)
}
