//! Installing a release: by the host's own download, or by a push from here.

use inventories::EtcdVersion;
use inventories::inventory::ReleaseSource;
use planner::Step;
use templates::layout::ReleaseLayout;

use crate::hosts::Done;
use crate::lock::LockedConnection;
use crate::release::{Archives, MAX_ARCHIVE};
use crate::script::{self, answer, call, failure::Failure, guard};
use remote::{Call, Payload};

/// How long a host's download may take, in seconds. Where it takes longer, a push is no worse.
const DOWNLOAD_SECONDS: u64 = 300;
/// How long a push may take, in seconds; unpacking and syncing included.
const PUSH_SECONDS: u64 = 900;

/// What is to be installed.
pub(crate) struct Wanted<'a> {
    pub(crate) version: EtcdVersion,
    pub(crate) source: &'a ReleaseSource,
    pub(crate) sha256: &'a str,
}

/// Where a host downloads.
pub(crate) struct Download<'a> {
    pub(crate) url: &'a str,
    /// Without a password: it becomes an argument.
    pub(crate) proxy: Option<&'a str>,
}

/// The host downloads; where it can't, the archive is fetched here and pushed.
pub(crate) async fn by_host(
    step: &Step,
    wanted: &Wanted<'_>,
    from: &Download<'_>,
    archives: &Archives,
    connection: &LockedConnection,
) -> Result<Done, Failure> {
    let reply = connection.run(call(step, wanted, from, Payload::new())?).await?;
    let Some(why) = answer::undownloaded(&reply) else {
        return Ok(answer::read(&reply)?.done);
    };
    push(step, wanted, archives, connection).await.map_err(|failure| {
        failure.with_words(format!("the host could not download it: {why}").as_bytes())
    })
}

/// The archive is fetched here, once for all hosts, and pushed as it is: compressed.
pub(crate) async fn push(
    step: &Step,
    wanted: &Wanted<'_>,
    archives: &Archives,
    connection: &LockedConnection,
) -> Result<Done, Failure> {
    let archive = archives.get(wanted.source, wanted.sha256).await.map_err(Failure::local)?;
    let nowhere = Download { url: "", proxy: None };
    let call = call(step, wanted, &nowhere, Payload::new().with(archive))?;
    Ok(answer::read(&connection.run(call).await?)?.done)
}

fn call(
    step: &Step,
    wanted: &Wanted<'_>,
    from: &Download<'_>,
    payload: Payload,
) -> Result<Call, Failure> {
    let args = guard::arguments(step, None)?
        .with("dir", ReleaseLayout::new(wanted.version).dir())
        .with("sha256", wanted.sha256)
        .with("version", wanted.version)
        .with("url", from.url)
        .with("seconds", DOWNLOAD_SECONDS)
        .with("bytes", MAX_ARCHIVE)
        .with("proxy", from.proxy.unwrap_or_default());
    Ok(call::patient(call::call(script::INSTALL_RELEASE, args, payload), PUSH_SECONDS))
}
