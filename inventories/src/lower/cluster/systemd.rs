//! What the operator changes of a cluster's units.

use crate::escape::escape;
use crate::inventory::Runtime;
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc};
use crate::suggest::closest;
use crate::systemd::{SANDBOX, SETTINGS, Systemd, mistake};

/// The settings that have no mistake; the others have been reported.
pub(super) fn read(
    raw: Option<&Loc<schema::Systemd>>,
    runtime: Option<Runtime>,
    report: &mut Report<'_>,
) -> Systemd {
    let Some(raw) = raw else { return Systemd::default() };
    if runtime == Some(Runtime::StaticPod) {
        let at = At::new(0, raw.span());
        let finding = Finding::error(
            "systemd",
            &at,
            "`systemd` applies to units, but this cluster runs pods",
        );
        report.add(finding.hint("write: runtime = \"systemd\", or remove `systemd`"));
        return Systemd::default();
    }
    let schema::Systemd { settings, without, keep_drop_ins } = raw.value();
    let mut systemd = Systemd::default();
    for (name, value) in settings.iter().flatten() {
        let text = value.value().0.to_string();
        if !is_known(name, &SETTINGS, "setting", report) {
            continue;
        }
        match mistake(name, &text) {
            Some(hint) => {
                let message = format!("{} can't be \"{}\"", name.value(), shown(&text));
                let at = At::new(0, value.span());
                report.add(Finding::error("systemd", &at, message).hint(hint));
            }
            None => {
                systemd.settings.insert(name.value().clone(), text);
            }
        }
    }
    for (name, reason) in without.iter().flatten() {
        if !is_known(name, &SANDBOX, "directive of the sandbox", report) {
            continue;
        }
        let text = reason.value().trim();
        if text.is_empty() || text.chars().any(char::is_control) || text.len() > LONGEST_REASON {
            let message = format!("{} needs a reason for leaving it out", name.value());
            let hint = "write on one line, in at most 200 characters, why the hosts can't use it";
            report.add(Finding::error("systemd", &At::new(0, reason.span()), message).hint(hint));
        } else {
            systemd.without.insert(name.value().clone(), text.to_owned());
        }
    }
    for name in keep_drop_ins.iter().flatten() {
        if is_drop_in(name) {
            systemd.keep_drop_ins.insert(name.value().clone());
        } else {
            let message = format!("\"{}\" is not the name of a drop-in", shown(name));
            let hint = "write the file's name without its folder, such as \"10-alerts.conf\"";
            report.add(Finding::error("systemd", &At::new(0, name.span()), message).hint(hint));
        }
    }
    systemd
}

/// The reason becomes a line of the unit.
const LONGEST_REASON: usize = 200;

fn is_known(name: &Loc<String>, known: &[&str], what: &str, report: &mut Report<'_>) -> bool {
    if known.contains(&name.value().as_str()) {
        return true;
    }
    let message = format!("\"{}\" is not a {what} that quorate accepts", shown(name));
    let hint = match closest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("known are {}", known.join(", ")),
    };
    report.add(Finding::error("systemd", &At::new(0, name.span()), message).hint(hint));
    false
}

fn is_drop_in(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    name.strip_suffix(".conf").is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.'))
        && name.len() <= 255
        && name.chars().all(plain)
}

fn shown(text: &str) -> String {
    escape(&text.chars().take(80).collect::<String>())
}
