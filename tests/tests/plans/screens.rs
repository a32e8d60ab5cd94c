//! Plans as a terminal of 60, 80 and 200 columns shows them. `REWRITE=1` writes the screens again; read what changes.

use std::fs;
use std::path::Path;

use planner::Plan;
use planner::text::{self, Hosts, Page, Style};
use quorate::terminal::wrapped;
use quorate_tests::site::{Shape, plain};
use quorate_tests::story::{formed, plan_of};

fn forming() -> Plan {
    let (world, spec) = plain(3).world();
    plan_of(&world, &spec)
}

fn rolling() -> Plan {
    let (world, spec) = plain(3).world();
    let world = formed(world, &spec);
    let wanted = Shape { quota: Some(1 << 33), ..plain(3) };
    plan_of(&world, &wanted.spec(&world.authorities))
}

fn screen(plan: &Plan, hosts: Hosts, width: usize) -> String {
    let page = Page { style: Style::Plain, hosts, width: Some(width) };
    wrapped(&text::plan(plan, page), width)
}

#[test]
fn plans_fit_terminals_of_60_80_and_200_columns() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screens");
    let mut wrong = Vec::new();
    for (name, plan, hosts) in [
        ("form", forming(), Hosts::Folded),
        ("roll", rolling(), Hosts::Folded),
        ("roll-expanded", rolling(), Hosts::Expanded),
    ] {
        for width in [60, 80, 200] {
            let shown = screen(&plan, hosts, width);
            for line in shown.lines() {
                assert!(line.chars().count() <= width, "{name} {width}: {line}");
            }
            let path = folder.join(format!("{name}-{width}.txt"));
            if std::env::var_os("REWRITE").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, &shown).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != shown {
                wrong.push(format!("{}\n{shown}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The numbers say the order: a line comes after all that its steps wait for.
#[test]
fn each_step_is_numbered_after_those_that_it_waits_for() {
    for plan in [forming(), rolling()] {
        let page = Page { hosts: Hosts::Expanded, ..Page::PLAIN };
        let shown = text::plan(&plan, page);
        let mut at: Vec<(String, usize)> = Vec::new();
        let mut place = String::new();
        for line in shown.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["member", host, "of", cluster, ..] => place = format!("{host}/{cluster}"),
                ["host", host, ..] => place = host.to_owned(),
                [number, _, verb, ..] if !place.is_empty() => {
                    let number = number.parse::<usize>();
                    at.extend(number.ok().map(|number| (format!("{place}/{verb}"), number)));
                }
                _ => {}
            }
        }
        let number = |id: &planner::StepId| {
            at.iter().find(|(name, _)| *name == id.to_string()).unwrap_or_else(|| panic!("{id}")).1
        };
        assert_eq!(at.len(), plan.steps.len(), "{shown}");
        for step in &plan.steps {
            for before in &step.after {
                assert!(number(before) < number(&step.id), "{} after {before}", step.id);
            }
        }
    }
}
