//! Two runs, three hosts, and everything that they and their surroundings may do.

use crate::Reach;
use crate::host::{Lease, Lock, Rules, Run};

/// What the surroundings do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// Nothing.
    Calm,
    /// Leases expire at any moment, runs are killed, and an operator frees a host's lock once.
    Hostile,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// Not started.
    Idle,
    /// It takes the lock, host by host.
    Taking,
    /// It was refused somewhere, and gives back what it has.
    Losing,
    /// It has the lock, and runs steps.
    Holding,
    /// It has learned that another run holds the lock: it starts no further step.
    Told,
    /// It gives the lock back at its end.
    Ending,
    /// It ended as one that never had the lock.
    Lost,
    /// It ended.
    Done,
    /// It was killed. Its scripts live on.
    Dead,
}

/// A step's script on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Script {
    generation: u8,
    works: bool,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RunState {
    pub(crate) phase: Phase,
    /// The generation that it took, by host.
    got: [Option<u8>; 3],
    refused: [bool; 3],
    /// Its script on each host: on its way there, or at work.
    scripts: [Option<Script>; 3],
    /// Steps that it still wants to run.
    steps: u8,
}

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    locks: [Lock; 3],
    pub(crate) runs: [RunState; 2],
    /// Whether the operator has freed a lock.
    freed: bool,
}

impl State {
    /// Before anything.
    pub(crate) fn first() -> Self {
        let run = RunState {
            phase: Phase::Idle,
            got: [None; 3],
            refused: [false; 3],
            scripts: [None; 3],
            steps: 1,
        };
        Self { locks: std::array::from_fn(|_| Lock::new()), runs: [run.clone(), run], freed: false }
    }

    /// Everything that may happen next, in words.
    pub(crate) fn moves(self, reach: Reach, world: World, rules: Rules) -> Vec<(String, State)> {
        let mut next = Vec::new();
        for (run, hosts) in reach.into_iter().enumerate() {
            self.of_run(run, hosts, rules, &mut next);
            self.of_scripts(run, rules, &mut next);
            let alive = !matches!(
                self.runs[run].phase,
                Phase::Idle | Phase::Lost | Phase::Done | Phase::Dead
            );
            if world == World::Hostile && alive {
                next.push(
                    self.with(format!("run {run} is killed"), |s| s.runs[run].phase = Phase::Dead),
                );
            }
        }
        for host in 0..3 {
            let lasts = self.locks[host].lease == Lease::Lasts;
            if world == World::Hostile && lasts {
                let what = format!("the lease on host {host} expires");
                next.push(self.with(what, |s| s.locks[host].lease = Lease::Expired));
                if !self.freed && self.is_quiet(host) {
                    next.push(self.with(format!("the operator frees host {host}"), |s| {
                        s.locks[host].free();
                        s.freed = true;
                    }));
                }
            }
        }
        next
    }

    fn with(&self, what: String, change: impl FnOnce(&mut State)) -> (String, State) {
        let mut next = self.clone();
        change(&mut next);
        (what, next)
    }

    fn enters(&self, run: Run, phase: Phase, what: String) -> (String, State) {
        self.with(what, |next| next.runs[run].phase = phase)
    }

    fn of_run(&self, run: Run, hosts: &[usize], rules: Rules, next: &mut Vec<(String, State)>) {
        let it = &self.runs[run];
        match it.phase {
            Phase::Idle => next.push(
                self.with(format!("run {run} begins"), |s| s.runs[run].phase = Phase::Taking),
            ),
            Phase::Taking => {
                // The first host alone, then the others in any order.
                let first = hosts[0];
                let open = |host: &&usize| it.got[**host].is_none() && !it.refused[**host];
                let asked: Vec<usize> = match it.got[first] {
                    None => vec![first],
                    Some(_) => hosts.iter().filter(open).copied().collect(),
                };
                for host in asked {
                    // It waits for scripts that work there, or gives up on them.
                    if self.is_quiet(host) || rules == Rules::NoWaiting {
                        next.push(self.takes(run, host, hosts));
                    } else {
                        let what =
                            format!("run {run} does not get host {host}: a script works there");
                        next.push(self.with(what, |s| s.refuse(run, host, hosts)));
                    }
                }
            }
            Phase::Losing | Phase::Ending => {
                let host = hosts.iter().copied().find(|host| it.got[*host].is_some());
                let over = if it.phase == Phase::Losing { Phase::Lost } else { Phase::Done };
                next.push(match host {
                    Some(host) => self.with(format!("run {run} gives host {host} back"), |s| {
                        let _ = s.locks[host].give_back(run);
                        s.runs[run].got[host] = None;
                    }),
                    None => self.enters(run, over, format!("run {run} ends")),
                });
            }
            Phase::Holding | Phase::Told => self.resumes(run, hosts, next),
            Phase::Lost | Phase::Done | Phase::Dead => {}
        }
    }

    fn takes(&self, run: Run, host: usize, hosts: &[usize]) -> (String, State) {
        let over = self.locks[host].lease == Lease::Expired && self.locks[host].holder != Some(run);
        let mut next = self.clone();
        let what = match next.locks[host].take(run) {
            Ok(generation) => {
                next.runs[run].got[host] = Some(generation);
                next.conclude(run, hosts);
                let verb = if over { "takes over" } else { "takes" };
                format!("run {run} {verb} host {host}, generation {generation}")
            }
            Err(_) => {
                next.refuse(run, host, hosts);
                format!("run {run} is refused by host {host}")
            }
        };
        (what, next)
    }

