//! What an operator, or a host, changes of the unit.

use std::collections::BTreeSet;

use inventories::Systemd;

/// What a unit has where the operator says nothing.
const RESOURCES: [(&str, &str); 4] = [
    ("LimitNOFILE", "65536"),
    ("OOMScoreAdjust", "-900"),
    ("CPUWeight", "1000"),
    ("IOWeight", "1000"),
];

/// The lines of the unit about resources.
pub(super) fn resources(systemd: &Systemd) -> Vec<String> {
    let own = RESOURCES.iter().map(|(name, value)| {
        let value = systemd.settings.get(*name).map_or(*value, String::as_str);
        format!("{name}={value}")
    });
    let is_own = |name: &str| RESOURCES.iter().any(|(own, _)| *own == name);
    let more = systemd.settings.iter().filter(|(name, _)| !is_own(name));
    own.chain(more.map(|(name, value)| format!("{name}={value}"))).collect()
}

/// The unit without the directives that the host can't have, each with the reason in its place.
pub(super) fn without(systemd: &Systemd, unit: &str) -> String {
    let mut told = BTreeSet::new();
    let line = |line: &str| {
        let name = line.split_once('=').map_or("", |(name, _)| name);
        match systemd.without.get(name) {
            Some(reason) if told.insert(name.to_owned()) => {
                format!("# Without {name}: {reason}\n")
            }
            Some(_) => String::new(),
            None => format!("{line}\n"),
        }
    };
    unit.lines().map(line).collect()
}
