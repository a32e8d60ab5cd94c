//! How a cluster that ran out of space while it was to go to another minor gets out of it: a defragmentation takes the
//! tools of the release that every member runs, and restarts wait for it unless they raise the quota.

use std::collections::BTreeSet;

use inventories::{EtcdVersion, Minor};

use crate::decide::assess::View;
use crate::spec::ClusterSpec;

/// What to do first; `None` where every member that answers runs the wanted minor.
pub(crate) fn way_out(cluster: &ClusterSpec, view: &View<'_>) -> Option<String> {
    let minor = |version: &str| Some(version.parse::<EtcdVersion>().ok()?.minor());
    let minors: BTreeSet<Minor> =
        view.answers().filter_map(|(_, etcd)| minor(&etcd.version)).collect();
    let (lowest, wanted) = (*minors.first()?, cluster.version.minor());
    let place = cluster.place_of("version");
    let (name, at) = (&cluster.name, format!("{}:{}", place.file, place.line));
    let defrag = format!("then: quorate defrag --cluster {name}");
    if minors.len() == 1 {
        return (lowest != wanted).then(|| {
            format!("set `version` in {at} back to the running {lowest} release, {defrag}")
        });
    }
    // The restarts that go back wait for room, unless each of them raises the quota.
    let quota = format!("raise quota-backend-bytes, quorate apply, {defrag}");
    Some(if lowest == wanted {
        quota
    } else {
        format!("set `version` in {at} back to a {lowest} release and in the same change {quota}")
    })
}
