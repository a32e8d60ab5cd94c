//! The steps of a restore. The snapshot is opened here and streamed to each host; what is done with it there, a script
//! says.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use inventories::{EtcdVersion, HostName};
use planner::plan::Staging;
use remote::{Call, Payload};
use templates::layout::ReleaseLayout;

use super::bootstrap::token;
use super::{MemberStep, pods};
use crate::backups::open::OpenError;
use crate::backups::restorable::Restorable;
use crate::hosts::{Bindings, Done};
use crate::lock::LockedConnection;
use crate::script::{
    self, answer,
    call::{Arguments, guarded, patient},
    failure::Failure,
};

/// How long a snapshot may take to arrive, in seconds: the largest database over a slow line.
const ARRIVING: u64 = 4 * 60 * 60;
/// How long the tool may take to restore it, in seconds: the largest database on a slow disk.
const LONGEST: u64 = 2 * 60 * 60;

/// Sends the snapshot while it is opened, and has it restored beside the member's data.
pub(crate) async fn stage(
    step: &MemberStep<'_>,
    wanted: &Staging,
    source: Option<&Arc<Restorable>>,
    bindings: &Bindings,
    connection: &LockedConnection,
) -> Result<Done, Failure> {
    let source = source.filter(|source| source.sha256() == wanted.snapshot.sha256);
    let source = source.ok_or_else(|| Failure::local("this run did not open the snapshot"))?;
    let source = Arc::clone(source);
    let (pipe, mut feed) = io::pipe().map_err(Failure::local)?;
    let call = staging(step, wanted, bindings)?;
    let payload = Payload::new().with_streamed(pipe, wanted.snapshot.bytes);
    let call = Call { payload: payload.map_err(Failure::local)?, ..call };
    let pouring = tokio::task::spawn_blocking(move || source.pour(&mut feed));
    // Once the run is over the pipe has no reader, and so the writing ends.
    let answer =
        connection.run(call).await.map_err(Failure::from).and_then(|said| answer::read(&said));
    let poured = pouring.await.map_err(Failure::local)?;
    match (answer, poured) {
        (Ok(answer), _) => Ok(answer.done),
        // The host says only that it did not get all.
        (Err(_), Err(error)) if !matches!(error, OpenError::Write(_)) => Err(Failure::local(error)),
        (Err(failure), _) => Err(failure),
    }
}

fn staging(step: &MemberStep<'_>, wanted: &Staging, bindings: &Bindings) -> Result<Call, Failure> {
    let Staging { snapshot, version, name, peer_url, initial_cluster, bump, account } = wanted;
    let members = initial_cluster.iter().map(|(name, url)| format!("{name}={url}"));
    let members: Vec<String> = members.collect();
    let args = Arguments::new()
        .with("tool", ReleaseLayout::new(*version).restorer())
        .with("sha256", &snapshot.sha256)
        .with("bytes", snapshot.bytes)
        .with("name", name)
        .with("peer_url", peer_url)
        .with("initial_cluster", members.join(","))
        .with("token", token(step, bindings)?.as_str())
        .with("bump", bump.map(|bump| bump.to_string()).unwrap_or_default())
        .with("account", account)
        .with("data", step.layout.data_dir())
        .with("restored", step.layout.restored_dir())
        .with("record", step.layout.restore_record())
        .with("most", LONGEST);
    Ok(patient(guarded(step, script::STAGE_RESTORE, args)?, ARRIVING + LONGEST))
}

/// Sees that nobody is connected to the member.
pub(crate) fn look_for_clients(step: &MemberStep<'_>) -> Result<Call, Failure> {
    let args =
        Arguments::new().with("unit", step.layout.unit_name()).with("data", step.layout.data_dir());
    guarded(step, script::LOOK_FOR_CLIENTS, args)
}

/// Stops the member, whatever runs it.
pub(crate) fn stop(
    step: &MemberStep<'_>,
    staged: Option<&str>,
    (others, version): (&BTreeMap<HostName, String>, EtcdVersion),
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = of_this(step, staged, bindings)?
        .with_etcdctl(layout, version)
        .with("unit", layout.unit_name())
        .with("manifest", layout.pod_manifest())
        .with("data", layout.data_dir())
        .with("end_seconds", pods::END)
        .with("kept", layout.kept_manifest())
        .with_words("others", others.values());
    Ok(patient(guarded(step, script::STOP_FOR_RESTORE, args)?, pods::END))
}

/// Archives the data that it has.
pub(crate) fn set_aside(
    step: &MemberStep<'_>,
    staged: Option<&str>,
    (others, version): (&BTreeMap<HostName, String>, EtcdVersion),
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let args = of_this(step, staged, bindings)?
        .with_etcdctl(&step.layout, version)
        .with("unit", step.layout.unit_name())
        .with("data", step.layout.data_dir())
        .with("restored", step.layout.restored_dir())
        .with_words("others", others.values());
    guarded(step, script::SET_ASIDE, args)
}

/// Puts the restored data in its place.
pub(crate) fn place(
    step: &MemberStep<'_>,
    sha256: &str,
    (others, version): (&BTreeMap<HostName, String>, EtcdVersion),
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let args = of_this(step, Some(sha256), bindings)?
        .with_etcdctl(&step.layout, version)
        .with("unit", step.layout.unit_name())
        .with("data", step.layout.data_dir())
        .with("restored", step.layout.restored_dir())
        .with_words("others", others.values());
    guarded(step, script::PLACE_RESTORE, args)
}

/// Removes the record.
pub(crate) fn end(
    step: &MemberStep<'_>,
    sha256: &str,
    voids: Option<&str>,
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let args = of_this(step, Some(sha256), bindings)?
        .with("restored", step.layout.restored_dir())
        .with("marker", step.layout.marker())
        .with("voids", voids.unwrap_or_default());
    guarded(step, script::END_RESTORE, args)
}

/// The restore that a step belongs to. A former member's host has no part in it and is only cleared for it, and a cluster
/// that is destroyed has none.
fn of_this(
    step: &MemberStep<'_>,
    sha256: Option<&str>,
    bindings: &Bindings,
) -> Result<Arguments, Failure> {
    let token = match sha256 {
        Some(_) => token(step, bindings)?.as_str(),
        None => "",
    };
    Ok(Arguments::new()
        .with("record", step.layout.restore_record())
        .with("token", token)
        .with("sha256", sha256.unwrap_or_default()))
}
