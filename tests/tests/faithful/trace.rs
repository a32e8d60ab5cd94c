//! Random operations, done to the simulated world and to real members.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::answers;
use crate::chance::Chance;
use crate::real::Members;
use crate::simulated::Simulated;

/// How many operations a trace has.
const OPERATIONS: usize = 12;

/// How long the real members may take to reach what the world says at once: elections, snapshots
/// and a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Something that is done to one of three members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Its unit is started.
    Start(usize),
    /// It is killed, without a word.
    Kill(usize),
    /// It is stopped as systemd does it, and started.
    Restart(usize),
    /// It is frozen: its process stays, and does nothing.
    Freeze(usize),
    /// It runs again.
    Thaw(usize),
    /// Its data directory is emptied, while it does not run.
    Wipe(usize),
    /// Its unit gets the token of another bootstrap, while it has no data.
    OtherToken(usize),
    /// The leader is asked to hand over to it.
    HandOverTo(usize),
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, member) = match self {
            Operation::Start(member) => ("start", member),
            Operation::Kill(member) => ("kill", member),
            Operation::Restart(member) => ("restart", member),
            Operation::Freeze(member) => ("freeze", member),
            Operation::Thaw(member) => ("thaw", member),
            Operation::Wipe(member) => ("wipe", member),
            Operation::OtherToken(member) => ("give another token to", member),
            Operation::HandOverTo(member) => ("hand over to", member),
        };
        write!(f, "{what} etcd-{}", member + 1)
    }
}

/// Whether an operation was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Refused,
}

/// What can be seen of a cluster from outside. Ids are left out: a world's are its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    /// For each member, whether it answers and knows a leader.
    pub(crate) answers: [bool; 3],
    /// For each member, whether it ever told systemd that it is ready.
    pub(crate) ready: [bool; 3],
    /// The members whose client URL is in the list of those that answer.
    pub(crate) published: [bool; 3],
    /// Whether all that answer name the same cluster, and a member that answers as its leader.
    pub(crate) agree: bool,
}

/// How a trace ended.
pub(crate) struct Ended {
    /// Operations after which both were compared.
    pub(crate) compared: usize,
    /// How often each answer was given.
    pub(crate) answers: BTreeMap<String, usize>,
    /// Where they did not agree, with what was done until then.
    pub(crate) difference: Option<String>,
}

/// Replays the trace of a seed on both.
pub(crate) fn replay(etcd: &Path, seed: u64) -> Ended {
    let mut chance = Chance(seed);
    let mut world = Simulated::prepared();
    let mut members = Members::new(etcd);
    let mut story = vec![format!("trace {seed}")];
    let mut answers = BTreeMap::new();
    for compared in 0..OPERATIONS {
        let possible = world.possible();
        let operation = possible[chance.below(possible.len())];
        // The leader matters only to a handover.
        let patience = match operation {
            Operation::HandOverTo(_) => answers::MORE_PATIENCE,
            _ => answers::PATIENCE,
        };
        world.leads(members.leader(patience));
        let (told, said) = (world.act(operation), members.act(operation));
        story.push(format!("{operation}: the world {told:?}, etcd {said:?}"));
        *answers.entry(format!("{said:?}")).or_default() += 1;
        let wanted = world.view();
        let seen = settled(&mut members, &wanted);
        story.push(format!("  world {wanted:?}\n  etcd  {seen:?}"));
        if told != said || wanted != seen {
            story.push(members.last_words());
            return Ended { compared, answers, difference: Some(story.join("\n")) };
        }
    }
    Ended { compared: OPERATIONS, answers, difference: None }
}

/// What the members show once it is what is wanted, and at the end of all patience.
fn settled(members: &mut Members, wanted: &View) -> View {
    let started = Instant::now();
    loop {
        // A member that is frozen never answers, so that little is waited for at first.
        let patience = if started.elapsed() < PATIENCE / 4 {
            answers::PATIENCE
        } else {
            answers::MORE_PATIENCE
        };
        let seen = members.view(patience);
        if seen == *wanted || started.elapsed() > PATIENCE {
            return seen;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
