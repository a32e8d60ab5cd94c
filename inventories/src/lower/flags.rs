//! etcd flags: each alone against the table of its version, and those that only fit together.

use std::collections::BTreeMap;

use crate::escape::escape;
use crate::flag::{ApiserverFlagCheck, FlagCheck, FlagProblem};
use crate::inventory::{Flag, FlagValue};
use crate::kubernetes::KubernetesMinor;
use crate::report::{At, Finding, Report};
use crate::schema::{FlagText, Loc};
use crate::secret;
use crate::version::EtcdVersion;

/// Flags as they are written, not yet held against a version.
pub(super) type Written = BTreeMap<String, (FlagValue, At, At)>;

/// Takes over a table of flags: the value, and the places of name and value.
pub(super) fn written(file: usize, raw: Option<&BTreeMap<Loc<String>, Loc<FlagText>>>) -> Written {
    let each = raw.into_iter().flatten().map(|(name, value)| {
        let places = (At::new(file, name.span()), At::new(file, value.span()));
        (name.value().clone(), (value.value().0.clone(), places.0, places.1))
    });
    each.collect()
}

/// Checks the flags of one cluster.
pub(super) fn check(
    flags: &Written,
    version: Option<EtcdVersion>,
    check_flag: FlagCheck,
    report: &mut Report<'_>,
) -> BTreeMap<String, Flag> {
    each(
        flags,
        |name, value| version.map_or(Ok(()), |known| check_flag(known, name, value)),
        report,
    );
    timeouts(flags, report);
    compaction(flags, report);
    tls(flags, report);
    twice(flags, report);
    finished(flags, report)
}

/// Checks the flags of a Kubernetes cluster's API servers.
pub(super) fn check_apiserver(
    flags: &Written,
    version: Option<KubernetesMinor>,
    check_flag: ApiserverFlagCheck,
    report: &mut Report<'_>,
) -> BTreeMap<String, Flag> {
    each(flags, |name, value| check_flag(version, name, value), report);
    finished(flags, report)
}

fn finished(flags: &Written, report: &Report<'_>) -> BTreeMap<String, Flag> {
    let each = flags.iter().map(|(name, (value, at, _))| {
        (name.clone(), Flag { value: value.clone(), place: report.place(at) })
    });
    each.collect()
}

fn each(
    flags: &Written,
    check: impl Fn(&str, &FlagValue) -> Result<(), FlagProblem>,
    report: &mut Report<'_>,
) {
    for (name, (value, name_at, value_at)) in flags {
        one(name, value, name_at, value_at, &check, report);
    }
}

fn one(
    name: &str,
    value: &FlagValue,
    name_at: &At,
    value_at: &At,
    check: impl Fn(&str, &FlagValue) -> Result<(), FlagProblem>,
    report: &mut Report<'_>,
) {
    let text = value.to_string();
    if secret::names_a_secret(name) {
        report.hide(value_at);
        let message = format!("`{}` would hold a secret in plain", escape(name));
        let hint = "no flag that quorate leaves to you takes a secret; leave it out";
        report.add(Finding::error("plain-secret", name_at, message).hint(hint));
        return;
    }
    if name.ends_with("-urls") && text.contains("http://") {
        let message = format!("`{}`: etcd over plain HTTP is not supported", escape(name));
        let hint = "leave it out: anyone who reaches an open etcd owns the whole cluster, so clients and peers always use TLS; addresses come from [hosts], ports from `ports`";
        report.add(Finding::error("plain-http", name_at, message).hint(hint));
        return;
    }
    if let Some(bare) = name.strip_prefix("--") {
        let hint = format!("write: {} = …", escape(bare));
        report.add(
            Finding::error("unknown-flag", name_at, "flags are written without dashes").hint(hint),
        );
        return;
    }
    if text.chars().any(char::is_control) {
        let message = format!("the value of `{}` has a control character in it", escape(name));
        let hint = "write it on one line, without line breaks or tabs";
        report.add(Finding::error("flag-value", value_at, message).hint(hint));
        return;
    }
    if let Err(problem) = check(name, value) {
        report.add(
            Finding::new(problem.severity, problem.code, name_at, problem.message)
                .maybe_hint(problem.hint),
        );
    }
}

const HEARTBEAT: &str = "heartbeat-interval";
const ELECTION: &str = "election-timeout";

