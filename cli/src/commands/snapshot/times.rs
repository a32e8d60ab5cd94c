//! When the newest good and the newest opened backup of each cluster were taken, for monitoring.

use engine::backups::Store;
use engine::backups::catalog;
use time::OffsetDateTime;

use super::freshness::{PATIENCE, within};
use super::stores;
use crate::commands::Context;
use crate::report::status::BackupTime;
use crate::site::Site;

/// Looks into all targets of all clusters. Of a target that can't be read nothing is said.
pub(in crate::commands) async fn of_site(
    context: &Context,
    site: &Site,
    now: OffsetDateTime,
) -> Vec<BackupTime> {
    let mut looks = Vec::new();
    for (cluster, settings) in &site.inventory.clusters {
        let Some(backups) = &settings.backups else { continue };
        let look = |store: Store| {
            let target = store.name().to_owned();
            let (site, name) = (site.inventory.site.name.clone(), cluster.clone());
            let look = within(PATIENCE, move || {
                store.is_there()?;
                let copies = catalog::newest_copies(&store, &site, &name, now)?;
                let good = copies
                    .iter()
                    .rev()
                    .find(|copy| copy.sidecar().is_some() && !copy.id.is_ahead(now));
                let opened = catalog::newest_opened(&store, &site, &name, now)?;
                Ok((good.map(|copy| copy.id.time), opened.map(|copy| copy.id.time)))
            });
            (cluster.clone(), target, look)
        };
        looks.extend(stores(context, site, backups).into_iter().map(look));
    }
    let mut times = Vec::new();
    for (cluster, target, look) in looks {
        if let Ok((newest, opened)) = look.await {
            times.push(BackupTime { cluster, target, newest, opened });
        }
    }
    times
}
