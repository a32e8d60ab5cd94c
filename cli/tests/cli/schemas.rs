//! What `--json` prints, its schemas, and the page about both.

use std::collections::{BTreeMap, BTreeSet};

use planner::plan::{Action, Guard, PlaceRef, Scope, Verb, Why};
use planner::progress::Outcome;
use planner::quorum::Quorum;
use planner::report::{ClusterNow, FindingCode, Formation, Led, PlanReport};
use planner::{Plan, Step, StepId, StepKind};
use quorate::exit::ExitCode;
use quorate::report::event_line::{
    Changes, DiagnosticDocument, EndedHook, EventKind, EventLine, Hook, Level, Operation, Outputs,
    RunningHook, StepDiagnostic, UI, WaitedHook,
};
use quorate::report::plan_document::{FORMAT_VERSION, PlanDocument, StepDocument, Summary};
use quorate::report::words::OutcomeWord;
use serde_json::{Value, json};

use crate::conformity::check;
use crate::sandbox::Sandbox;

const PAGE: &str = include_str!("../../../docs/json.md");

pub(crate) fn schema(of: &str) -> Value {
    let ended = Sandbox::new().run(&["schema", of]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_is_printed_is_as_its_schema_says() {
    let sandbox = Sandbox::with_site();
    let blocked = sandbox.run(&["plan", "--json"]);
    check(&schema("plan"), &read(&blocked.stdout)).unwrap();
    assert_eq!(sandbox.run(&["pki", "init"]).code, 0);
    sandbox.write("bad.toml", "[site]\nnam = \"x\"\n");
    for (of, arguments) in [
        ("plan", &["plan", "--json"][..]),
        ("plan", &["plan", "--json", "--host", "etcd-1"]),
        ("refresh", &["plan", "--json", "--refresh-only"]),
        ("status", &["status", "--json"]),
        ("status", &["status", "--json", "--preflight"]),
        ("history", &["history", "--json"]),
        ("steps", &["history", "--steps", "--json"]),
        ("archives", &["archives", "list", "--json"]),
        ("error", &["plan", "--json", "-i", "missing.toml"]),
        ("error", &["plan", "--json", "-i", "bad.toml"]),
    ] {
        let ended = sandbox.run(arguments);
        check(&schema(of), &read(&ended.stdout))
            .unwrap_or_else(|why| panic!("{arguments:?}: {why}"));
    }
    let events = schema("events");
    for inventory in ["quorate.toml", "missing.toml", "bad.toml"] {
        let ended = sandbox.run(&["apply", "--yes", "--json", "-i", inventory]);
        for line in ended.stdout.lines() {
            check(&events, &read(line)).unwrap_or_else(|why| panic!("{why}: {line}"));
        }
    }
}

#[test]
fn a_key_that_is_missing_unknown_or_of_another_type_is_not_as_the_schema_says() {
    let (schema, plan) = (schema("plan"), plan());
    let good = serde_json::to_value(PlanDocument::new(&plan, ExitCode::Done)).unwrap();
    check(&schema, &good).unwrap();
    let changes: [fn(&mut Value); 5] = [
        |plan| drop(plan.as_object_mut().unwrap().remove("steps")),
        |plan| plan["new"] = json!(1),
        |plan| plan["site"] = json!(null),
        |plan| plan["steps"][0]["why"]["because"] = json!("whim"),
        |plan| plan["steps"][0]["why"]["new"] = json!("whim"),
    ];
    for change in changes {
        let mut bad = good.clone();
        change(&mut bad);
        check(&schema, &bad).unwrap_err();
    }
}

#[test]
fn every_event_is_as_its_schema_says() {
    let schema = schema("events");
    let mut seen = BTreeSet::new();
    let plan = plan();
    for kind in samples(&plan) {
        let timestamp = "2026-11-23T03:00:00Z".to_owned();
        let line =
            EventLine { level: Level::Info, message: "", module: "quorate", timestamp, kind };
        let line = serde_json::to_value(line).unwrap();
        check(&schema, &line).unwrap_or_else(|why| panic!("{why}: {line}"));
        seen.insert(line["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, types(&schema));
}

/// What the page says under a heading.
fn section(title: &str) -> &'static str {
    let begin = PAGE.find(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no {title}"));
    PAGE[begin + 4..].split("\n## ").next().unwrap()
}

#[test]
fn the_page_explains_every_code_of_a_finding_and_no_other() {
    let rows = section("Finding codes")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let explained: Vec<&str> = rows.map(|(code, _)| code).collect();
    let codes: Vec<&str> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(explained, codes);
}

#[test]
fn the_page_names_every_event_every_key_and_the_versions() {
    for (of, title) in [
        ("plan", "The plan"),
        ("refresh", "What moved"),
        ("status", "The status"),
        ("history", "The history"),
        ("steps", "The steps of the history"),
        ("archives", "The archives"),
        ("snapshots", "The backups"),
        ("recover", "What is left of a cluster"),
        ("error", "An error"),
        ("events", "The events of an apply"),
    ] {
        let schema = schema(of);
        let text = section(title);
        assert!(text.contains(&format!("quorate schema {of}")), "{title}: no word of its schema");
        let keys = match of {
            "history" => &schema["$defs"]["Apply"],
            "steps" | "archives" | "snapshots" => &schema["$defs"]["Entry"],
            _ => &schema,
        };
        for key in keys["properties"].as_object().unwrap().keys() {
            assert!(text.contains(&format!("| `{key}` |")), "{title}: {key} is missing");
        }
    }
    let events = section("The events of an apply");
    for name in types(&schema("events")) {
        assert!(events.contains(&format!("| `{name}` |")), "the event {name} is missing");
    }
    for version in [format!("`format_version` is `{FORMAT_VERSION}`"), format!("`ui` is `{UI}`")] {
        assert!(PAGE.contains(&version), "{version} is not said");
    }
}

#[test]
fn the_examples_of_the_page_are_as_their_schemas_say() {
    let mut examples = 0;
    for (title, rest) in PAGE.split("\n## ").skip(1).map(|part| part.split_once('\n').unwrap()) {
        for block in rest.split("```json\n").skip(1) {
            let text = block.split("\n```").next().unwrap();
            let of = match title {
                "The plan" => "plan",
                "What moved" => "refresh",
                "The status" => "status",
                "The history" => "history",
                "The steps of the history" => "steps",
                "The archives" => "archives",
                "The backups" => "snapshots",
                "What is left of a cluster" => "recover",
                "An error" => "error",
                "The events of an apply" => "events",
                _ => panic!("{title} has an example and no schema"),
            };
            let schema = schema(of);
            let values: Vec<&str> =
                if of == "events" { text.lines().collect() } else { vec![text] };
            for value in values {
                check(&schema, &read(value)).unwrap_or_else(|why| panic!("{title}: {why}"));
            }
            examples += 1;
        }
    }
    assert_eq!(examples, 10);
}

fn types(schema: &Value) -> BTreeSet<String> {
    let kinds = schema["oneOf"].as_array().unwrap();
    let name = |kind: &Value| kind["properties"]["type"]["const"].as_str().unwrap().to_owned();
    kinds.iter().map(name).collect()
}

/// A plan with a step for each kind of reason.
fn plan() -> Plan {
    let reasons = [
        Why::Wanted { place: None },
        Why::Wanted { place: Some(PlaceRef { file: "quorate.toml".to_owned(), line: 3 }) },
        Why::Drift { changes: vec!["mode 0644, not 0600".to_owned()] },
        Why::Unfinished,
        Why::Safety { note: "the leader goes last".to_owned() },
    ];
    let step = |(number, why): (usize, Why)| Step {
        id: StepId {
            host: format!("etcd-{number}").parse().unwrap(),
            scope: match number {
                1 | 2 => Scope::Host,
                _ => Scope::Member("main".parse().unwrap()),
            },
            verb: Verb::Account(Default::default()),
        },
        action: Action::Create,
        kind: StepKind::CreateAccount { name: Default::default() },
        guard: Guard::Nothing,
        after: BTreeSet::new(),
        why,
    };
    let steps = (1..).zip(reasons).map(step).collect();
    let now = ClusterNow {
        formation: Formation::Formed,
        cluster_id: None,
        quorum: Quorum { voters: 3, healthy: 2 },
        unseen: 0,
        leader: Some("etcd-1".parse().unwrap()),
        led: Led::Itself,
        down: BTreeMap::from([("etcd-2".parse().unwrap(), "failed".to_owned())]),
        late: BTreeMap::new(),
        alarms: vec!["NOSPACE".to_owned()],
    };
    let clusters = BTreeMap::from([("main".parse().unwrap(), now)]);
    let report = PlanReport { clusters, ..PlanReport::default() };
    let site = "lab".parse().unwrap();
    Plan { site, selection: Default::default(), steps, report }
}

fn samples(plan: &Plan) -> Vec<EventKind<'_>> {
    let hook = || Hook::from(&plan.steps[0]);
    let ended = |outcome: &Outcome| EndedHook {
        step: Hook::from(&plan.steps[4]),
        elapsed_seconds: 1,
        result: OutcomeWord::from(outcome),
    };
    let endpoints = BTreeMap::from([("main", vec!["https://10.0.0.1:2379".to_owned()])]);
    let clusters = plan.report.clusters.iter().map(|(name, now)| (name.as_str(), now.into()));
    let clusters = clusters.collect();
    let changes = Changes { total: Summary::from(plan.count()), operation: Operation::Plan };
    let step = StepDiagnostic {
        severity: Level::Error,
        summary: "etcd-1: the disk is full",
        step: "etcd-1/account".to_owned(),
        host: "etcd-1",
        words: &[],
        hint: None,
    };
    let because = plan.steps[0].id.clone();
    let mut samples = vec![
        EventKind::Version { quorate: "0.1.0", ui: UI },
        EventKind::Diagnostic { diagnostic: DiagnosticDocument::Step(step) },
        EventKind::ChangeSummary { changes },
        EventKind::Plan { plan: Box::new(PlanDocument::new(plan, ExitCode::Changes)) },
        EventKind::Log,
        EventKind::ApplyStart { hook: hook() },
        EventKind::ApplyProgress { hook: RunningHook { step: hook(), elapsed_seconds: 10 } },
        EventKind::ConnectionLost { hook: hook(), why: "reset" },
        EventKind::Reconnected { hook: WaitedHook { step: hook(), waited_seconds: 4 } },
        EventKind::ApplyComplete { hook: ended(&Outcome::Done) },
        EventKind::ApplyComplete { hook: ended(&Outcome::AlreadyDone) },
        EventKind::ApplyErrored { hook: ended(&Outcome::Failed) },
        EventKind::ApplySkipped { hook: ended(&Outcome::Skipped { because }) },
        EventKind::ApplySkipped { hook: ended(&Outcome::NotStarted) },
        EventKind::Stopping { running: vec!["etcd-1/account".to_owned()] },
        EventKind::Outputs { outputs: Outputs { endpoints, clusters } },
        EventKind::End { exit_code: 0, reason: "done" },
    ];
    let changes = plan.steps.iter().map(StepDocument::from);
    samples.extend(changes.map(|change| EventKind::PlannedChange { change }));
    samples
}