    fn refuse(&mut self, run: Run, host: usize, hosts: &[usize]) {
        self.runs[run].refused[host] = true;
        if host == hosts[0] {
            self.runs[run].phase = Phase::Losing;
        }
        self.conclude(run, hosts);
    }

    /// Once every host has answered.
    fn conclude(&mut self, run: Run, hosts: &[usize]) {
        let it = &mut self.runs[run];
        if hosts.iter().all(|host| it.got[*host].is_some() || it.refused[*host]) {
            let refused = hosts.iter().any(|host| it.refused[*host]);
            it.phase = if refused { Phase::Losing } else { Phase::Holding };
        }
    }

    fn resumes(&self, run: Run, hosts: &[usize], next: &mut Vec<(String, State)>) {
        let it = &self.runs[run];
        for host in hosts.iter().copied() {
            if it.phase == Phase::Holding && it.steps > 0 && it.scripts[host].is_none() {
                let generation = it.got[host].unwrap_or_default();
                next.push(self.with(format!("run {run} sends a step to host {host}"), |s| {
                    s.runs[run].steps -= 1;
                    s.runs[run].scripts[host] = Some(Script { generation, works: false });
                }));
            }
            // Before its time is over, keeping a lease changes nothing here.
            let lock = &self.locks[host];
            let matters = lock.lease != Lease::Lasts || lock.holder != Some(run);
            if it.phase == Phase::Holding && matters {
                let mut kept = self.clone();
                match kept.locks[host].keep(run) {
                    Ok(()) => next.push((format!("run {run} keeps host {host}"), kept)),
                    Err(_) => {
                        let what =
                            format!("host {host} tells run {run} that the lock is another's");
                        next.push(self.enters(run, Phase::Told, what));
                    }
                }
            }
        }
        // Its running steps are finished first.
        if it.scripts.iter().all(Option::is_none) {
            let what = format!("run {run} has done what it could");
            next.push(self.enters(run, Phase::Ending, what));
        }
    }

    /// What was sent arrives and is done, whether or not its run is still there.
    fn of_scripts(&self, run: Run, rules: Rules, next: &mut Vec<(String, State)>) {
        for host in 0..3 {
            let Some(script) = self.runs[run].scripts[host] else { continue };
            let what = format!("the step of run {run} on host {host}");
            let passes = self.locks[host].lets_in(script.generation) || rules == Rules::NoFence;
            if script.works {
                next.push(
                    self.with(format!("{what} is done"), |s| s.runs[run].scripts[host] = None),
                );
            } else if passes {
                next.push(self.with(format!("{what} begins"), |s| {
                    s.runs[run].scripts[host] = Some(Script { works: true, ..script });
                }));
            } else {
                next.push(
                    self.with(format!("{what} is refused"), |s| s.runs[run].scripts[host] = None),
                );
            }
        }
    }

    /// Whether no script works on a host.
    fn is_quiet(&self, host: usize) -> bool {
        self.runs.iter().all(|run| run.scripts[host].is_none_or(|script| !script.works))
    }

    /// The promise that does not hold here, if one does not.
    pub(crate) fn broken(&self, reach: Reach) -> Option<String> {
        for host in 0..3 {
            for run in 0..2 {
                let works = self.runs[run].scripts[host].is_some_and(|script| script.works);
                if works && self.locks[host].holder != Some(run) {
                    return Some(format!(
                        "a step of run {run} works on host {host}, which is another's"
                    ));
                }
            }
        }
        let sure = |run: Run| {
            let it = &self.runs[run];
            it.phase == Phase::Holding
                && reach[run].iter().all(|host| {
                    self.locks[*host].holder == Some(run)
                        && it.got[*host] == Some(self.locks[*host].generation)
                })
        };
        (sure(0) && sure(1)).then(|| "both runs hold everything that they locked".to_owned())
    }

    /// Whether some host is locked by this run.
    pub(crate) fn holds_anything(&self, run: Run) -> bool {
        self.locks.iter().any(|lock| lock.holder == Some(run) && lock.lease == Lease::Lasts)
    }

    /// Whether somebody new gets every host, and shuts every orphan out, once the leases of the dead
    /// are over. Where somebody alive is at it, there is nothing to ask.
    pub(crate) fn successor_is_let_in(&self) -> bool {
        let alive =
            |run: Run| !matches!(self.runs[run].phase, Phase::Dead | Phase::Lost | Phase::Done);
        if (0..2).any(|run| alive(run) && self.runs[run].phase != Phase::Idle) {
            return true;
        }
        const SUCCESSOR: Run = 2;
        (0..3).all(|host| {
            let mut lock = self.locks[host].clone();
            if lock.lease == Lease::Lasts {
                lock.lease = Lease::Expired;
            }
            let orphans = self.runs.iter().filter_map(|run| run.scripts[host]);
            lock.take(SUCCESSOR).is_ok() && !orphans.into_iter().any(|s| lock.lets_in(s.generation))
        })
    }
}
