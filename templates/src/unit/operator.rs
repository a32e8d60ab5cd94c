//! What an operator, or a host, changes of the unit.

use std::collections::BTreeSet;

use inventories::Systemd;
use inventories::inventory::FlagValue;

use crate::layout::{CONFIG_ROOT, DATA_ROOT};
use crate::member::Member;

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

/// The files that the operator's flags name (keys of tokens, say) and that lie where the unit hides the
/// folders of other clusters.
pub(super) fn shown(member: &Member) -> Vec<String> {
    let layout = member.layout();
    let own = [layout.config_dir(), layout.data_dir()];
    let is_own = |path: &str| own.iter().any(|own| path.starts_with(&format!("{own}/")));
    let hides = |path: &&str| [CONFIG_ROOT, DATA_ROOT].iter().any(|root| is_below(path, root));
    let texts = member.flags.values().filter_map(|value| match value {
        FlagValue::Text(text) => Some(text),
        FlagValue::Bool(_) | FlagValue::Int(_) => None,
    });
    let paths = texts.flat_map(|text| text.split([',', '='])).filter(hides);
    let paths: BTreeSet<&str> = paths.filter(|path| !is_own(path)).collect();
    paths.into_iter().map(str::to_owned).collect()
}

/// Whether it is a plain path below a folder: what systemd would read otherwise is not.
fn is_below(path: &str, root: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@+".contains(c);
    let below = path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
    below.is_some_and(|rest| !rest.is_empty())
        && path.chars().all(plain)
        && path.split('/').all(|part| part != "..")
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
