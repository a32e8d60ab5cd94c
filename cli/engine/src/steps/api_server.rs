//! Steps of the API server of a host: its client certificate, its configuration, and that it comes back.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inventories::KubernetesName;
use pki::{CaKind, LeafRequest, Sha256Digest, bundle};
use planner::Step;
use planner::plan::Signer;
use templates::apiserver::manifest::{Manifest, Wanted};
use templates::layout::{API_SERVER_STATE, ApiserverFile, ApiserverLayout};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::certificates::{Issuers, generation_name};
use crate::hosts::{Done, StepErrorKind};
use crate::lock::LockedConnection;
use crate::script::{
    self, answer,
    call::{self, Arguments},
    failure::Failure,
    guard,
};
use remote::{Call, Payload};

/// How long an API server may take to come back, in seconds: it takes half a minute where its host has nothing else to do.
const PATIENCE: u64 = 240;

/// A client certificate to issue.
pub(crate) struct Certificate<'a> {
    pub(crate) kubernetes: &'a KubernetesName,
    pub(crate) leaf: &'a LeafRequest,
    pub(crate) signer: &'a Signer,
    pub(crate) endpoints: &'a [String],
}

/// The call that installs it, once a member has accepted it.
pub(crate) fn certificate(
    step: &Step,
    issuers: &Issuers,
    wanted: &Certificate<'_>,
    now: OffsetDateTime,
) -> Result<Call, Failure> {
    let Certificate { kubernetes, leaf, signer, endpoints } = wanted;
    let authority = issuers.get(signer, CaKind::Client)?;
    let issued = authority.issue(leaf, now).map_err(Failure::local)?;
    let (mut payload, mut files, mut digests) = (Payload::new(), Vec::new(), String::new());
    for file in ApiserverFile::ALL {
        let (mode, owner, group) = planner::api_server_attributes(file);
        files.push(format!("{} {mode:o} {owner}:{group}", file.name()));
        let mut note = |content: &[u8]| {
            digests += &format!("{}  {}\n", Sha256Digest::hash(content), file.name());
        };
        payload = match file {
            ApiserverFile::Key => {
                note(issued.key.expose());
                payload.with_secret(Zeroizing::new(issued.key.expose().to_vec()))
            }
            ApiserverFile::Cert => {
                let text = issued.certificate.pem().into_bytes();
                note(&text);
                payload.with(text)
            }
            ApiserverFile::Ca => {
                let text = bundle::write([authority.certificate()]).into_bytes();
                note(&text);
                payload.with(text)
            }
        };
    }
    let layout = ApiserverLayout::new(kubernetes);
    let args = guard::arguments(step, None)?
        .with("pki", layout.pki_dir())
        .with("generation", generation_name(now)?)
        .with("group", "root")
        .with("untried", "")
        .with("swap", "at-once")
        .with_words("endpoints", endpoints.iter())
        .with_words("files", files);
    let payload = payload.with(digests.into_bytes());
    Ok(call::call(script::INSTALL_CERTIFICATES, args, payload))
}

/// Reads the manifest, edits it in memory, and puts it into its place, unless it is no longer the one of the plan.
pub(crate) async fn wire(
    step: &Step,
    (path, planned): (&str, &str),
    wanted: &Wanted,
    connection: &LockedConnection,
) -> Result<Done, Failure> {
    let args = Arguments::new().with("manifest", path);
    let read = call::call(script::READ_MANIFEST, args, Payload::new());
    let said = Zeroizing::new(answer::read(&connection.run(read).await?)?.body);
    let text = Zeroizing::new(STANDARD.decode(said.trim()).map_err(Failure::failed)?);
    let text = std::str::from_utf8(&text).map_err(Failure::failed)?;
    let seen = Sha256Digest::hash(text.as_bytes()).to_string();
    let edited = Manifest::read(text).and_then(|manifest| manifest.edited(wanted));
    let edited = edited.map_err(|why| Failure::failed(format!("{path}: {why}")))?;
    let edited = Zeroizing::new(edited.into_bytes());
    let digest = Sha256Digest::hash(&edited).to_string();
    if seen != planned && seen != digest {
        let why = format!("{path} has changed since the plan was made");
        return Err(Failure::new(StepErrorKind::Guard(why)).hinted("plan again"));
    }
    let args = guard::arguments(step, Some(&digest))?
        .with("manifest", path)
        .with("state", API_SERVER_STATE);
    let write = call::call(script::WIRE_API_SERVER, args, Payload::new().with_secret(edited));
    Ok(answer::read(&connection.run(write).await?)?.done)
}

/// Waits until it is back.
pub(crate) fn await_ready(
    step: &Step,
    flags: &BTreeMap<String, Option<String>>,
    manifest: &str,
) -> Result<Call, Failure> {
    let set = flags.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
    let absent = flags.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name);
    let args = Arguments::new()
        .with("manifest", manifest)
        .with("state", API_SERVER_STATE)
        .with("seconds", PATIENCE)
        .with_lines("flags", set)
        .with_words("absent", absent);
    Ok(call::patient(call::guarded(step, script::AWAIT_API_SERVER, args)?, PATIENCE))
}
