//! The exit code of every outcome of every command, and the page that is generated from them.

use super::*;
use inventories::{ClusterName, SiteName};
use planner::StepKind;
use planner::plan::{Guard, Launch, Verb, Why};
use planner::report::{Finding, FindingCode, PlanReport};
use planner::stops::Stops;

/// The command, its outcome, and the exit code.
type Row = (&'static str, &'static str, ExitCode, ExitCode);

fn step(id: &str, action: Action, kind: StepKind) -> Step {
    Step {
        id: StepId::for_host(&id.parse().unwrap(), Verb::RegisterHost),
        action,
        kind,
        guard: Guard::Nothing,
        after: Default::default(),
        why: Why::Unfinished,
    }
}

fn plan(steps: Vec<Step>, report: PlanReport) -> Plan {
    Plan { site: "s".parse().unwrap(), selection: Default::default(), steps, report }
}

fn finding(code: FindingCode) -> Finding {
    Finding { code, host: None, cluster: None, message: String::new(), hint: None }
}

fn blocked(code: FindingCode) -> PlanReport {
    let main: ClusterName = "main".parse().unwrap();
    let blocked =
        planner::report::Blocked { finding: finding(code), stops: [Stops::Cluster(main)].into() };
    PlanReport { blocked: vec![blocked], ..PlanReport::default() }
}

fn held() -> PlanReport {
    PlanReport { held: vec![finding(FindingCode::RollWaits)], ..PlanReport::default() }
}

fn unseen() -> PlanReport {
    let unseen = [("h".parse().unwrap(), "no answer".to_owned())].into();
    PlanReport { unseen, ..PlanReport::default() }
}

/// How a step ended: the kind of its failure, where it failed.
type End = (Action, StepKind, Outcome, Option<StepErrorKind>);

fn done() -> End {
    (Action::Create, register_host(), Outcome::Done, None)
}

fn already() -> End {
    (Action::Create, register_host(), Outcome::AlreadyDone, None)
}

fn never() -> End {
    (Action::Create, register_host(), Outcome::NotStarted, None)
}

fn local(why: String) -> StepErrorKind {
    StepErrorKind::Local(why.into())
}

fn failed(kind: StepKind, error: fn(String) -> StepErrorKind) -> End {
    (Action::Create, kind, Outcome::Failed, Some(error("x".to_owned())))
}

fn register_host() -> StepKind {
    StepKind::RegisterHost { site: SiteName::new("s").unwrap() }
}

fn restart() -> StepKind {
    StepKind::RestartMember { by: Launch::Unit }
}

/// What an apply with this report ends with, whose steps ended so.
fn apply(report: PlanReport, ends: Vec<End>) -> ExitCode {
    if ends.is_empty() {
        return verdict::verdict(&plan(Vec::new(), report));
    }
    ended(report, ends, |summary| summary.code())
}

