//! What moved since the last apply, as one JSON document.

use std::collections::BTreeMap;

use inventories::HostName;
use planner::Plan;
use planner::since::Moved;
use schemars::JsonSchema;
use serde::Serialize;

use super::plan_document::FORMAT_VERSION;
use super::since_document::LastApplyDocument;
use crate::exit::ExitCode;

/// What moved on the hosts since the last apply.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RefreshDocument<'a> {
    format_version: &'static str,
    quorate_version: &'static str,
    site: &'a str,
    exit_code: u8,
    reason: &'static str,
    /// The applies that hosts remember as their last, newest first.
    last_applies: Vec<LastApplyDocument<'a>>,
    /// For each host that can tell: what moved, one line each.
    moved: BTreeMap<&'a str, &'a [String]>,
    /// Hosts that can't tell, and why.
    unknown: BTreeMap<&'a str, &'a str>,
}

impl<'a> RefreshDocument<'a> {
    /// The document of a command that ends with `code`.
    pub fn new(plan: &'a Plan, hosts: &'a BTreeMap<HostName, Moved>, code: ExitCode) -> Self {
        let (mut moved, mut unknown) = (BTreeMap::new(), BTreeMap::new());
        for (host, what) in hosts {
            match what {
                Moved::Known(lines) => {
                    moved.insert(host.as_str(), lines.as_slice());
                }
                Moved::Unknown(why) => {
                    unknown.insert(host.as_str(), why.as_str());
                }
            }
        }
        Self {
            format_version: FORMAT_VERSION,
            quorate_version: env!("CARGO_PKG_VERSION"),
            site: plan.site.as_str(),
            exit_code: code.number(),
            reason: code.reason(),
            last_applies: plan.report.last_applies.iter().map(LastApplyDocument::from).collect(),
            moved,
            unknown,
        }
    }
}
