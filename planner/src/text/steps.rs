//! The steps of a plan, numbered in the order in which they run. What is done alike on several hosts is one line.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use inventories::{ClusterName, HostName};

use super::{Hosts, Page, Paint, describe, describe_many};
use crate::plan::{Action, PlaceRef, Plan, Step, StepId, Verb, Why};

/// Below this many columns a step is shown without its name: what it does says the same in more words.
const NAMED: usize = 72;

pub(super) fn steps(plan: &Plan, page: Page) -> Vec<String> {
    let sections = in_turn(sections(lines(&plan.steps, page.hosts)), page.hosts);
    let count: usize = sections.iter().map(|section| section.lines.len()).sum();
    let digits = count.to_string().len().max(2);
    let mut numbers = 1..;
    let mut out = Vec::new();
    for section in &sections {
        if !out.is_empty() {
            out.push(String::new());
        }
        let place = section.lines.iter().find_map(|line| line.places.first().copied());
        let wanted = place.map_or(String::new(), |place| format!(" (wanted by {place})"));
        let heading = page.style.paint(Paint::Bold, &section.heading());
        out.push(heading + &page.style.paint(Paint::Dim, &wanted));
        for (line, number) in section.lines.iter().zip(&mut numbers) {
            let text = if section.hosts.len() > 1 { &line.of_many } else { &line.text };
            let head = line.head(&format!("{number:>digits$}"), page);
            // Symbol and name stand between the number and the text.
            let indent = digits + if page.names_steps() { 28 } else { 5 };
            out.push(format!("{head} {text}"));
            let others: Vec<String> = (line.places.iter())
                .filter(|other| Some(**other) != place)
                .map(ToString::to_string)
                .collect();
            let wanted = (!others.is_empty()).then(|| format!("wanted by {}", others.join(", ")));
            let notes = wanted.iter().chain(&line.notes);
            out.extend(
                notes.map(|note| page.style.paint(Paint::Dim, &format!("{:indent$}{note}", ""))),
            );
        }
    }
    out
}

impl Page {
    fn names_steps(self) -> bool {
        self.width.is_none_or(|width| width >= NAMED)
    }
}

/// Steps that are shown as one: they do the same on different hosts, and none waits for another.
struct Line<'p> {
    cluster: Option<&'p ClusterName>,
    hosts: BTreeSet<&'p HostName>,
    /// How many steps come before it at least.
    level: usize,
    action: Action,
    verb: &'p Verb,
    /// What it does, on a single host and on several ones.
    text: String,
    of_many: String,
    /// Where the inventory asks for it.
    places: BTreeSet<&'p PlaceRef>,
    notes: Vec<String>,
    /// The lines that it waits for, by their index.
    after: BTreeSet<usize>,
}

impl Line<'_> {
    fn head(&self, number: &str, page: Page) -> String {
        let symbol = format!("{:>3}", self.action.symbol());
        let symbol = page.style.paint(paint_of(self.action), &symbol);
        match page.names_steps() {
            true => format!("{number} {symbol} {:<22}", self.verb.name()),
            false => format!("{number} {symbol}"),
        }
    }

    /// Whether it reads as the other does, but for the hosts.
    fn reads_as(&self, other: &Line<'_>) -> bool {
        self.action == other.action
            && self.verb == other.verb
            && self.of_many == other.of_many
            && self.notes == other.notes
    }
}

/// The lines, each after those that it waits for, as the steps are.
fn lines(steps: &[Step], hosts: Hosts) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut of_step: BTreeMap<&StepId, usize> = BTreeMap::new();
    let mut known = HashMap::new();
    for step in steps {
        let after: BTreeSet<usize> =
            step.after.iter().filter_map(|id| of_step.get(id).copied()).collect();
        let level = after.iter().map(|line| lines[*line].level + 1).max().unwrap_or_default();
        let (text, of_many) = (describe(&step.kind), describe_many(&step.kind));
        let (place, notes) = why(&step.why);
        let alone = (hosts == Hosts::Expanded).then(|| step.host());
        let key = (
            (step.cluster(), &step.id.verb, step.action.symbol(), level),
            of_many.clone(),
            notes.clone(),
            alone,
        );
        let index = *known.entry(key).or_insert_with(|| {
            lines.push(Line {
                cluster: step.cluster(),
                hosts: BTreeSet::new(),
                level,
                action: step.action,
                verb: &step.id.verb,
                text,
                of_many,
                places: BTreeSet::new(),
                notes,
                after: BTreeSet::new(),
            });
            lines.len() - 1
        });
        let line = &mut lines[index];
        line.hosts.insert(step.host());
        line.places.extend(place);
        line.after.extend(after);
        of_step.insert(&step.id, index);
    }
    lines
}

fn why(why: &Why) -> (Option<&PlaceRef>, Vec<String>) {
    match why {
        Why::Wanted { place } => (place.as_ref(), Vec::new()),
        Why::Drift { changes } => (None, changes.clone()),
        Why::Unfinished => (None, vec!["an earlier run stopped before this step".to_owned()]),
        Why::Safety { note } => (None, vec![note.clone()]),
    }
}

