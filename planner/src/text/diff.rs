//! The files that a plan writes, whole: what is there and what will be, as a unified diff.

use std::collections::BTreeMap;

use similar::TextDiff;
use templates::Layout;

use super::{Paint, Style};
use crate::facts::{Observed, SiteFacts};
use crate::plan::{Launch, Plan, StepKind};

/// Every file of public text that the plan writes and that differs, with all of its lines. Of a file
/// that is written twice the last text counts.
pub fn files(plan: &Plan, facts: &SiteFacts, style: Style) -> String {
    let mut wanted = BTreeMap::new();
    for step in &plan.steps {
        let Some(cluster) = step.cluster() else { continue };
        let layout = Layout::new(cluster);
        let member = facts.hosts.get(step.host()).and_then(Observed::known);
        let token = member.and_then(|host| host.clusters.get(cluster)?.token.known());
        let (path, text) = match &step.kind {
            StepKind::WriteUnit { text, formation: _ } => {
                let bound = token.map(|token| text.bind(token));
                (layout.unit_file(), bound.unwrap_or_else(|| text.as_str().to_owned()))
            }
            StepKind::WriteManifest { manifest }
            | StepKind::StartMember { by: Launch::Pod { manifest, .. } }
            | StepKind::RestartMember { by: Launch::Pod { manifest, .. } } => {
                let account = member.and_then(|host| host.account(manifest.account()).known());
                (layout.pod_manifest(), manifest.bind(token, account.map(|account| account.ids)))
            }
            _ => continue,
        };
        wanted.insert((step.host(), path), (cluster, text));
    }
    let mut out = String::new();
    for ((host, path), (cluster, wanted)) in wanted {
        let member = facts.hosts.get(host).and_then(Observed::known);
        let member = member.and_then(|host| host.clusters.get(cluster));
        let seen = member.and_then(|member| member.files.get(&path)).and_then(Observed::known);
        let (from, seen) = match seen {
            Some(file) => (format!("{host}:{path}"), file.text.as_deref().unwrap_or_default()),
            None => ("/dev/null".to_owned(), ""),
        };
        let diff = TextDiff::from_lines(seen, &wanted);
        let whole = diff
            .unified_diff()
            .context_radius(seen.lines().count() + wanted.lines().count())
            .header(&from, &format!("{host}:{path}"))
            .to_string();
        out.extend(whole.lines().map(|line| coloured(line, style) + "\n"));
    }
    out
}

fn coloured(line: &str, style: Style) -> String {
    let line: String = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    match line.chars().next() {
        Some('+') => style.paint(Paint::Green, &line),
        Some('-') => style.paint(Paint::Red, &line),
        _ => line,
    }
}
