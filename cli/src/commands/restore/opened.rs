//! Opening what is restored: all of it is read and checked before a host is looked at.

use std::path::Path;
use std::sync::Arc;

use engine::backups::open::OpenError;
use engine::backups::restorable::{Restorable, is_sealed};
use engine::backups::{BackupId, Sidecar, Store};
use inventories::ClusterName;
use pki::Identity;
use planner::policy::RestoreSource;
use time::OffsetDateTime;

use super::super::Context;
use super::super::snapshot::copies::{copies_of, first_good, hint_of};
use super::super::snapshot::{settings, settings_of};
use super::WantedArgs;
use super::known::Known;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::keys::{self, IdentityArgs, Sealed};
use crate::report::columns::bytes;
use crate::site::{Site, clusters_of};

/// What is restored.
pub(super) struct Opened {
    /// The snapshot.
    pub(super) snapshot: Arc<Restorable>,
    /// What the planner needs to know of it.
    pub(super) source: RestoreSource,
    /// What is known of the cluster's backups.
    pub(super) known: Known,
}

pub(super) fn open(
    context: &Context,
    site: &Site,
    wanted: &WantedArgs,
    identity: &IdentityArgs,
) -> Result<Opened, CliError> {
    let WantedArgs { cluster, from, .. } = wanted;
    if !site.inventory.clusters.contains_key(cluster) {
        let message = format!("--cluster {cluster}: the inventory has no such cluster");
        return Err(CliError::new(ExitCode::Usage, message).hint(clusters_of(&site.spec()?)));
    }
    let known = Known::read(context, site, cluster, OffsetDateTime::now_utc());
    for doubt in &known.doubts {
        context.terminal.warn(doubt);
    }
    let opener = Opener { context, site, cluster, identity };
    let named = match from.strip_prefix("sha256:") {
        Some(sha256) => by_sum(context, site, cluster, (&known, sha256))?.parse(),
        None => from.parse(),
    };
    let (snapshot, sidecar) = match named {
        Ok(id) => opener.backup(&id).map(|(snapshot, sidecar)| (snapshot, Some(sidecar)))?,
        Err(_) => {
            let snapshot = opener.file(Path::new(from))?;
            let (sidecar, unread) = known.sidecar(site, cluster, snapshot.sha256());
            for doubt in unread {
                context.terminal.warn(&doubt);
            }
            (snapshot, sidecar)
        }
    };
    context.terminal.say(&format!("{from} is whole: {}", bytes(snapshot.size())));
    let source = RestoreSource {
        name: from.clone(),
        sha256: snapshot.sha256().to_owned(),
        bytes: snapshot.size(),
        revision: sidecar.as_ref().map(|sidecar| sidecar.revision),
        etcd_version: sidecar.as_ref().and_then(|sidecar| sidecar.etcd_version.parse().ok()),
        alarms: sidecar.as_ref().and_then(|it| it.alarms.clone()).into_iter().flatten().collect(),
        taken: sidecar.as_ref().and_then(Sidecar::taken),
    };
    Ok(Opened { snapshot: Arc::new(snapshot), source, known })
}

/// The backup with this content, as the hints about an unfinished restore name it.
fn by_sum(
    context: &Context,
    site: &Site,
    cluster: &ClusterName,
    (known, sha256): (&Known, &str),
) -> Result<String, CliError> {
    let (found, unread) = known.sidecar(site, cluster, sha256);
    for doubt in unread {
        context.terminal.warn(&doubt);
    }
    found.map(|sidecar| sidecar.id).ok_or_else(|| {
        let message = format!("no backup that can be read has a snapshot of sha256 {sha256}");
        let hint = format!(
            "see which backups there are: quorate snapshot list --cluster {cluster}\n\
             if it was a snapshot file, name the file: --from FILE"
        );
        CliError::new(ExitCode::Usage, message).hint(hint)
    })
}

struct Opener<'a> {
    context: &'a Context,
    site: &'a Site,
    cluster: &'a ClusterName,
    identity: &'a IdentityArgs,
}

impl Opener<'_> {
    /// The first good copy.
    fn backup(&self, id: &BackupId) -> Result<(Restorable, Sidecar), CliError> {
        let Self { context, site, cluster, .. } = self;
        settings_of(site, id)?;
        if id.cluster != **cluster {
            let message =
                format!("{id} is a backup of cluster {}, and not of {cluster}", id.cluster);
            return Err(CliError::new(ExitCode::Usage, message).hint(format!(
                "see which ones there are: quorate snapshot list --cluster {cluster}"
            )));
        }
        let copies = copies_of(context, site, id)?;
        let identities = self.identities()?;
        let open = |store: &Store, known: &Sidecar| {
            Ok(Restorable::backup(store, id, known, Arc::clone(&identities)))
        };
        first_good(context, copies, open, |store, error| {
            failed(format!("{}: {id} can't be restored", store.name()), error)
        })
    }

    fn file(&self, path: &Path) -> Result<Restorable, CliError> {
        let shown = path.display();
        let failed = |error| failed(format!("{shown} can't be restored"), error);
        if !path.exists() {
            let message = format!("{shown} is neither a backup's name nor a file");
            let hint = format!(
                "see which backups there are: quorate snapshot list --cluster {}",
                self.cluster
            );
            return Err(CliError::new(ExitCode::Usage, message).hint(hint));
        }
        let identities = match is_sealed(path).map_err(failed)? {
            true => self.identities()?,
            false => Arc::default(),
        };
        Restorable::file(path, identities).map_err(failed)
    }

    fn identities(&self) -> Result<Arc<[Identity]>, CliError> {
        let Self { context, site, cluster, identity } = self;
        let recipients = match settings(site, cluster) {
            Ok(backups) => &backups.recipients,
            Err(_) => &site.inventory.pki.recipients,
        };
        let (terminal, passphrases) = (&context.terminal, &context.passphrases);
        let opened = keys::identities(recipients, Sealed::Backup, identity, terminal, passphrases)?;
        Ok(opened.into())
    }
}

fn failed(doing: String, error: OpenError) -> CliError {
    let hint = match &error {
        OpenError::Trailer(_) => {
            Some("take another one: quorate snapshot list shows the backups".to_owned())
        }
        error => hint_of(error),
    };
    CliError::failed(ErrorContext::new(doing, error)).maybe_hint(hint)
}
