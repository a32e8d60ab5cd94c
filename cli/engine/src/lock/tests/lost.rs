//! A connection to a real sshd that is lost in the middle of a step.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use inventories::HostName;
use planner::plan::{Action, Guard, Verb, Why};
use planner::{Step, StepId, StepKind};

use super::super::connections::LockedHosts;
use super::super::fence::{Fence, LockedConnection};
use crate::hosts::StepErrorKind;
use crate::pool::Pool;
use crate::script::call::{self, Arguments};
use crate::script::{self, answer};
use remote::test_server::{Cable, Sshd, wait_for};
use remote::{Call, Payload, RemoteError, Reply, Target};

macro_rules! step {
    ($body:literal) => {
        concat!(
            include_str!("../../script/sh/preamble.sh"),
            include_str!("../../script/sh/lock.sh"),
            include_str!("../../script/sh/fence.sh"),
            include_str!("../../script/sh/members.sh"),
            include_str!("../../script/sh/guards.sh"),
            $body
        )
    };
}

/// TRACE SECONDS: a step that takes its time, and leaves a line when it begins and one when it ends.
const SLOW: &str = step!(
    "takes 'trace seconds' \"$@\"\necho started >>\"$trace\"; sleep \"$seconds\"; echo ended >>\"$trace\"; changed"
);
/// TRACE -: a step that takes what was sent to it.
const WAITING: &str = step!(
    "takes 'trace seconds' \"$@\"\necho started >>\"$trace\"; sleep 1; recv \"$blob1\" >\"$trace.blob\"; echo ended >>\"$trace\"; changed"
);

/// A host behind a cable, with its lock taken.
struct Site {
    sshd: Sshd,
    cable: Cable,
    pool: Arc<Pool>,
    fence: Fence,
    hosts: LockedHosts,
    step: Step,
}

impl Site {
    /// `None` where the test can't be root, as scripts on hosts are.
    async fn locked() -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            println!("skipped: needs root");
            return None;
        }
        let sshd = Sshd::start();
        let cable = Cable::to(sshd.port);
        let target = sshd.target();
        sshd.know(&format!("[127.0.0.1]:{} {}", cable.port, sshd.host_key("ed25519")));
        let host: HostName = "etcd-1".parse().unwrap();
        let target = Target { port: cable.port, ..target };
        let pool = Arc::new(Pool::new(BTreeMap::from([(host.clone(), target)]), 1));
        let lock = sshd.path("lock").display().to_string();
        let claim = [("run", "n1"), ("by", "ann@a"), ("at", "noon"), ("what", "a why")];
        let take = Arguments::new().with("lock", &lock).with("seconds", 60).with("history", "-");
        let take = claim.iter().fold(take, |take, (key, value)| take.with(key, value));
        let take = call::call(script::LOCK_TAKE, take, Payload::new());
        let taken = pool.connection(&host).await.unwrap().run(take).await.unwrap();
        assert!(answer::read(&taken).is_ok(), "{}", taken.stderr);
        let fence = Fence {
            journal: sshd.path("journal").display().to_string(),
            lock,
            nonce: "n1".to_owned(),
            generations: BTreeMap::from([(host.clone(), 1)]),
            machines: BTreeMap::new(),
            who: "ann@a".to_owned(),
            plan: "0f0f".to_owned(),
            commit: None,
        };
        let step = Step {
            id: StepId::for_host(&host, Verb::RegisterHost),
            action: Action::Create,
            kind: StepKind::CreateAccount { name: Default::default() },
            guard: Guard::Nothing,
            after: Default::default(),
            why: Why::Unfinished,
        };
        let hosts = LockedHosts::new(Arc::clone(&pool), fence.clone());
        Some(Self { hosts, pool, fence, sshd, cable, step })
    }

    fn trace(&self) -> PathBuf {
        self.sshd.path("trace")
    }

    fn traced(&self) -> String {
        std::fs::read_to_string(self.trace()).unwrap_or_default()
    }

    fn slow(&self, seconds: u32) -> Call {
        let trace = self.trace().display().to_string();
        let args = Arguments::new().with("trace", trace).with("seconds", seconds);
        call::call(SLOW, args, Payload::new())
    }

    async fn run(&self, call: Call) -> Result<Reply, RemoteError> {
        self.hosts.connection(&self.step).await.unwrap().run(call).await
    }

    /// Runs a step and does something to its connection once it has started.
    async fn interrupted(&self, call: Call, interrupt: impl FnOnce(&Cable)) -> StepErrorKind {
        let trace = self.trace();
        let has_started = async {
            let exists = move || wait_for(|| trace.exists());
            assert!(tokio::task::spawn_blocking(exists).await.unwrap());
            interrupt(&self.cable);
        };
        let (outcome, ()) = tokio::join!(self.run(call), has_started);
        crate::script::failure::Failure::from(outcome.unwrap_err()).kind
    }
}

