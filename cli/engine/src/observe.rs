//! Looking at the hosts: one connection and one read-only script a host, and the reply as facts.
//!
//! - [`observe`] looks at every host at once, and asks the inventory's other hosts for traces of clusters; then it looks
//!   at the members that leave, and asks, only for clusters that no host knows as formed, which members reach each other,
//!   what DNS says of them there, and what they would cost in time.
//! - A member that seems to have lost its log is looked at twice: see [`SiteFacts::hosts_of_lost_members`].
//! - `request` says what is asked, `records` takes the reply apart, and each other module reads one
//!   part of it, without running anything.
//! - What a host did not say is unknown, and never absent. What a fact can't do without makes the
//!   whole host unknown.

mod acls;
mod api_server;
pub(crate) mod applied;
mod bystanders;
mod clock;
mod cost;
mod data;
mod files;
mod host;
mod kubelet;
mod machine;
mod member;
mod names;
mod network;
mod processes;
mod reach;
mod records;
mod releases;
mod request;
mod restore;
mod services;
#[cfg(test)]
mod tests;
mod units;
mod unread;
mod wal;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use inventories::HostName;
use planner::facts::{HostFacts, Observed};
use planner::{SiteFacts, SiteSpec};
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tracing::{Instrument as _, debug_span};

use crate::hosts::Timed;
use crate::pool::Pool;
use clock::Span;
use remote::{Call, Payload, RemoteError, Reply, clean};
use request::Request;

/// The script that looks.
pub(crate) const SCRIPT: &str = concat!(
    include_str!("script/sh/drop_ins.sh"),
    include_str!("script/sh/at_boot.sh"),
    include_str!("script/sh/pod_logs.sh"),
    include_str!("script/sh/facts.sh")
);
/// A look takes a tenth of a second; a member without a quorum makes it wait.
const LOOK_TIME: Duration = Duration::from_secs(60);
/// A step writes its few files within a moment; what is torn three times in a row stays torn.
const MOST_LOOKS: u32 = 3;
/// The longest reply: every text of several clusters at its limit.
const MAX_REPLY: usize = 8 * 1024 * 1024;

/// Looks at every host that the clusters of `spec` use, and asks the inventory's other hosts for traces of them. A host that can't be seen is an answer.
pub async fn observe(pool: &Arc<Pool>, spec: &SiteSpec, timed: Timed) -> SiteFacts {
    let observed_at = OffsetDateTime::now_utc();
    let (hosts, bystanders) =
        tokio::join!(look_at(pool, Request::all(spec)), bystanders::ask(pool, spec));
    let misled = BTreeMap::new();
    // First of all: nothing more is asked of a machine that is not the host.
    let mut seen = SiteFacts { observed_at, hosts, misled, bystanders }.told_apart(spec);
    let lost = seen.hosts_of_lost_members(spec);
    if !lost.is_empty() {
        let mut again = Request::all(spec);
        again.retain(|host, _| lost.contains(host));
        seen.hosts.extend(look_at(pool, again).await);
        seen = seen.told_apart(spec);
    }
    if let Some(leaving) = seen.leaving(spec) {
        seen.add_leaving(look_at(pool, Request::all(&leaving)).await);
    }
    let SiteFacts { mut hosts, misled, bystanders, .. } = seen;
    let reached = reach::ask(pool, spec, &hosts, timed).await;
    for (host, found) in reached {
        if let Some(Observed::Known(facts)) = hosts.get_mut(&host) {
            let times = found.iter().filter_map(|(peer, found)| Some((*peer, found.round_trip?)));
            facts.round_trips.extend(times);
            facts.reach = found.iter().map(|(peer, found)| (*peer, found.reach)).collect();
        }
    }
    for (host, found) in services::ask(pool, spec, &hosts).await {
        if let Some(Observed::Known(facts)) = hosts.get_mut(&host) {
            facts.names.services = found;
        }
    }
    for (host, found) in api_server::ask(pool, spec, &hosts).await {
        if let Some(Observed::Known(facts)) = hosts.get_mut(&host) {
            facts.apiserver = Some(found);
        }
    }
    // Only now: a host that is busy with its disk answers late.
    for (host, costs) in cost::ask(pool, spec, &hosts, timed).await {
        if let Some(Observed::Known(facts)) = hosts.get_mut(&host) {
            facts.disks = costs.disks;
            facts.round_trips.extend(costs.round_trips);
        }
    }
    SiteFacts { observed_at, hosts, misled, bystanders }
}

/// Looks at these hosts, all at once.
async fn look_at(
    pool: &Arc<Pool>,
    requests: BTreeMap<HostName, Request>,
) -> BTreeMap<HostName, Observed<HostFacts>> {
    let mut looks = JoinSet::new();
    for (host, request) in requests {
        let pool = Arc::clone(pool);
        looks.spawn(async move {
            let span = debug_span!("facts", %host);
            let seen = look(&pool, &host, &request).instrument(span).await;
            (host, seen)
        });
    }
    looks.join_all().await.into_iter().collect()
}

/// Observes one host. While another process works there, a file may change between two questions about
/// it: then the whole look is made again.
async fn look(pool: &Pool, host: &HostName, request: &Request) -> Observed<HostFacts> {
    let mut looks = 1;
    loop {
        let seen = match ask(pool, host, request).await {
            Ok((reply, span)) => host::read(request, &reply, span),
            Err(error) => return Observed::Unknown(unreached(&error)),
        };
        match seen {
            Ok(seen) if seen.torn && looks < MOST_LOOKS => looks += 1,
            Ok(seen) => return Observed::Known(seen.facts),
            Err(why) => return Observed::Unknown(why.to_string()),
        }
    }
}

async fn ask(
    pool: &Pool,
    host: &HostName,
    request: &Request,
) -> Result<(Reply, Span), RemoteError> {
    let connection = pool.connection(host).await?;
    let call = Call {
        script: SCRIPT,
        args: request.arguments(),
        payload: Payload::new(),
        deadline: LOOK_TIME,
        max_reply: MAX_REPLY,
    };
    let sent = SystemTime::now();
    let reply = connection.run(call).await?;
    Ok((reply, Span { sent, received: SystemTime::now() }))
}

/// Where on the way it failed, why, and what to try, in one line.
fn unreached(error: &RemoteError) -> String {
    let text = match error.hint() {
        Some(hint) => format!("{}: {error} ({hint})", error.stage()),
        None => format!("{}: {error}", error.stage()),
    };
    clean(text.as_bytes())
}
