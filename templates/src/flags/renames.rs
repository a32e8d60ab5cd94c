//! What became of flags that were renamed, and which two flags are one setting.

use std::collections::BTreeSet;

use inventories::inventory::FlagValue;

use super::gates;
use super::table::{Successor, successor};

/// Whether two flags, with their values, set the same thing: an experimental flag and its later
/// name, a flag and the feature gate that it became. etcd refuses to start with both.
pub fn same_setting(a: (&str, &FlagValue), b: (&str, &FlagValue)) -> bool {
    !settings(a.0, a.1).is_disjoint(&settings(b.0, b.1))
}

/// What a flag sets, by the latest name of each thing.
pub(crate) fn settings<'a>(name: &'a str, value: &'a FlagValue) -> BTreeSet<Setting<'a>> {
    match (name, value, successor(name)) {
        (gates::FLAG, FlagValue::Text(text), _) => {
            gates::parse(text).into_keys().map(Setting::Gate).collect()
        }
        (_, _, Some(Successor::Gate(gate))) => [Setting::Gate(gate)].into(),
        (_, _, Some(Successor::Flag(flag))) => [Setting::Flag(flag)].into(),
        (_, _, None) => [Setting::Flag(name)].into(),
    }
}

/// One thing that can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Setting<'a> {
    /// By a flag of its own.
    Flag(&'a str),
    /// By a feature gate.
    Gate(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_setting_are_the_same() {
        let on = FlagValue::Bool(true);
        let gates = FlagValue::Text("LeaseCheckpoint=true,InitialCorruptCheck=false".to_owned());
        let same = |a, b| same_setting((a, &on), (b, &on));
        assert!(same("experimental-corrupt-check-time", "corrupt-check-time"));
        assert!(same("log-output", "log-outputs"));
        assert!(same_setting(("experimental-initial-corrupt-check", &on), (gates::FLAG, &gates)));
    }

    #[test]
    fn unrelated_flags_are_not() {
        let on = FlagValue::Bool(true);
        let gates = FlagValue::Text("LeaseCheckpoint=true".to_owned());
        assert!(!same_setting(("pre-vote", &on), ("enable-pprof", &on)));
        assert!(!same_setting(("experimental-initial-corrupt-check", &on), (gates::FLAG, &gates)));
    }
}
