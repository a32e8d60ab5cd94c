//! How a state was reached, for people.

use planner::progress::Outcome;

use super::arena::Arena;
use super::site::Site;
use super::walk::{Move, MoveKind, State, more_faults, moves};

/// The shortest way from the first state to this one, a line a move.
pub(super) fn told(site: &mut Site<'_>, states: &Arena<State>, parents: &[u32], to: u32) -> String {
    let mut way = vec![to];
    while let Some(number) = way.last().copied().filter(|number| *number != 0) {
        way.push(parents[number as usize]);
    }
    way.reverse();
    let lines = way.windows(2).map(|pair| {
        let (from, to) = (*states.value(pair[0]), *states.value(pair[1]));
        line(site, from, to)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What leads from one state to the next.
fn line(site: &mut Site<'_>, from: State, to: State) -> String {
    let next = moves(site, from).unwrap_or_default();
    let Some(Move { kind, .. }) = next.into_iter().find(|next| next.to == to) else {
        return "nobody knows how".to_owned();
    };
    match kind {
        MoveKind::Begin(command) => format!("{} begins", site.command(command).words),
        MoveKind::Crash => "quorate is killed".to_owned(),
        MoveKind::Step(deed) => {
            let failed = site
                .step(from.world, from.rest, deed)
                .is_ok_and(|(_, _, outcome)| outcome == Outcome::Failed);
            let id = &site.deed(deed).0.id;
            format!("  {id}{}", if failed { ": failed" } else { "" })
        }
        MoveKind::Trouble(index) | MoveKind::Mend(index) => {
            let more = more_faults(from.left);
            let happenings = site.happenings(from.world, more).unwrap_or_default();
            happenings.get(index).map_or_else(String::new, |(happening, _)| happening.to_string())
        }
    }
}
