//! What a narrowed plan is about, and what it leaves out.

use super::counted;
use super::{Paint, Style};
use crate::plan::Plan;
use crate::report::LeftOut;

pub(super) fn lines(plan: &Plan, style: Style) -> Vec<String> {
    let selection = &plan.selection;
    if selection.is_everything() {
        return Vec::new();
    }
    let mut to: Vec<String> = Vec::new();
    to.extend(selection.clusters.iter().map(|cluster| format!("cluster {cluster}")));
    to.extend(selection.hosts.iter().map(|host| format!("host {host}")));
    let head = style.paint(Paint::Bold, "narrowed to");
    let mut lines = vec![format!("{head} {}", to.join(", "))];
    lines.extend(plan.report.left_out.iter().map(|left| line(left, style)));
    lines
}

fn line(left: &LeftOut, style: Style) -> String {
    let LeftOut { cluster, hosts, steps, problems } = left;
    let of = cluster.as_ref().map_or(String::new(), |cluster| format!(" of cluster {cluster}"));
    let mut what = Vec::new();
    if *steps > 0 {
        what.push(counted(*steps, "step"));
    }
    if *problems > 0 {
        what.push(counted(*problems, "problem"));
    }
    let names: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
    let on = if names.is_empty() { String::new() } else { format!(" on {}", names.join(", ")) };
    format!("{} {}{of}{on}", style.paint(Paint::Yellow, "left out:"), what.join(" and "))
}
