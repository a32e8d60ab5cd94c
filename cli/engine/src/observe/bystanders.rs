//! The inventory's hosts that no cluster uses: whether they carry traces of one that was formed.
//!
//! A cluster may have been theirs before its `members` named others: then it must not be formed again, and what is
//! left of a member there is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use inventories::HostName;
use planner::SiteSpec;
use planner::facts::Observed;
use tokio::task::JoinSet;

use super::host;
use super::request::Request;
use super::unread::observed;
use crate::pool::Pool;

/// Asks each of them which clusters are, or may be, formed there.
pub(super) async fn ask(
    pool: &Arc<Pool>,
    spec: &SiteSpec,
) -> BTreeMap<HostName, Observed<BTreeSet<String>>> {
    let mut asking = JoinSet::new();
    for host in spec.bystanders.iter().cloned() {
        let pool = Arc::clone(pool);
        asking.spawn(async move {
            let request = Request::empty();
            let seen = match super::ask(&pool, &host, &request).await {
                Ok((reply, _)) => observed(host::traces(&request, &reply)),
                Err(error) => Observed::Unknown(super::unreached(&error)),
            };
            (host, seen)
        });
    }
    asking.join_all().await.into_iter().collect()
}
