//! The applies that are struck, and how the hosts are made to need them again and again.

use std::time::Duration;
use std::{fmt, fs, thread};

use quorate_lab::releases::Version;
use quorate_lab::site::Runtime;
use serde_json::Value;

use crate::harness::{Members, NEWEST, Stage, eventually, on};
use crate::upgrade::want;

/// The two values that a roll goes to and fro between.
const SNAPSHOT_COUNTS: [&str; 2] = ["snapshot-count = 5000", "snapshot-count = 6000"];

/// Damages a host in as many ways as one apply repairs.
const DAMAGE: &str = "set -e; systemctl disable --quiet --now etcd-main; \
    rm -r /opt/quorate /etc/etcd/main/pki /var/lib/quorate/site /var/lib/quorate/main/marker; \
    rm -rf /var/lib/quorate/moved-aside; chmod 0755 /var/lib/etcd/main; \
    echo '# by hand' >>/etc/systemd/system/etcd-main.service; \
    mkdir -p /etc/systemd/system/etcd-main.service.d; \
    echo '[Unit]' >/etc/systemd/system/etcd-main.service.d/50-hand.conf; \
    systemctl daemon-reload";

const DAMAGE_OF_POD: &str = "set -e; echo '# by hand' >>/etc/kubernetes/manifests/etcd-main.yaml; \
    mv /etc/kubernetes/manifests/etcd-main.yaml /etc/kubernetes/aside.yaml; \
    while pgrep -x etcd; do sleep 0.1; done >/dev/null; rm /etc/kubernetes/aside.yaml; \
    rm -r /opt/quorate /etc/etcd/main/pki /var/lib/quorate/site /var/lib/quorate/main/marker; \
    chmod 0755 /var/lib/etcd/main";

/// The member that was there before is back, or there is none.
const BACK: &str = "if systemctl is-enabled -q etcd-main || [ -e /etc/kubernetes/manifests/etcd-main.yaml ]; \
    then timeout 60 sh -c 'until curl -sf -m 1 http://127.0.0.1:2381/health; do sleep 0.1; done'; fi \
    >/dev/null; true";

/// What is applied.
pub(super) enum Operation {
    /// Nothing is there, and a cluster is formed.
    Bootstrap,
    /// A flag changes, and each member is restarted.
    Roll {
        /// How often it was set up.
        round: usize,
    },
    /// One host is in a bad way.
    Repair,
    /// One host was installed again, and its member is replaced.
    Replace,
    /// The members go to a neighbouring minor.
    Hop {
        /// What they run.
        from: Version,
        /// What is wanted.
        to: Version,
        runtime: Runtime,
        /// How often it was set up.
        round: usize,
    },
}

impl Operation {
    /// Brings the hosts where the apply begins.
    pub(super) fn set_up(&mut self, stage: &Stage) {
        match self {
            Operation::Bootstrap => stage.wipe(),
            Operation::Roll { round } => {
                lead(stage, 1);
                let [one, other] = SNAPSHOT_COUNTS;
                let (from, to) = if *round % 2 == 0 { (other, one) } else { (one, other) };
                stage.edit(|text| match text.contains(from) {
                    true => text.replace(from, to),
                    false => {
                        text.replace("\n[pki]", &format!("\n[clusters.main.etcd]\n{to}\n\n[pki]"))
                    }
                });
                *round += 1;
            }
            Operation::Repair => {
                lead(stage, 1);
                drop(on(&stage.host(2), stage.by_runtime(DAMAGE, DAMAGE_OF_POD)));
            }
            Operation::Replace => {
                lead(stage, 1);
                stage.reinstall(&stage.host(2));
            }
            Operation::Hop { from, to, runtime, round } => {
                if *round == 0 {
                    // From then on the hosts have both releases, and every plan has the same steps.
                    bring(stage, *from, *to, *runtime);
                }
                bring(stage, *to, *from, *runtime);
                lead(stage, 1);
                want(stage, *from, *to, *runtime);
                *round += 1;
            }
        }
    }

    /// What `apply` is given beside its name.
    pub(super) fn words(&self) -> &'static [&'static str] {
        match self {
            Operation::Replace => &["--replace", "etcd-2"],
            Operation::Bootstrap
            | Operation::Roll { .. }
            | Operation::Repair
            | Operation::Hop { .. } => &[],
        }
    }

    /// The same of the apply that continues. Once the failed member is removed, nobody has to name it again.
    pub(super) fn rest(&self, stage: &Stage) -> &'static [&'static str] {
        let is_open =
            !self.words().is_empty() && stage.run(&["plan"]).stdout.contains("[lost-member]");
        if is_open { self.words() } else { &[] }
    }

    /// How often it is done undisturbed. To another minor it goes back each time.
    pub(super) fn rounds(&self) -> usize {
        if matches!(self, Operation::Hop { .. }) { 1 } else { 2 }
    }

    /// What the members run in the end.
    pub(super) fn version(&self) -> Version {
        match self {
            Operation::Hop { to, .. } => *to,
            Operation::Bootstrap
            | Operation::Roll { .. }
            | Operation::Repair
            | Operation::Replace => NEWEST,
        }
    }

    /// Which of its two ends it was set up for last.
    pub(super) fn goal(&self) -> usize {
        match self {
            Operation::Roll { round } => (round + 1) % 2,
            Operation::Bootstrap
            | Operation::Repair
            | Operation::Replace
            | Operation::Hop { .. } => 0,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Operation::Bootstrap => "bootstrap",
            Operation::Roll { .. } => "roll",
            Operation::Repair => "repair",
            Operation::Replace => "replacement",
            Operation::Hop { from, to, .. } if from < to => "upgrade",
            Operation::Hop { .. } => "downgrade",
        })
    }
}

/// Brings the cluster to a release, where the inventory wants the other one.
fn bring(stage: &Stage, from: Version, to: Version, runtime: Runtime) {
    settle(stage);
    if fs::read_to_string(stage.inventory()).unwrap().contains(&format!("version = \"{from}\"")) {
        want(stage, from, to, runtime);
        stage.run(&["apply", "--yes"]).ends(0);
    }
}

/// Waits until every member that was there is back.
pub(super) fn settle(stage: &Stage) {
    thread::scope(|scope| {
        for host in stage.hosts() {
            scope.spawn(move || on(&host, BACK));
        }
    });
    // Active is not yet caught up.
    thread::sleep(Duration::from_millis(500));
}

/// Hands leadership to a host's member, so that every plan is the same.
fn lead(stage: &Stage, number: u8) {
    settle(stage);
    let members = Members::of_main(NEWEST, 3);
    let status = members.etcdctl(&stage.host(number), "endpoint status -w json");
    let status: Value = serde_json::from_str(&status).unwrap();
    let id = status[0]["Status"]["header"]["member_id"].as_u64().unwrap();
    let leader = status[0]["Status"]["leader"].as_u64().unwrap();
    if id != leader {
        let leads = |host: &quorate_lab::Host| {
            let status: Value =
                serde_json::from_str(&members.etcdctl(host, "endpoint status -w json")).unwrap();
            status[0]["Status"]["header"]["member_id"].as_u64() == Some(leader)
        };
        // A member that has not caught up can't take it.
        eventually("another member takes the lead", || {
            let leader = stage.hosts().into_iter().find(leads);
            let hand_over = members.command(&format!("move-leader {id:x}"));
            leader.is_some_and(|leader| leader.ssh(&hand_over).unwrap().status.success())
        });
    }
}