fn ended<T>(report: PlanReport, ends: Vec<End>, of: impl Fn(&ApplySummary<'_>) -> T) -> T {
    let named = |(number, end): (usize, &End)| step(&number.to_string(), end.0, end.1.clone());
    let plan = plan(ends.iter().enumerate().map(named).collect(), report);
    let mut summary = ApplySummary::new(&plan);
    for (number, (_, _, outcome, kind)) in ends.into_iter().enumerate() {
        let (host, words) = ("h".parse().unwrap(), Vec::new());
        let error = kind.map(|kind| StepError { host, kind, words, hint: None });
        let id = StepId::for_host(&number.to_string().parse().unwrap(), Verb::RegisterHost);
        let (elapsed, note) = (Duration::ZERO, None);
        summary.fold(Event::StepFinished { id, outcome, elapsed, note, error });
    }
    of(&summary)
}

fn shown(steps: usize, report: PlanReport) -> Plan {
    plan(
        (0..steps).map(|n| step(&n.to_string(), Action::Create, register_host())).collect(),
        report,
    )
}

fn rows() -> Vec<Row> {
    use ExitCode::{Blocked, Changes, Done, Failed, Incomplete, Interrupted, Partial, Unreachable};
    let none = PlanReport::default;
    let plain = |steps, report| verdict::verdict(&shown(steps, report));
    let detailed = |steps, report| verdict::detailed(&shown(steps, report));
    vec![
        ("plan", "no changes", plain(0, none()), Done),
        ("plan", "changes", plain(1, none()), Done),
        ("plan --detailed-exitcode", "no changes", detailed(0, none()), Done),
        ("plan --detailed-exitcode", "changes", detailed(1, none()), Changes),
        (
            "plan",
            "something is blocked, with or without other changes",
            plain(1, blocked(FindingCode::Corrupt)),
            Blocked,
        ),
        (
            "plan --detailed-exitcode",
            "something is blocked beside changes",
            detailed(1, blocked(FindingCode::Corrupt)),
            Blocked,
        ),
        (
            "plan",
            "something is held back, with or without other changes",
            plain(1, held()),
            Blocked,
        ),
        ("plan", "a host could not be reached", plain(1, unseen()), Unreachable),
        (
            "plan",
            "a cluster may be on a host that could not be reached",
            plain(0, PlanReport { unseen: unseen().unseen, ..blocked(FindingCode::Unseen) }),
            Unreachable,
        ),
        ("apply", "nothing to do", apply(none(), vec![]), Done),
        ("apply", "every step was done", apply(none(), vec![done(), already()]), Done),
        (
            "apply",
            "nothing can be done: every change is blocked",
            apply(blocked(FindingCode::Corrupt), vec![]),
            Blocked,
        ),
        ("apply", "nothing can be done: every change is held back", apply(held(), vec![]), Blocked),
        (
            "apply",
            "every step was done; something else is blocked",
            apply(blocked(FindingCode::LostMember), vec![done()]),
            Incomplete,
        ),
        (
            "apply",
            "every step was done; something else is held back",
            apply(held(), vec![done()]),
            Incomplete,
        ),
        (
            "apply",
            "every step was already done; something else is blocked",
            apply(blocked(FindingCode::LostMember), vec![already()]),
            Blocked,
        ),
        (
            "apply",
            "every step was done; a host could not be reached",
            apply(unseen(), vec![done()]),
            Unreachable,
        ),
        (
            "apply",
            "a step failed before anything was changed",
            apply(none(), vec![already(), failed(register_host(), StepErrorKind::Failed)]),
            Failed,
        ),
        (
            "apply",
            "a step failed before anything was changed; something else is blocked",
            apply(
                blocked(FindingCode::LostMember),
                vec![failed(register_host(), StepErrorKind::Failed)],
            ),
            Failed,
        ),
        (
            "apply",
            "a step was refused by its guard, or could not be prepared here, before anything was changed",
            apply(none(), vec![failed(restart(), StepErrorKind::Guard)])
                .first(apply(none(), vec![failed(restart(), local)])),
            Failed,
        ),
        (
            "apply",
            "the first step failed and may have changed something first",
            apply(none(), vec![failed(restart(), StepErrorKind::Failed)]),
            Partial,
        ),
        (
            "apply",
            "a step failed after others were done",
            apply(none(), vec![done(), failed(register_host(), StepErrorKind::Failed)]),
            Partial,
        ),
        (
            "apply",
            "a step failed after others were done; something else is blocked",
            apply(
                blocked(FindingCode::LostMember),
                vec![done(), failed(register_host(), StepErrorKind::Failed)],
            ),
            Partial,
        ),
        (
            "apply",
            "the connection was lost in a step and did not come back",
            apply(none(), vec![failed(register_host(), StepErrorKind::Lost)]),
            Partial,
        ),
        (
            "apply",
            "a host gave an incomplete answer to a step",
            apply(none(), vec![failed(register_host(), StepErrorKind::Unknown)]),
            Partial,
        ),
        (
            "apply",
            "a host was unreachable before anything was changed",
            apply(none(), vec![failed(register_host(), StepErrorKind::Away)])
                .first(apply(none(), vec![failed(register_host(), StepErrorKind::Unreachable)])),
            Unreachable,
        ),
        (
            "apply",
            "a host was unreachable after others were changed",
            apply(none(), vec![done(), failed(register_host(), StepErrorKind::Away)]),
            Partial,
        ),
        (
            "apply",
            "interrupted, whatever was done",
            apply(none(), vec![done(), never()]),
            Interrupted,
        ),
    ]
}

/// A commit counts as applied as soon as anything of it may be on a host.
#[test]
fn only_an_apply_that_certainly_changed_nothing_leaves_no_trace() {
    let looked = || (Action::Check, register_host(), Outcome::Done, None);
    let trace = |ends| ended(PlanReport::default(), ends, |summary| summary.trace());
    for kind in [local, StepErrorKind::Guard, StepErrorKind::Away, StepErrorKind::Unreachable] {
        assert_eq!(trace(vec![looked(), failed(register_host(), kind), never()]), Trace::None);
    }
    for kind in [StepErrorKind::Lost, StepErrorKind::Unknown] {
        assert_eq!(trace(vec![failed(register_host(), kind)]), Trace::Some);
    }
    assert_eq!(trace(vec![done(), failed(register_host(), local)]), Trace::Some);
}

/// "Nothing was changed" and "no trace" are one statement, for every kind of step and every way to fail.
#[test]
fn an_exit_code_says_that_nothing_was_changed_where_there_is_no_trace() {
    let kinds = [
        (register_host(), Leaves::Nothing),
        (StepKind::StoreToken, Leaves::Nothing),
        (StepKind::NoteRestart, Leaves::Nothing),
        (restart(), Leaves::Something),
        (StepKind::StartMember { by: Launch::Unit }, Leaves::Something),
        (StepKind::DiscardBootstrap, Leaves::Something),
        (StepKind::ForgetDiscovery, Leaves::Something),
        (StepKind::MoveDropIns { moves: Default::default() }, Leaves::Something),
        (StepKind::PrepareDirectories { directories: Vec::new() }, Leaves::Something),
        (StepKind::CreateAccount { name: Default::default() }, Leaves::Something),
    ];
    for (kind, leaves) in kinds {
        assert_eq!(kind.leaves(), leaves, "{kind:?}");
        for error in [
            StepErrorKind::Failed,
            StepErrorKind::Guard,
            local,
            StepErrorKind::Lost,
            StepErrorKind::Unknown,
        ] {
            let one = || vec![failed(kind.clone(), error)];
            let (code, trace) =
                ended(PlanReport::default(), one(), |summary| (summary.code(), summary.trace()));
            let said = code == ExitCode::Failed;
            assert_eq!(said, trace == Trace::None, "{kind:?} {:?}", error(String::new()));
        }
    }
}

#[test]
fn every_outcome_has_its_code_and_the_page_says_so() {
    let rows = rows();
    for (command, outcome, is, wanted) in &rows {
        assert_eq!(is, wanted, "{command}: {outcome}");
    }
    let lines: Vec<String> = rows
        .iter()
        .map(|(command, outcome, _, code)| {
            format!("| `{command}` | {outcome} | {} |", code.number())
        })
        .collect();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/exit-codes.md");
    let text = std::fs::read_to_string(page).unwrap();
    let wanted = with_table(&text, &lines);
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(page, wanted).unwrap();
    } else {
        assert_eq!(text, wanted, "REWRITE=1 writes docs/exit-codes.md");
    }
}

/// The page with these rows in its table of outcomes.
fn with_table(page: &str, rows: &[String]) -> String {
    const HEAD: &str = "| Command | Outcome | Code |\n|---|---|---|\n";
    let (before, table) = page.split_once(HEAD).unwrap();
    let (_, after) = table.split_once("\n\n").unwrap();
    format!("{before}{HEAD}{}\n\n{after}", rows.join("\n"))
}
