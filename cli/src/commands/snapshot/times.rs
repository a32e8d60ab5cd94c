//! When the newest good and the newest opened backup of each cluster were taken, for monitoring.

use time::OffsetDateTime;

use super::freshness::backed_up;
use super::looks::{Looked, Seen, look};
use crate::commands::Context;
use crate::report::status::BackupTime;
use crate::site::Site;

/// Looks into all targets of all clusters. Of a target that can't be read nothing is said.
pub(in crate::commands) async fn of_site(
    context: &Context,
    site: &Site,
    now: OffsetDateTime,
) -> Vec<BackupTime> {
    let looked = look(context, site, backed_up(site), now).await;
    let times = looked.into_iter().filter_map(|Looked { cluster, place, seen, .. }| {
        let Seen { newest: Ok(copies), opened: Ok(opened) } = seen else { return None };
        let mut good = copies.iter().filter(|copy| copy.sidecar().is_some());
        let newest = good.rfind(|copy| !copy.id.is_ahead(now)).map(|copy| copy.id.time);
        let opened = opened.map(|copy| copy.id.time);
        Some(BackupTime { cluster, target: place, newest, opened })
    });
    times.collect()
}
