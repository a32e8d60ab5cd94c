//! Feature gates: from 3.6, `--feature-gates=Name=true,…` holds what were experimental flags.

use std::collections::BTreeMap;

use inventories::Minor;

use super::problem::{Code, Problem};

/// The first line with feature gates.
pub(crate) const SINCE: Minor = Minor::V3_6;

/// The flag that holds all gates.
pub(crate) const FLAG: &str = "feature-gates";

/// The gates that a value sets, as etcd splits it: what has no `=` is left to [`check`].
pub(crate) fn parse(text: &str) -> BTreeMap<&str, &str> {
    text.split(',')
        .filter_map(|entry| entry.split_once('='))
        .map(|(gate, value)| (gate.trim(), value.trim()))
        .collect()
}

pub(super) fn check(name: &str, known: &[&str], text: &str) -> Result<(), Problem> {
    for entry in text.split(',').filter(|entry| !entry.is_empty()) {
        let (gate, value) = entry.split_once('=').ok_or_else(|| {
            Problem::error(Code::Type, format!("`{name}` has a gate without a value: {entry:?}"))
                .hint(format!("write it as {entry}=true"))
        })?;
        check_gate(known, gate.trim())?;
        if !matches!(value.trim(), "true" | "false") {
            return Err(Problem::error(
                Code::Type,
                format!("the feature gate {gate} takes true or false, not {value:?}"),
            ));
        }
    }
    check_dependency(text)
}

fn check_gate(known: &[&str], gate: &str) -> Result<(), Problem> {
    if known.contains(&gate) {
        return Ok(());
    }
    let problem =
        Problem::error(Code::Unknown, format!("this version of etcd has no feature gate {gate:?}"));
    Err(match inventories::suggest::closest(gate, known.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean {near}?")),
        None => problem.hint(format!("it has {}", known.join(", "))),
    })
}

/// etcd does not start with the second gate alone.
fn check_dependency(text: &str) -> Result<(), Problem> {
    let gates = parse(text);
    let on = |gate| gates.get(gate) == Some(&"true");
    if on("LeaseCheckpointPersist") && !on("LeaseCheckpoint") && !on("AllAlpha") {
        return Err(Problem::error(
            Code::Type,
            "the feature gate LeaseCheckpointPersist needs LeaseCheckpoint".to_owned(),
        )
        .hint("write LeaseCheckpoint=true,LeaseCheckpointPersist=true".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["InitialCorruptCheck", "LeaseCheckpoint", "LeaseCheckpointPersist"];

    #[test]
    fn gates_are_checked_by_name_and_value() {
        let check = |text| check(FLAG, KNOWN, text);
        assert_eq!(check("InitialCorruptCheck=true, LeaseCheckpoint=false"), Ok(()));
        assert_eq!(
            check("InitialCorruptChek=true").unwrap_err().hint.as_deref(),
            Some("did you mean InitialCorruptCheck?")
        );
        assert!(check("InitialCorruptCheck").is_err());
        assert!(check("InitialCorruptCheck=yes").is_err());
    }

    #[test]
    fn a_gate_that_needs_another_is_refused_alone() {
        assert!(check(FLAG, KNOWN, "LeaseCheckpointPersist=true").is_err());
        assert_eq!(check(FLAG, KNOWN, "LeaseCheckpoint=true,LeaseCheckpointPersist=true"), Ok(()));
    }
}
