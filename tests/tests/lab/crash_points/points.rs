//! The points at which an apply is struck.

use std::fmt;

use serde_json::Value;

/// What befalls an apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blow {
    /// quorate gets SIGKILL. What it started on a host keeps running there.
    Kill,
    /// The step's host loses its power and boots again, while quorate keeps running.
    PowerCut,
}

/// When it does, by what quorate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moment {
    /// It has told its plan, and takes the lock.
    Planned,
    /// It says that a step begins: the script is on its way to the host.
    Begins(String),
    /// Half the time has passed that the step takes when nothing befalls it: the script runs.
    Halfway(String),
    /// It says that a step was done: the host has changed, and steps that wait for it may start.
    Ends(String),
    /// All steps were done, and it gives the lock back.
    Finished,
}

/// A point: what and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) blow: Blow,
    pub(super) moment: Moment,
    /// The host that loses its power.
    pub(super) host: Option<u8>,
}

impl Point {
    fn kill(moment: Moment) -> Self {
        Self { blow: Blow::Kill, moment, host: None }
    }

    /// Whether it strikes quorate while that certainly holds the lock.
    pub(super) fn holds_the_lock(&self) -> bool {
        use Moment::{Begins, Ends, Finished, Halfway, Planned};
        self.blow == Blow::Kill
            && match self.moment {
                Begins(_) | Halfway(_) | Ends(_) => true,
                Planned | Finished => false,
            }
    }
}

/// Every point of a plan, from its JSON: quorate is killed before the first step, three times in each
/// step, and after the last; and in each step the host's power is cut.
pub(super) fn of_plan(plan: &Value) -> Vec<Point> {
    let mut points = vec![Point::kill(Moment::Planned)];
    for step in plan["steps"].as_array().unwrap() {
        let id = || step["id"].as_str().unwrap().to_owned();
        let host = step["host"].as_str().unwrap().trim_start_matches("etcd-").parse().unwrap();
        let moments = [Moment::Begins(id()), Moment::Halfway(id()), Moment::Ends(id())];
        points.extend(moments.map(Point::kill));
        let moment = Moment::Halfway(id());
        points.push(Point { blow: Blow::PowerCut, moment, host: Some(host) });
    }
    points.push(Point::kill(Moment::Finished));
    points
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Blow::Kill => "kill",
            Blow::PowerCut => "power cut",
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blow = self.blow;
        match &self.moment {
            Moment::Planned => write!(f, "{blow}: after the plan"),
            Moment::Begins(step) => write!(f, "{blow}: {step} begins"),
            Moment::Halfway(step) => write!(f, "{blow}: {step} halfway"),
            Moment::Ends(step) => write!(f, "{blow}: {step} ends"),
            Moment::Finished => write!(f, "{blow}: after the last step"),
        }
    }
}
