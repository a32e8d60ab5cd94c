//! `quorate snapshot take`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::backups::sidecar::{FORMAT, Grade, Member};
use engine::backups::source::{Choice, NoSource, Source, choose};
use engine::backups::take::{self, Kept, Order, Sizes, TakeError, Taken};
use engine::backups::trial::{self, Tried};
use engine::backups::{BackupId, Sidecar, ask};
use inventories::{ClusterName, EtcdVersion};
use pki::Recipient;
use planner::facts::Observed;
use planner::spec::ClusterSpec;
use remote::RemoteError;
use templates::Layout;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::oneshot;

use super::{settings, stores, verify};
use crate::commands::Context;
use crate::commands::actor::actor;
use crate::commands::hosts::HostAccess;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use crate::provenance::{Checkout, Provenance};
use crate::report::columns::bytes;
use crate::report::human::Spinner;
use crate::site::{Site, choose_cluster};
use crate::terminal::Terminal;

/// How a snapshot comes here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// As the member sends it.
    Stream,
    /// Once an etcd has started from it.
    Check,
}

pub(super) fn run(
    context: &Context,
    named: Option<&ClusterName>,
    depth: Depth,
) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let cluster = choose_cluster(&spec, named)?;
    let backups = settings(&site, &cluster.name)?;
    let recipients = recipients(&backups.recipients)?;
    let stores = stores(context, &site, backups);
    let id = BackupId::draw(&site.inventory.site.name, &cluster.name, OffsetDateTime::now_utc())
        .map_err(|error| CliError::failed(format!("cannot draw a random name: {error}")))?;
    let taken = context.block_on(async {
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let access = HostAccess::new(context, &site)?;
        let asking = async {
            let answers = ask::every_status(&access.pool, cluster).await;
            let source = choose(&answers, formed(cluster)).map_err(no_source)?;
            let about = ask::about(&access.pool, cluster, &source).await;
            Ok((answers, source, about))
        };
        let (answers, source, about) = interrupts.give_way(asking).await?;
        announce(&context.terminal, cluster, &source);
        let progress = Arc::new(AtomicU64::new(0));
        let order = Order {
            host: &source.host,
            layout: &Layout::new(&cluster.name),
            version: source.etcdctl,
            endpoint: &cluster
                .endpoints_from(&source.host)
                .remove(&source.host)
                .unwrap_or_default(),
            recipients: &recipients,
            stores: &stores,
            id: &id,
            check: match depth {
                Depth::Stream => None,
                Depth::Check => Some(release_of(&source)?),
            },
            most: take::most_of(source.status.facts.db_size),
            progress: &progress,
        };
        let describe = async |sizes: Sizes, tried: Option<Tried>| {
            let grade = match tried {
                None => Grade::Stored,
                Some(tried) => {
                    let of = &source.status.facts.cluster_id;
                    let found = trial::compare(&access.pool, cluster, &answers, of, &tried).await;
                    context.terminal.clear();
                    verify::tell(&context.terminal, &tried, &found);
                    if !found.other.is_empty() {
                        let names = found.other.iter().map(ToString::to_string).collect();
                        return Err(TakeError::Differs(names));
                    }
                    Grade::Checked
                }
            };
            Ok(sidecar(&site, &id, &source, about, (sizes, grade)))
        };
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) };
        let taking = take::take(&access.pool, &order, describe, stopped);
        let taking = watched(&context.terminal, &source, &progress, taking);
        match unless_stopped_twice(&mut interrupts, stop, taking).await {
            Some(taken) => {
                if let Err(TakeError::Stalled { .. }) = &taken {
                    // A target that hangs may not have cleaned up.
                    take::discard(&stores, &id).await;
                }
                taken.map_err(not_taken)
            }
            None => {
                context.terminal.clear();
                take::discard(&stores, &id).await;
                Err(not_taken(TakeError::Interrupted))
            }
        }
    })??;
    Ok(tell(&context.terminal, &id, &taken))
}

/// Passes on the first stop, after which the work tidies up; the second one ends the wait: `None`.
async fn unless_stopped_twice<T>(
    interrupts: &mut Interrupts,
    stop: oneshot::Sender<()>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return Some(done),
        () = interrupts.next() => {}
    }
    // Once the whole snapshot is here, there is no receiver.
    let _ = stop.send(());
    interrupts.unless_twice(work).await
}

fn recipients(written: &[String]) -> Result<Vec<Recipient>, CliError> {
    let parse = |text: &String| {
        Recipient::parse(text).map_err(|error| {
            let doing = format!("cannot seal backups for {text}");
            CliError::new(ExitCode::Inventory, ErrorContext::new(doing, error))
        })
    };
    written.iter().map(parse).collect()
}

fn formed(cluster: &ClusterSpec) -> Option<&str> {
    match &cluster.formed {
        Observed::Known(record) => Some(&record.cluster_id),
        Observed::Absent | Observed::Unknown(_) => None,
    }
}

fn no_source(error: NoSource) -> CliError {
    let kind = match &error {
        NoSource::Silent(_) => ExitCode::Unreachable,
        NoSource::Split(_) | NoSource::Other { .. } | NoSource::Unfit => ExitCode::Blocked,
    };
    CliError::new(kind, error).hint("look at the cluster: quorate status")
}

/// The release that the member runs, which makes the snapshot.
fn release_of(source: &Source) -> Result<EtcdVersion, CliError> {
    let version = &source.status.facts.version;
    version.parse().map_err(|_| CliError::failed(format!("{version} is no release of etcd")))
}