#[tokio::test]
async fn after_a_cut_the_step_is_done_again_and_its_first_attempt_is_over() {
    let Some(site) = Site::locked().await else { return };
    let lost = site.interrupted(site.slow(60), Cable::cut).await;
    assert!(matches!(lost, StepErrorKind::Lost(_)), "{lost:?}");

    let waited = std::time::Instant::now();
    site.hosts.reconnect(site.step.host()).await.unwrap();
    assert!(waited.elapsed().as_secs() < 20, "{:?}", waited.elapsed());
    let reply = site.run(site.slow(0)).await.unwrap();
    assert_eq!(answer::read(&reply).unwrap().body, "");
    assert_eq!(site.traced(), "started\nstarted\nended\n");
    let lock = std::fs::read_to_string(site.sshd.path("lock")).unwrap();
    assert!(lock.contains("generation 2\nnonce n1\n"), "{lock}");
}

#[tokio::test]
async fn a_first_attempt_that_is_nearly_done_is_let_finish() {
    let Some(site) = Site::locked().await else { return };
    site.interrupted(site.slow(2), Cable::cut).await;
    site.hosts.reconnect(site.step.host()).await.unwrap();
    assert_eq!(site.traced(), "started\nended\n");
}

#[tokio::test]
async fn a_script_of_the_lost_connection_that_begins_late_does_nothing() {
    let Some(site) = Site::locked().await else { return };
    site.interrupted(site.slow(2), Cable::cut).await;
    site.hosts.reconnect(site.step.host()).await.unwrap();
    let before = site.traced();
    let connection = site.pool.connection(site.step.host()).await.unwrap();
    let late = LockedConnection::new(connection, site.fence.arguments(&site.step, 1).unwrap());
    let refusal = answer::read(&late.run(site.slow(0)).await.unwrap()).unwrap_err();
    assert!(matches!(refusal.kind, StepErrorKind::Guard(_)), "{refusal:?}");
    assert_eq!(site.traced(), before);
}

#[tokio::test]
async fn a_script_that_waits_for_bytes_which_will_not_come_is_ended() {
    let Some(site) = Site::locked().await else { return };
    let mut call = site.slow(0);
    call.script = WAITING;
    call.payload = Payload::new().with(vec![0; 100_000_000]);
    let lost = site.interrupted(call, Cable::strand).await;
    assert!(lost.lost().is_some(), "{lost:?}");
    site.hosts.reconnect(site.step.host()).await.unwrap();
    assert_eq!(site.traced(), "started\n");
    site.run(site.slow(0)).await.unwrap();
}

#[tokio::test]
async fn steps_that_share_a_host_are_reconnected_once() {
    let Some(site) = Site::locked().await else { return };
    let (one, two) =
        tokio::join!(site.interrupted(site.slow(60), Cable::cut), site.run(site.slow(60)));
    assert!(one.lost().is_some() && two.is_err());
    let (first, second) = tokio::join!(
        site.hosts.reconnect(site.step.host()),
        site.hosts.reconnect(site.step.host())
    );
    assert!(first.is_ok() && second.is_ok());
    let lock = std::fs::read_to_string(site.sshd.path("lock")).unwrap();
    assert!(lock.contains("generation 2\n"), "{lock}");
}

#[tokio::test]
async fn a_lock_that_somebody_else_took_meanwhile_ends_the_wait() {
    let Some(site) = Site::locked().await else { return };
    site.run(site.slow(0)).await.unwrap();
    site.cable.cut();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let lock = std::fs::read_to_string(site.sshd.path("lock")).unwrap();
    let taken = lock.replace("nonce n1", "nonce n2").replace("ann@a", "bob@b");
    std::fs::write(site.sshd.path("lock"), taken).unwrap();
    let failure = site.hosts.reconnect(site.step.host()).await.unwrap_err();
    let StepErrorKind::Guard(why) = failure.kind else { panic!("{failure:?}") };
    assert!(why.contains("bob@b took the lock over"), "{why}");
}
