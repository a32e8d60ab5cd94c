//! An operator's flags by the names that a version has: an inventory is written for one version, and its cluster goes
//! through others on the way there.

use std::collections::{BTreeMap, BTreeSet};

use inventories::EtcdVersion;
use inventories::inventory::FlagValue;

use super::table::{self, Successor, successor};
use super::value::{self, Kind};
use super::{gates, has};

/// Flags as one version takes them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Translated {
    /// By the names of that version.
    pub flags: BTreeMap<String, FlagValue>,
    /// What that version does not have, as the inventory names it; a gate by its own name.
    pub lacks: BTreeSet<String>,
}

/// The same settings for another version.
pub fn translated(version: EtcdVersion, flags: &BTreeMap<String, FlagValue>) -> Translated {
    let mut all = Translated::default();
    let mut on: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in flags {
        match value {
            FlagValue::Text(text) if name == gates::FLAG => {
                for (gate, value) in gates::parse(text) {
                    if knows(version, gate) {
                        on.insert(gate, value.to_owned());
                    } else {
                        all.take(gate, of_gate(version, gate), FlagValue::Bool(value == "true"));
                    }
                }
            }
            _ if !has(version, name) && gate_of(version, name).is_some() => {
                on.extend(gate_of(version, name).map(|gate| (gate, value.to_string())));
            }
            value => all.take(name, named(version, name, value), value.clone()),
        }
    }
    if !on.is_empty() {
        let on: Vec<String> =
            on.into_iter().map(|(gate, value)| format!("{gate}={value}")).collect();
        all.flags.insert(gates::FLAG.to_owned(), FlagValue::Text(on.join(",")));
    }
    all
}

impl Translated {
    fn take(&mut self, written: &str, name: Option<&str>, value: FlagValue) {
        match name {
            Some(name) => drop(self.flags.insert(name.to_owned(), value)),
            None => drop(self.lacks.insert(written.to_owned())),
        }
    }
}

/// What a version calls a flag, where it takes the value.
pub(super) fn named<'n>(version: EtcdVersion, name: &'n str, value: &FlagValue) -> Option<&'n str> {
    if has(version, name) {
        return Some(name);
    }
    let later = match successor(name) {
        Some(Successor::Flag(later)) => Some(later),
        Some(Successor::Gate(_)) | None => None,
    };
    let other = later.or_else(|| table::predecessor(version, name).map(|flag| flag.name))?;
    let flag = table::find(version, other)?;
    value::check(other, flag.kind, value).is_ok().then_some(other)
}

/// The flag that was what a gate is now.
fn of_gate(version: EtcdVersion, gate: &str) -> Option<&'static str> {
    table::all(version).map(|flag| flag.name).find(|name| is_gate(name, gate))
}

fn is_gate(name: &str, gate: &str) -> bool {
    matches!(successor(name), Some(Successor::Gate(its)) if its == gate)
}

/// The gate that a version has in the place of a flag.
fn gate_of(version: EtcdVersion, name: &str) -> Option<&'static str> {
    match successor(name) {
        Some(Successor::Gate(gate)) if knows(version, gate) => Some(gate),
        Some(Successor::Gate(_) | Successor::Flag(_)) | None => None,
    }
}

fn knows(version: EtcdVersion, gate: &str) -> bool {
    let flag = table::find(version, gates::FLAG);
    matches!(flag.map(|flag| flag.kind), Some(Kind::Gates(all)) if all.contains(&gate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version: &str, flags: &[(&str, FlagValue)]) -> (Vec<String>, Vec<String>) {
        let version = version.parse().expect("a release");
        let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let Translated { flags, lacks } = translated(version, &flags);
        let flags = flags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (flags, lacks.into_iter().collect())
    }

    fn text(text: &str) -> FlagValue {
        FlagValue::Text(text.to_owned())
    }

    #[test]
    fn a_renamed_flag_has_the_name_of_each_version() {
        let new = [("corrupt-check-time", text("4h"))];
        assert_eq!(told("3.5.35", &new).0, ["experimental-corrupt-check-time=4h"]);
        assert_eq!(told("3.6.16", &new).0, ["corrupt-check-time=4h"]);
        let old = [("experimental-corrupt-check-time", text("4h"))];
        assert_eq!(told("3.6.16", &old).0, ["experimental-corrupt-check-time=4h"]);
        assert_eq!(told("3.7.3", &old).0, ["corrupt-check-time=4h"]);
    }

    #[test]
    fn a_gate_is_a_flag_of_its_own_before_3_6() {
        let gates = [("feature-gates", text("LeaseCheckpoint=true,CompactHashCheck=false"))];
        assert_eq!(
            told("3.6.16", &gates).0,
            ["feature-gates=CompactHashCheck=false,LeaseCheckpoint=true"]
        );
        let flags = [
            "experimental-compact-hash-check-enabled=false",
            "experimental-enable-lease-checkpoint=true",
        ];
        assert_eq!(told("3.5.35", &gates).0, flags);
        let flag = [("experimental-enable-lease-checkpoint", FlagValue::Bool(true))];
        assert_eq!(told("3.7.3", &flag).0, ["feature-gates=LeaseCheckpoint=true"]);
    }

    #[test]
    fn what_a_version_does_not_have_is_left_out_and_named() {
        let gates = [("feature-gates", text("FastLeaseKeepAlive=true,LeaseCheckpoint=true"))];
        let (flags, lacks) = told("3.6.16", &gates);
        assert_eq!((flags.len(), lacks), (1, vec!["FastLeaseKeepAlive".to_owned()]));
        let (flags, lacks) = told("3.5.35", &[("max-learners", FlagValue::Int(2))]);
        assert_eq!((flags.len(), lacks), (0, vec!["max-learners".to_owned()]));
        // Another kind of value.
        assert_eq!(told("3.5.35", &[("debug", FlagValue::Bool(true))]).1, ["debug"]);
    }

    #[test]
    fn flags_of_the_version_itself_stay_as_they_are() {
        let flags = [("snapshot-count", FlagValue::Int(5000)), ("pre-vote", FlagValue::Bool(true))];
        let told = told("3.6.16", &flags);
        assert_eq!(
            told,
            (vec!["pre-vote=true".to_owned(), "snapshot-count=5000".to_owned()], vec![])
        );
    }
}
