//! What is shown of a plan, an apply and a status: to people and to programs.
//!
//! - [`human`]: an apply as it happens, on a terminal and in a log, and its end.
//! - [`json`]: the same as one JSON object a line; [`event_line`] is such a line.
//! - [`plan_document`], [`status`]: a plan and the state of the clusters as documents.

pub mod apply;
pub mod columns;
pub mod error_document;
pub mod event_line;
pub mod human;
pub mod json;
pub mod plan_document;
pub mod refresh_document;
pub mod reporter;
pub mod since_document;
pub mod status;
pub mod verdict;
pub mod words;

use planner::spec::ClusterSpec;

/// The client URLs of a cluster's members.
pub fn endpoints(cluster: &ClusterSpec) -> Vec<String> {
    cluster.members.values().map(|member| member.member.client_url().to_string()).collect()
}