/// etcd's own rules for its two timers, in milliseconds.
fn timeouts(flags: &Written, report: &mut Report<'_>) {
    let read = |name: &str, default: i64| match flags.get(name) {
        None => Some(default),
        Some((value, _, _)) => number(value),
    };
    let (Some(heartbeat), Some(election)) = (read(HEARTBEAT, 100), read(ELECTION, 1000)) else {
        return;
    };
    let Some((_, at, _)) = flags.get(ELECTION).or_else(|| flags.get(HEARTBEAT)) else { return };
    if heartbeat <= 0 || election <= 0 {
        let message = "heartbeat interval and election timeout have to be above 0 milliseconds";
        report.add(
            Finding::error("election-timeout", at, message)
                .hint("etcd's defaults are 100 and 1000"),
        );
    } else if election / 5 < heartbeat {
        let message = format!(
            "the election timeout of {election} ms is below 5 heartbeats of {heartbeat} ms: etcd does not start"
        );
        let enough = heartbeat.saturating_mul(10).min(MAX_ELECTION);
        let hint = if enough / 5 < heartbeat {
            format!(
                "etcd allows {MAX_ELECTION} ms at most: write {HEARTBEAT} = {}",
                MAX_ELECTION / 10
            )
        } else {
            format!("write: {ELECTION} = {enough} (10 heartbeats)")
        };
        report.add(Finding::error("election-timeout", at, message).hint(hint));
    } else if election > MAX_ELECTION {
        let message = format!(
            "the election timeout of {election} ms is above {MAX_ELECTION} ms: etcd does not start"
        );
        report.add(
            Finding::error("election-timeout", at, message)
                .hint(format!("write: {ELECTION} = {MAX_ELECTION}")),
        );
    }
}

/// The longest election timeout that etcd takes, in milliseconds.
const MAX_ELECTION: i64 = 50_000;

fn number(value: &FlagValue) -> Option<i64> {
    match value {
        FlagValue::Int(number) => Some(*number),
        FlagValue::Text(text) => text.parse().ok(),
        FlagValue::Bool(_) => None,
    }
}

/// etcd reads the retention by the mode, and takes each kind for the other without a word.
fn compaction(flags: &Written, report: &mut Report<'_>) {
    const RETENTION: &str = "auto-compaction-retention";
    let mode = flags.get("auto-compaction-mode").map(|(value, at, _)| (value.to_string(), at));
    let Some((value, _, at)) = flags.get(RETENTION) else {
        if let Some((_, at)) = mode {
            let message = "`auto-compaction-mode` alone compacts nothing";
            report.add(
                Finding::warning("compaction", at, message)
                    .hint(format!("write: {RETENTION} = \"8h\", with the mode \"periodic\"")),
            );
        }
        return;
    };
    let text = value.to_string();
    let is_revision = mode.is_some_and(|(mode, _)| mode == "revision");
    let (message, instead) = match (is_revision, text.parse::<u64>()) {
        (true, Err(_)) if text.contains(|c: char| c.is_ascii_digit()) => (
            "is not a number, which the mode \"revision\" wants: etcd would never compact"
                .to_owned(),
            "write a number of revisions, such as \"10000\", or use the mode \"periodic\"",
        ),
        (true, Ok(kept @ 1..FEWEST_REVISIONS)) => (
            format!(
                "leaves Kubernetes {kept} of its newest revisions: watches break with \"required revision has been compacted\""
            ),
            "write a number of revisions, such as \"10000\"; for hours use the mode \"periodic\"",
        ),
        (false, Ok(hours)) if hours > MOST_HOURS => (
            format!("keeps {hours} hours, {} days: the database grows until then", hours / 24),
            "write a time, such as \"8h\"; for revisions use the mode \"revision\"",
        ),
        _ => return,
    };
    let message = format!("`{RETENTION} = \"{}\"` {message}", escape(&text));
    report.add(Finding::warning("compaction", at, message).hint(instead));
}

/// API servers lag behind by hundreds of revisions.
const FEWEST_REVISIONS: u64 = 1000;

/// Nobody means more than a month.
const MOST_HOURS: u64 = 31 * 24;

fn tls(flags: &Written, report: &mut Report<'_>) {
    let text = |name: &str| flags.get(name).map(|(value, at, _)| (value.to_string(), at));
    let Some((lowest, at)) = text("tls-min-version") else { return };
    if lowest == "TLS1.3"
        && let Some((_, suites)) = text("cipher-suites")
    {
        let message = "`cipher-suites` has no effect on TLS 1.3, and etcd refuses both together";
        report.add(
            Finding::error("flag-conflict", suites, message)
                .related(at, "TLS 1.3 is required here")
                .hint("leave `cipher-suites` out"),
        );
    }
    if let Some((highest, at_highest)) = text("tls-max-version")
        && !highest.is_empty()
        && highest < lowest
    {
        let message =
            format!("no TLS version lies between {} and {}", escape(&lowest), escape(&highest));
        report.add(
            Finding::error("flag-conflict", at_highest, message)
                .related(at, "the lowest is set here")
                .hint("leave `tls-max-version` out"),
        );
    }
}

/// A flag under its old and its new name: etcd refuses to start with both.
fn twice(flags: &Written, report: &mut Report<'_>) {
    for (old, (_, at, _)) in flags {
        let Some(new) = old.strip_prefix("experimental-") else { continue };
        if let Some((_, new_at, _)) = flags.get(new) {
            let message =
                format!("`{}` is the old name of `{}`, which is set too", escape(old), escape(new));
            report.add(
                Finding::error("flag-conflict", at, message)
                    .related(new_at, "set here")
                    .hint("keep the name that this etcd version knows"),
            );
        }
    }
}