/// Lines of the same hosts and cluster that follow each other.
struct Section<'p> {
    cluster: Option<&'p ClusterName>,
    hosts: Vec<&'p HostName>,
    turns: Turns,
    lines: Vec<Line<'p>>,
}

/// When the hosts of a section have their turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turns {
    Together,
    OneAfterTheOther,
}

impl Section<'_> {
    fn heading(&self) -> String {
        let names: Vec<&str> = self.hosts.iter().map(|host| host.as_str()).collect();
        let (plural, names) = (if names.len() == 1 { "" } else { "s" }, names.join(", "));
        let turns = match self.turns {
            Turns::Together => "",
            Turns::OneAfterTheOther => ", one after the other",
        };
        match self.cluster {
            Some(cluster) => format!("member{plural} {names} of {cluster}{turns}"),
            None => format!("host{plural} {names}{turns}"),
        }
    }
}

/// The lines by index, each after those that it waits for, and those of the same hosts together as far as that allows.
fn order(lines: &[Line<'_>]) -> Vec<usize> {
    let mut followers: Vec<Vec<usize>> = lines.iter().map(|_| Vec::new()).collect();
    let mut missing: Vec<usize> = lines.iter().map(|line| line.after.len()).collect();
    for (index, line) in lines.iter().enumerate() {
        line.after.iter().for_each(|before| followers[*before].push(index));
    }
    let rank = |index: usize| (lines[index].level, index);
    let subject = |index: usize| (lines[index].cluster, &lines[index].hosts);
    let mut ready: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut by_subject: BTreeMap<_, BTreeSet<(usize, usize)>> = BTreeMap::new();
    let begin = |index: usize, ready: &mut BTreeSet<_>, by_subject: &mut BTreeMap<_, _>| {
        ready.insert(rank(index));
        let own: &mut BTreeSet<(usize, usize)> = by_subject.entry(subject(index)).or_default();
        own.insert(rank(index));
    };
    for index in (0..lines.len()).filter(|index| missing[*index] == 0) {
        begin(index, &mut ready, &mut by_subject);
    }
    let mut order: Vec<usize> = Vec::new();
    loop {
        let same = order.last().and_then(|last| by_subject.get(&subject(*last))?.first());
        let Some(next) = same.or(ready.first()).copied() else { break };
        ready.remove(&next);
        let (_, index) = next;
        by_subject.entry(subject(index)).or_default().remove(&next);
        order.push(index);
        for follower in &followers[index] {
            missing[*follower] -= 1;
            if missing[*follower] == 0 {
                begin(*follower, &mut ready, &mut by_subject);
            }
        }
    }
    order
}

/// The lines in their order, those of the same hosts that follow each other under one heading.
fn sections(lines: Vec<Line<'_>>) -> Vec<Section<'_>> {
    let order = order(&lines);
    let mut lines: Vec<Option<Line<'_>>> = lines.into_iter().map(Some).collect();
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in order.into_iter().filter_map(|index| lines[index].take()) {
        let hosts: Vec<&HostName> = line.hosts.iter().copied().collect();
        match sections.last_mut() {
            Some(last) if last.cluster == line.cluster && last.hosts == hosts => {
                last.lines.push(line);
            }
            Some(_) | None => sections.push(Section {
                cluster: line.cluster,
                hosts,
                turns: Turns::Together,
                lines: vec![line],
            }),
        }
    }
    sections
}

/// Members that have the same done to them one after the other share a section.
fn in_turn(sections: Vec<Section<'_>>, hosts: Hosts) -> Vec<Section<'_>> {
    let mut merged: Vec<Section<'_>> = Vec::new();
    for section in sections {
        match merged.last_mut() {
            Some(last) if hosts == Hosts::Folded && follows(&section, last) => {
                last.turns = Turns::OneAfterTheOther;
                last.hosts.extend(section.hosts);
                for (line, next) in last.lines.iter_mut().zip(section.lines) {
                    line.level = next.level;
                    line.places.extend(next.places);
                }
            }
            Some(_) | None => merged.push(section),
        }
    }
    merged
}

/// Whether a single member has the same done as the one before it, and after it.
fn follows(section: &Section<'_>, last: &Section<'_>) -> bool {
    let first = section.lines.iter().map(|line| line.level).min();
    let is_single = last.hosts.len() == 1 || last.turns == Turns::OneAfterTheOther;
    is_single
        && section.hosts.len() == 1
        && section.cluster == last.cluster
        && first > last.lines.iter().map(|line| line.level).max()
        && section.lines.len() == last.lines.len()
        && section.lines.iter().zip(&last.lines).all(|(line, other)| line.reads_as(other))
}

fn paint_of(action: Action) -> Paint {
    match action {
        Action::Create => Paint::Green,
        Action::Update | Action::Run => Paint::Yellow,
        Action::Replace | Action::Delete => Paint::Red,
        Action::Check => Paint::Cyan,
    }
}
