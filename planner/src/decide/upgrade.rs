//! Another minor of etcd: one step to a neighbouring minor, as a roll with gates before it, a snapshot first, and a proof
//! at its end. [`path`] says whether there is a way, [`gates`] what it waits for, [`hop`] what is done around the roll.

mod gates;
mod hop;
mod hops;
mod no_space;
mod path;
mod proof;
mod route;

use inventories::HostName;

use crate::decide::assess::View;
use crate::report::{Finding, FindingCode};
use crate::spec::ClusterSpec;

pub(crate) use hop::Hop;
pub(crate) use hops::hops;
pub use hops::not_announced;
pub(crate) use no_space::way_out as way_out_of_no_space;
pub(crate) use path::{Path, Run};
pub(crate) use proof::owed;
pub(crate) use route::with_stops;

/// Everything for which the members can't go to the wanted minor now.
pub(crate) fn findings(cluster: &ClusterSpec, view: &View<'_>, path: &Path) -> Vec<Finding> {
    let waits = match path {
        Path::Patches | Path::Back { .. } => Vec::new(),
        Path::Up { from } | Path::Down { from } => gates::closed(cluster, view, *from),
        Path::Refused(refusal) => return vec![refusal.finding(cluster)],
    };
    waits.into_iter().map(|closed| closed.finding(cluster)).collect()
}

/// What keeps a step to another minor from starting.
struct Closed {
    host: Option<HostName>,
    why: String,
    hint: String,
}

impl Closed {
    fn finding(self, cluster: &ClusterSpec) -> Finding {
        Finding {
            code: FindingCode::UpgradeWaits,
            host: self.host,
            cluster: Some(cluster.name.clone()),
            message: format!("the change to etcd {} waits: {}", cluster.version, self.why),
            hint: Some(self.hint),
        }
    }
}
