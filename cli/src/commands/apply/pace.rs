//! How far an apply may continue: an interrupt stops it, and with `--pause` it waits between members for a yes.

use std::cell::RefCell;
use std::collections::BTreeSet;

use engine::event::Event;
use engine::execute::Signal;
use planner::StepId;
use planner::progress::Outcome;
use tokio::sync::watch;

/// Whether an apply asks between members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Pause {
    Never,
    BetweenMembers,
}

/// The pace of one apply.
pub(super) struct Pace {
    signal: watch::Sender<Signal>,
    /// The steps after which it asks.
    pauses: BTreeSet<StepId>,
    running: RefCell<BTreeSet<StepId>>,
    /// Those of them that ended since it asked last.
    ended: RefCell<BTreeSet<StepId>>,
}

impl Pace {
    /// Asks after these steps.
    pub(super) fn new(pauses: BTreeSet<StepId>) -> (Self, watch::Receiver<Signal>) {
        let (signal, signalled) = watch::channel(Signal::Go);
        let (running, ended) = (RefCell::default(), RefCell::default());
        (Self { signal, pauses, running, ended }, signalled)
    }

    /// Takes in what happened, before another step can begin.
    pub(super) fn note(&self, event: &Event) {
        match event {
            Event::StepStarted { id, .. } => {
                self.running.borrow_mut().insert(id.clone());
            }
            Event::StepFinished { id, outcome, .. } => {
                self.running.borrow_mut().remove(id);
                let is_done = matches!(outcome, Outcome::Done | Outcome::AlreadyDone);
                if is_done && self.pauses.contains(id) {
                    self.ended.borrow_mut().insert(id.clone());
                    self.change(Signal::Go, Signal::Pause);
                }
            }
            Event::Started { .. }
            | Event::ConnectionLost { .. }
            | Event::Reconnected { .. }
            | Event::Stopping { .. } => {}
        }
    }

    /// What to ask, once it is paused and nothing runs.
    pub(super) fn question(&self) -> Option<String> {
        let is_quiet = *self.signal.borrow() == Signal::Pause && self.running.borrow().is_empty();
        let ended = self.ended.borrow();
        let of = |id: &StepId| match id.scope.cluster() {
            Some(cluster) => format!("{} of {cluster}", id.host),
            None => id.host.to_string(),
        };
        let ended: Vec<String> = ended.iter().map(of).collect();
        let verb = if ended.len() == 1 { "is" } else { "are" };
        is_quiet.then(|| {
            format!(
                "\n{} {verb} done. Continue with the next member?\n  \
                 Only 'yes' continues. Anything else stops here, and the next apply finishes the rest.\n\n  \
                 Enter a value: ",
                ended.join(", ")
            )
        })
    }

    /// Takes the answer.
    pub(super) fn answered(&self, answer: Option<&str>) {
        self.ended.borrow_mut().clear();
        match answer {
            Some("yes") => self.change(Signal::Pause, Signal::Go),
            Some(_) | None => self.stop(),
        }
    }

    /// No further step begins.
    pub(super) fn stop(&self) {
        self.signal.send_replace(Signal::Stop);
    }

    pub(super) fn is_stopped(&self) -> bool {
        *self.signal.borrow() == Signal::Stop
    }

    fn change(&self, from: Signal, to: Signal) {
        self.signal.send_if_modified(|now| {
            let is_from = *now == from;
            if is_from {
                *now = to;
            }
            is_from
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use planner::plan::Action;

    use super::*;

    fn id(text: &str) -> StepId {
        text.parse().unwrap()
    }

    fn started(text: &str) -> Event {
        Event::StepStarted { id: id(text), action: Action::Run }
    }

    fn finished(text: &str, outcome: Outcome) -> Event {
        let (elapsed, note, error) = (Duration::ZERO, None, None);
        Event::StepFinished { id: id(text), outcome, elapsed, note, error }
    }

    #[test]
    fn it_asks_once_nothing_runs_and_anything_but_yes_stops_it() {
        let (one, two) = ("etcd-1/main/rejoin", "etcd-4/events/rejoin");
        for (answer, signal) in
            [(Some("yes"), Signal::Go), (Some("y"), Signal::Stop), (None, Signal::Stop)]
        {
            let (pace, signalled) = Pace::new([id(one), id(two)].into());
            pace.note(&started(one));
            pace.note(&started(two));
            assert_eq!((pace.question(), *signalled.borrow()), (None, Signal::Go));
            pace.note(&finished(one, Outcome::Done));
            assert_eq!((pace.question(), *signalled.borrow()), (None, Signal::Pause));
            pace.note(&finished(two, Outcome::AlreadyDone));
            let question = pace.question().unwrap();
            assert!(question.contains("etcd-1 of main, etcd-4 of events are done."), "{question}");
            pace.answered(answer);
            assert_eq!((pace.question(), *signalled.borrow()), (None, signal));
        }
    }

    #[test]
    fn a_turn_that_failed_and_a_stop_ask_nothing() {
        let one = "etcd-1/main/rejoin";
        let (pace, signalled) = Pace::new([id(one)].into());
        pace.note(&started(one));
        pace.note(&finished(one, Outcome::Failed));
        assert_eq!((pace.question(), *signalled.borrow()), (None, Signal::Go));
        pace.stop();
        pace.note(&finished(one, Outcome::Done));
        assert_eq!((pace.question(), *signalled.borrow()), (None, Signal::Stop));
    }
}
