//! Writing the marker: the member says what cluster it is of, and only then it is written down.

use inventories::{EtcdVersion, SiteName};
use planner::facts::Marker;

use super::MemberStep;
use crate::etcd;
use crate::hosts::{Done, StepErrorKind};
use crate::lock::LockedConnection;
use crate::script::{
    self, answer,
    call::{self, Arguments},
    failure::Failure,
};
use remote::Payload;

/// What the marker says beside what the member says.
pub(crate) struct Wanted<'a> {
    pub(crate) site: &'a SiteName,
    pub(crate) formed_by: &'a str,
    pub(crate) revision_floor: Option<u64>,
    /// The cluster id of the marker that a restore makes void.
    pub(crate) replaces: Option<&'a str>,
}

/// Asks the member, judges the marker that is there, and writes the new one over exactly that.
pub(crate) async fn write(
    step: &MemberStep<'_>,
    wanted: &Wanted<'_>,
    endpoint: &str,
    version: EtcdVersion,
    connection: &LockedConnection,
) -> Result<Done, Failure> {
    let layout = &step.layout;
    let look = Arguments::new()
        .with_etcdctl(layout, version)
        .with("endpoint", endpoint)
        .with("marker", layout.marker());
    let look = call::guarded(step, script::READ_IDENTITY, look)?;
    let seen = Seen::read(&answer::read(&connection.run(look).await?)?.body)?;

    let marker = seen.marker(step, wanted)?;
    let text = serde_json::to_string(&marker).map_err(Failure::local)? + "\n";
    let args = Arguments::new().with("file", layout.marker()).with("digest", seen.digest);
    let mut call = call::guarded(step, script::WRITE_MARKER, args)?;
    call.payload = Payload::new().with(text.into_bytes());
    Ok(answer::read(&connection.run(call).await?)?.done)
}

/// What `read_identity.sh` printed.
struct Seen {
    /// sha256 of the marker that is there, or `absent`.
    digest: String,
    /// The marker that is there; `None` where there is none.
    present: Option<String>,
    cluster_id: String,
    member_id: String,
}

impl Seen {
    fn read(body: &str) -> Result<Self, Failure> {
        let mut parts = body.splitn(3, '\n');
        let mut next = || parts.next().unwrap_or_default();
        let (digest, present, said) = (next(), next(), next());
        let statuses = etcd::statuses(said).map_err(|error| {
            Failure::failed(format!("the member does not report its cluster id: {error}"))
        })?;
        let [status] = &statuses[..] else {
            return Err(Failure::failed("more than one member answered"));
        };
        Ok(Self {
            digest: digest.to_owned(),
            present: (digest != "absent").then(|| present.to_owned()),
            cluster_id: status.facts.cluster_id.clone(),
            member_id: status.facts.member_id.clone(),
        })
    }

    /// The marker to write, unless the one that is there speaks of another cluster.
    fn marker(&self, step: &MemberStep<'_>, wanted: &Wanted<'_>) -> Result<Marker, Failure> {
        let Wanted { site, formed_by, revision_floor, replaces } = *wanted;
        if let Some(text) = &self.present {
            let refuse = |why: String| Failure::new(StepErrorKind::Guard(why));
            let present: Marker = serde_json::from_str(text)
                .map_err(|error| refuse(format!("the marker can't be read: {error}")))?;
            let id = present.cluster_id.as_str();
            let is_expected = id == self.cluster_id || Some(id) == replaces;
            if present.site != *site || !is_expected {
                return Err(refuse(format!(
                    "the marker names cluster id {} of site {}, and the member is of {}",
                    present.cluster_id, present.site, self.cluster_id
                )));
            }
        }
        Ok(Marker {
            format: Marker::FORMAT,
            site: site.clone(),
            cluster: step.cluster.clone(),
            cluster_id: self.cluster_id.clone(),
            member_id: self.member_id.clone(),
            formed_by: Some(formed_by.to_owned()),
            revision_floor,
        })
    }
}
