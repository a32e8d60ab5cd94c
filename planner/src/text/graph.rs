//! The plan as a picture: DOT for Graphviz, Mermaid for Markdown. Only dependencies that are not
//! implied by others are drawn.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::graph::essential_edges;
use crate::plan::{Plan, StepId};

/// The plan in Graphviz' language.
pub fn dot(plan: &Plan) -> String {
    let mut out = String::from("digraph plan {\n  rankdir=LR;\n  node [shape=box];\n");
    for step in &plan.steps {
        // Names of steps are made of DNS labels and versions: they need no escaping.
        let _ =
            writeln!(out, "  \"{}\" [label=\"{} {}\"];", step.id, step.action.symbol(), step.id);
    }
    for (from, to) in essential_edges(&plan.steps) {
        let _ = writeln!(out, "  \"{from}\" -> \"{to}\";");
    }
    out + "}\n"
}

/// The plan as a Mermaid flow chart.
pub fn mermaid(plan: &Plan) -> String {
    let number: BTreeMap<&StepId, usize> =
        plan.steps.iter().enumerate().map(|(number, step)| (&step.id, number)).collect();
    let mut out = String::from("flowchart LR\n");
    for step in &plan.steps {
        let _ = writeln!(out, "  s{}[\"{} {}\"]", number[&step.id], step.action.word(), step.id);
    }
    for (from, to) in essential_edges(&plan.steps) {
        let _ = writeln!(out, "  s{} --> s{}", number[&from], number[&to]);
    }
    out
}
