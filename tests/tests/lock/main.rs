//! The lock's protocol, walked in every order: two runs that come at once, are killed anywhere, lose
//! their leases, and leave scripts behind that begin late. [`host`] is what the scripts on one host
//! do; [`scripts`] holds it against the scripts themselves.

#![expect(clippy::unwrap_used, reason = "a test that can't continue is to panic")]
#![expect(clippy::print_stdout, reason = "what a walk saw is a result of the run")]

mod host;
mod runs;
mod scripts;

use std::collections::HashMap;
use std::time::Instant;

use host::Rules;
use runs::{Phase, State, World};

/// The hosts that each of two runs can reach, and so locks.
type Reach = [&'static [usize]; 2];

const ALL: Reach = [&[0, 1], &[0, 1]];
/// Each of them a majority, and not the same one.
const HALVES: Reach = [&[0, 1], &[1, 2]];

/// Everything that can be reached; or the shortest story to a state that breaks a promise.
fn walk(reach: Reach, world: World, rules: Rules) -> Result<Vec<State>, String> {
    let first = State::first();
    let mut states = vec![first.clone()];
    let mut origins: Vec<(usize, String)> = vec![(0, String::new())];
    let mut numbers = HashMap::from([(first, 0)]);
    let mut number = 0;
    let mut transitions = 0;
    let started = Instant::now();
    while number < states.len() {
        for (what, next) in states[number].clone().moves(reach, world, rules) {
            transitions += 1;
            let broken = next.broken(reach);
            if !numbers.contains_key(&next) {
                numbers.insert(next.clone(), states.len());
                states.push(next);
                origins.push((number, what.clone()));
            }
            if let Some(broken) = broken {
                let mut story = vec![broken, what];
                let mut at = number;
                while at != 0 {
                    story.push(origins[at].1.clone());
                    at = origins[at].0;
                }
                story[1..].reverse();
                return Err(story.join("\n"));
            }
        }
        number += 1;
    }
    println!(
        "{world:?}, runs that lock hosts {reach:?}: {} states, {transitions} transitions, {:.1} s",
        states.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(states)
}

#[test]
fn no_script_of_an_earlier_run_works_beside_its_successor() {
    for reach in [ALL, HALVES] {
        walk(reach, World::Hostile, Rules::Real).unwrap_or_else(|story| panic!("{story}"));
    }
}

#[test]
fn of_two_runs_that_come_at_once_one_wins() {
    let states = walk(ALL, World::Calm, Rules::Real).unwrap_or_else(|story| panic!("{story}"));
    let both_lost =
        states.iter().find(|state| state.runs.iter().all(|run| run.phase == Phase::Lost));
    assert_eq!(both_lost, None);
    let won = |number: usize| states.iter().any(|state| state.runs[number].phase == Phase::Done);
    assert!(won(0) && won(1), "each of them may be the one");
}

#[test]
fn a_run_after_a_killed_one_gets_the_lock() {
    for reach in [ALL, HALVES] {
        let states =
            walk(reach, World::Hostile, Rules::Real).unwrap_or_else(|story| panic!("{story}"));
        let shut = states.iter().find(|state| !state.successor_is_let_in());
        assert_eq!(shut, None);
    }
}

#[test]
fn a_run_that_was_refused_leaves_nothing_locked() {
    let states = walk(ALL, World::Calm, Rules::Real).unwrap_or_else(|story| panic!("{story}"));
    let left = states.iter().find(|state| {
        (0..2).any(|run| state.runs[run].phase == Phase::Lost && state.holds_anything(run))
    });
    assert_eq!(left, None);
}

#[test]
fn without_the_fence_an_orphan_works_beside_its_successor() {
    let story = walk(ALL, World::Hostile, Rules::NoFence).unwrap_err();
    assert!(story.contains("works on host 0, which is another's"), "{story}");
}

#[test]
fn without_waiting_for_scripts_an_orphan_works_beside_its_successor() {
    let story = walk(ALL, World::Hostile, Rules::NoWaiting).unwrap_err();
    assert!(story.contains("works on host 0, which is another's"), "{story}");
}