/// Says who is asked, and what that means.
fn announce(terminal: &Terminal, cluster: &ClusterSpec, source: &Source) {
    let (name, host) = (&cluster.name, &source.host);
    let why = match source.choice {
        Choice::Follower => "a follower",
        Choice::Leader => "the leader, because no follower is fit",
        Choice::Lagging => "a follower that lags, because no other member is fit",
        Choice::HighestIndex => "the member with the highest index",
    };
    terminal.say(&format!("Taking a snapshot of cluster {name} from {host}, {why}."));
    match source.choice {
        Choice::Follower | Choice::Leader => {}
        Choice::Lagging => terminal.warn(&format!(
            "{host} lags behind: the backup lacks the latest writes of cluster {name}"
        )),
        Choice::HighestIndex => terminal.warn(&format!(
            "{host} knows no leader, so cluster {name} has no quorum: other members may hold later writes"
        )),
    }
}

/// Shows how much has come until it is done.
async fn watched<T>(
    terminal: &Terminal,
    source: &Source,
    progress: &AtomicU64,
    work: impl Future<Output = T>,
) -> T {
    let spinner = Spinner::new(terminal);
    let all = bytes(source.status.facts.db_size);
    let mut work = std::pin::pin!(work);
    let done = loop {
        let so_far = bytes(progress.load(Ordering::Relaxed));
        spinner.draw(&format!("{}: {so_far} of about {all}", source.host));
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
    };
    terminal.clear();
    done
}

fn sidecar(
    site: &Site,
    id: &BackupId,
    source: &Source,
    about: ask::About,
    (sizes, grade): (Sizes, Grade),
) -> Sidecar {
    let facts = &source.status.facts;
    let ask::About { members, alarms, authentication } = about;
    let listed = members.iter().flatten().find(|member| member.id == facts.member_id);
    let name = listed.map_or(source.host.to_string(), |member| member.name.clone());
    let Sizes { size, sha256, sealed_size, sealed_sha256 } = sizes;
    Sidecar {
        format: FORMAT,
        id: id.to_string(),
        site: id.site.to_string(),
        cluster: id.cluster.to_string(),
        cluster_id: facts.cluster_id.clone(),
        member: Member { id: facts.member_id.clone(), name },
        members,
        quorum: source.has_quorum(),
        revision: source.status.revision,
        raft_index: facts.raft_applied,
        raft_term: facts.raft_term,
        alarms,
        authentication,
        etcd_version: facts.version.clone(),
        size,
        sha256,
        sealed_size,
        sealed_sha256,
        time: id.time.format(&Rfc3339).unwrap_or_default(),
        by: actor(),
        commit: commit(site),
        grade,
        digest: String::new(),
    }
}

/// The commit of the inventory, and whether the inventory is that commit's.
fn commit(site: &Site) -> Option<String> {
    let checkout = Checkout::for_site(site);
    let provenance = checkout.known()?;
    let dirty = if Provenance::is_dirty(provenance) { "-dirty" } else { "" };
    Some(format!("{}{dirty}", provenance.commit))
}

fn not_taken(error: TakeError) -> CliError {
    let kind = match &error {
        TakeError::Interrupted => ExitCode::Interrupted,
        TakeError::Remote(_) => ExitCode::Unreachable,
        _ => ExitCode::Failed,
    };
    let hint = match &error {
        TakeError::Remote(error) => RemoteError::hint(error),
        TakeError::Etcdctl { .. }
        | TakeError::Trailer(_)
        | TakeError::Host(_)
        | TakeError::TooLarge { .. }
        | TakeError::NoRelease(_)
        | TakeError::Stalled { .. } => Some(
            "nothing was stored; earlier backups are unchanged: quorate snapshot list".to_owned(),
        ),
        TakeError::Differs(_) => {
            Some("nothing was stored; find out which member is right: quorate status".to_owned())
        }
        _ => None,
    };
    CliError::new(kind, error).maybe_hint(hint)
}

/// Says where the backup is, and where it is not.
fn tell(terminal: &Terminal, id: &BackupId, taken: &Taken) -> ExitCode {
    let mut stored = 0;
    for Kept { store, outcome, caution } in &taken.kept {
        match outcome {
            Ok(()) => {
                stored += 1;
                terminal.say(&format!("{}: stored and read back", store.name()));
                if let Some(caution) = caution {
                    terminal.warn(&format!("{}: {caution}", store.name()));
                }
            }
            Err(error) => {
                let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
                let cause = cause.unwrap_or_default();
                terminal.warn(&format!("{}: no backup: {error}{cause}", store.name()));
            }
        }
    }
    if stored == 0 {
        terminal.warn("the backup was stored in no target; earlier backups are unchanged");
        return ExitCode::Failed;
    }
    let Sidecar { size, revision, grade, .. } = &taken.sidecar;
    let proven = match grade {
        Grade::Checked => "An etcd started from it. That a key opens it, only this shows",
        Grade::Stored | Grade::Opened => "Not verified yet",
    };
    terminal.say(&format!(
        "{} at revision {revision} or later. {proven}: quorate snapshot verify {id}",
        bytes(*size)
    ));
    terminal.print(&format!("{id}\n"));
    if stored == taken.kept.len() { ExitCode::Done } else { ExitCode::Partial }
}
