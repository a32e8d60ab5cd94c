//! Files that change a member's unit and that quorate did not write.
//!
//! A file in the unit's own folder under `/etc` changes this unit alone. quorate undoes it, like a change of the
//! unit's text, unless the inventory names it. Any other file (`service.d`, a shared prefix, a package's or a
//! generator's folder) affects more than this unit or is recreated automatically: quorate reports what it changes,
//! and never acts on it.

use std::collections::BTreeSet;

use crate::decide::member_context::MemberContext;
use crate::facts::{DropIn, MemberFacts};
use crate::spec::MemberSpec;

/// Those that are moved aside.
pub(crate) fn own<'a>(member: &MemberContext<'a>) -> impl Iterator<Item = &'a DropIn> {
    let (member, facts) = (member.wanted, member.facts);
    let folder = format!("{}/", member.member.layout().drop_in_dir());
    all(facts).filter(move |file| {
        file.path.starts_with(&folder) && !member.member.systemd.keep_drop_ins.contains(file.name())
    })
}

/// What is left alone and may change how etcd runs, with the directives that do; `None` where they can't
/// be read.
pub(crate) fn foreign<'a>(
    member: &'a MemberSpec,
    facts: &'a MemberFacts,
) -> impl Iterator<Item = (&'a DropIn, Option<BTreeSet<&'a str>>)> {
    let folder = format!("{}/", member.member.layout().drop_in_dir());
    let left = all(facts).filter(move |file| !file.path.starts_with(&folder));
    let unnamed = left.filter(|file| !member.member.systemd.keep_drop_ins.contains(file.name()));
    unnamed.filter_map(|file| {
        let sets = file.sets.known().map(|sets| {
            sets.iter().map(String::as_str).filter(|name| matters(name)).collect::<BTreeSet<_>>()
        });
        (!sets.as_ref().is_some_and(BTreeSet::is_empty)).then_some((file, sets))
    })
}

/// Whether a file that stays decides what is run: then no restart of ours brings a flag or a version.
pub(crate) fn decides_command(member: &MemberContext<'_>) -> bool {
    let moved: BTreeSet<&str> = own(member).map(|file| file.path.as_str()).collect();
    all(member.facts).any(|file| file.sets("ExecStart") && !moved.contains(file.path.as_str()))
}

fn all(facts: &MemberFacts) -> impl Iterator<Item = &DropIn> {
    facts.drop_ins.known().into_iter().flatten()
}

/// Whether a directive can change how etcd runs. What is not known as harmless can.
fn matters(directive: &str) -> bool {
    const HARMLESS: [&str; 16] = [
        "After",
        "Before",
        "CollectMode",
        "Description",
        "Documentation",
        "OnFailure",
        "OnFailureJobMode",
        "OnSuccess",
        "OnSuccessJobMode",
        "SourcePath",
        "StandardError",
        "StandardOutput",
        "TimeoutStopFailureMode",
        "WantedBy",
        "Wants",
        "Alias",
    ];
    const ABOUT_LOGS: [&str; 3] = ["Log", "Syslog", "X-"];
    !HARMLESS.contains(&directive)
        && !directive.ends_with("Accounting")
        && !ABOUT_LOGS.iter().any(|prefix| directive.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alerts_or_logs_is_harmless_and_anything_unheard_of_is_not() {
        for harmless in ["OnFailure", "SyslogIdentifier", "LogLevelMax", "CPUAccounting", "X-Ours"]
        {
            assert!(!matters(harmless), "{harmless}");
        }
        for other in ["ExecStart", "Environment", "LimitNOFILE", "Restart", "ProtectProc", "New"] {
            assert!(matters(other), "{other}");
        }
    }
}
