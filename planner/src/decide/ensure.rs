//! One function for each thing that must be so on a host. Each compares what is with what is
//! wanted and gives the step that closes the gap, or nothing where there is none.

use std::borrow::Cow;

use inventories::ClusterName;
use inventories::inventory::{ReleaseSource, Runtime};
use templates::layout::{self, NO_LOGIN, ReleaseLayout};
use templates::{BootstrapToken, RenderError};

use crate::decide::certificates;
use crate::decide::difference;
use crate::decide::drop_ins;
use crate::decide::member_context::MemberContext;
use crate::facts::{Account, DataDirectory, DropIn, FileFacts, Observed};
use crate::layout::{Directory, directories};
use crate::plan::{
    Action, Fetch, FormationState, Guard, Signer, Signers, Step, StepId, StepKind, Swap, Verb, Why,
};
use crate::spec::Authority;

impl Step {
    pub(crate) fn guarded(self, guard: Guard) -> Self {
        Self { guard, ..self }
    }

    pub(crate) fn after(mut self, ids: impl IntoIterator<Item = StepId>) -> Self {
        self.after.extend(ids);
        self
    }
}

/// Create where nothing is; update where something else is.
pub(crate) fn action_for(
    changes: &[String],
    member: &MemberContext<'_>,
    absent: bool,
) -> (Action, Why) {
    if absent {
        (Action::Create, member.why_wanted())
    } else {
        (Action::Update, Why::Drift { changes: changes.to_vec() })
    }
}

/// The host bears the site's name.
pub(crate) fn register_host(member: &MemberContext<'_>) -> Option<Step> {
    if !member.host.site.is_absent() {
        return None;
    }
    let kind = StepKind::RegisterHost { site: member.site.site.clone() };
    let step = member.host_step(Verb::RegisterHost, Action::Create, kind, member.why_wanted());
    Some(step.guarded(Guard::HostIsFree))
}

/// The system account that etcd runs as exists, in its own group and without a login shell.
pub(crate) fn account(member: &MemberContext<'_>) -> Option<Step> {
    let mut changes = Vec::new();
    let (name, observed) = (member.account(), member.host.account(member.account()));
    match observed {
        Observed::Known(Account { login_shell, group, .. }) => {
            if group != name.as_str() {
                changes.push(format!("account {name}: primary group {group} -> {name}"));
            }
            // Distributions have several programs that refuse every login.
            if !["nologin", "false"].iter().any(|name| login_shell.ends_with(&format!("/{name}"))) {
                changes.push(format!("account {name}: login shell {login_shell} -> {NO_LOGIN}"));
            }
        }
        Observed::Absent => {}
        Observed::Unknown(_) => return None,
    }
    let absent = observed.is_absent();
    if changes.is_empty() && !absent {
        return None;
    }
    let (action, why) = action_for(&changes, member, absent);
    let kind = StepKind::CreateAccount { name: name.clone() };
    let step = member.host_step(Verb::Account(name.clone()), action, kind, why);
    Some(step)
}

/// The release is there, whole, and from the archive that is pinned.
pub(crate) fn release(member: &MemberContext<'_>) -> Option<Step> {
    let version = member.cluster.version;
    let arch = *member.host.machine.arch.as_ref().ok()?;
    let sha256 = member.site.release.sha256.get(&(version, arch))?;
    let observed = member.host.releases.get(&version).unwrap_or(&Observed::Absent);
    let changes: Vec<String> = match observed {
        Observed::Known(release) => {
            let dir = ReleaseLayout::new(version).dir();
            let damaged = release
                .damaged
                .iter()
                .map(|file| format!("{dir}/{file} is not what was installed"));
            let other = (release.archive_sha256 != *sha256)
                .then(|| format!("installed from archive {}", release.archive_sha256));
            damaged.chain(other).collect()
        }
        Observed::Absent => Vec::new(),
        Observed::Unknown(_) => return None,
    };
    if changes.is_empty() && !observed.is_absent() {
        return None;
    }
    let source = member.site.release.archive(version, arch);
    let by = match &source {
        ReleaseSource::Url(_) if !member.host.machine.downloaders.is_empty() => {
            Fetch::Host { proxy: member.site.release.proxy.clone() }
        }
        ReleaseSource::Url(_) | ReleaseSource::Path(_) => Fetch::Operator,
    };
    let (action, why) = action_for(&changes, member, observed.is_absent());
    let kind = StepKind::InstallRelease { version, arch, source, sha256: sha256.clone(), by };
    Some(member.host_step(Verb::InstallEtcd(version), action, kind, why))
}

/// The directories of a member have the right owners and modes.
pub(crate) fn directories_of(member: &MemberContext<'_>) -> Option<Step> {
    let wanted = directories(&member.wanted.member.layout(), member.account());
    let mut absent = true;
    let mut changes = Vec::new();
    for directory in &wanted {
        match member.facts.files.get(&directory.path) {
            Some(Observed::Known(seen)) => {
                absent = false;
                changes.extend(directory_changes(directory, seen));
            }
            Some(Observed::Absent) | None => changes.push(format!("{} is missing", directory.path)),
            Some(Observed::Unknown(_)) => {}
        }
        changes.extend(contents_changes(directory, member.facts.data.known()));
    }
    if changes.is_empty() {
        return None;
    }
    let (action, why) = action_for(&changes, member, absent);
    let kind = StepKind::PrepareDirectories { directories: wanted };
    let step = member.step(Verb::Directories, action, kind, why);
    Some(step)
}

fn directory_changes(wanted: &Directory, seen: &FileFacts) -> Vec<String> {
    attribute_changes(&wanted.path, (wanted.mode, &wanted.owner, &wanted.group), seen)
}

/// A disk that comes from another system, or an account that was made again, leaves files that etcd may
/// not open.
fn contents_changes(wanted: &Directory, seen: Option<&DataDirectory>) -> Vec<String> {
    let (Some(contents), Some(seen)) = (&wanted.contents, seen) else { return Vec::new() };
    let owner = format!("{}:{}", wanted.owner, wanted.group);
    let others = seen.owners.iter().filter(|is| **is != owner);
    others.map(|is| format!("{contents}: files of {is} -> {owner}")).collect()
}

/// Differences of owner and mode, in words.
pub(crate) fn attribute_changes(
    path: &str,
    (mode, owner, group): (u32, &str, &str),
    seen: &FileFacts,
) -> Vec<String> {
    let mut changes = Vec::new();
    if seen.mode != mode {
        changes.push(format!("{path}: mode {:04o} -> {mode:04o}", seen.mode));
    }
    if (seen.owner.as_str(), seen.group.as_str()) != (owner, group) {
        changes.push(format!("{path}: owner {}:{} -> {owner}:{group}", seen.owner, seen.group));
    }
    changes
}

/// The certificates are there, whole, of the inventory's CAs, and say what is wanted.
pub(crate) fn certificates(member: &MemberContext<'_>, swap: Swap) -> Option<Step> {
    let changes = certificates::changes(member, member.now);
    if changes.is_empty() {
        return None;
    }
    let (action, why) = action_for(&changes, member, member.facts.pki_generation.is_absent());
    Some(Step { action, why, ..generation(member, swap)? })
}

/// The step that issues a member's certificates, whatever is there; `None` where a CA is not beside the inventory, which
/// is a finding of its own.
pub(crate) fn generation(member: &MemberContext<'_>, swap: Swap) -> Option<Step> {
    let cluster = member.cluster;
    let signer = |of: &ClusterName, authority: &Option<Authority>| {
        let issuer = authority.as_ref()?.facts.fingerprint.to_string();
        Some(Signer::alone(of.clone(), issuer))
    };
    let signers = Signers {
        peer: signer(&cluster.name, &cluster.authorities.peer)?,
        client: signer(&cluster.client_ca, &cluster.authorities.client)?,
    };
    let kind = StepKind::InstallCertificates {
        leaves: member.wanted.leaves.clone(),
        signers,
        account: member.account().clone(),
        swap,
    };
    Some(member.step(Verb::Certificates, Action::Update, kind, Why::Unfinished))
}

/// Writes and enables the unit whatever is there.
pub(crate) fn written_unit(
    member: &MemberContext<'_>,
    state: FormationState,
) -> Result<Step, RenderError> {
    let kind = StepKind::WriteUnit { text: member.unit(state)?.into_owned(), formation: state };
    let step = member.step(Verb::Unit, Action::Update, kind, member.why_wanted());
    Ok(step.guarded(unit_is_as_seen(member)))
}

/// Nobody changed the unit since it was looked at.
fn unit_is_as_seen(member: &MemberContext<'_>) -> Guard {
    let path = member.wanted.member.layout().unit_file();
    let seen = member.facts.files.get(&path).and_then(Observed::known);
    Guard::FileIs { sha256: seen.map(|seen| seen.sha256.clone()), path }
}

/// The unit's text, its attributes, and that systemd has read and enabled it. `token` is the one
/// that a unit of a new cluster must hold.
pub(crate) fn unit(
    member: &MemberContext<'_>,
    state: FormationState,
    token: Option<&BootstrapToken>,
) -> Result<Option<Step>, RenderError> {
    let text = member.unit(state)?;
    let path = member.wanted.member.layout().unit_file();
    let observed = member.facts.files.get(&path).unwrap_or(&Observed::Absent);
    let bound = match (state, token) {
        (FormationState::New, Some(token)) => Cow::Owned(text.bind(token)),
        _ => Cow::Borrowed(text.as_str()),
    };
    let mut changes = Vec::new();
    match observed {
        Observed::Known(seen) => {
            changes.extend(difference::of_text(&path, seen.text.as_deref(), &bound));
            changes.extend(attribute_changes(&path, (0o644, "root", "root"), seen));
        }
        Observed::Absent => {}
        Observed::Unknown(_) => return Ok(None),
    }
    match &member.facts.unit {
        Observed::Known(unit) => {
            if !unit.enabled {
                changes.push("the unit is not enabled: it would not start at boot".to_owned());
            }
            if unit.needs_reload {
                changes.push("systemd has an older version of the unit loaded".to_owned());
            }
        }
        Observed::Absent => changes.push("systemd has not read the unit".to_owned()),
        Observed::Unknown(_) => {}
    }
    if changes.is_empty() && !observed.is_absent() {
        return Ok(None);
    }
    let (action, why) = action_for(&changes, member, observed.is_absent());
    let kind = StepKind::WriteUnit { text: text.into_owned(), formation: state };
    Ok(Some(member.step(Verb::Unit, action, kind, why).guarded(unit_is_as_seen(member))))
}

/// The unit's own folder holds only what quorate wrote or the inventory names; what
/// is gets moved out of systemd's sight. It changes what runs only at the next start.
pub(crate) fn drop_ins(member: &MemberContext<'_>) -> Option<Step> {
    let files: Vec<&DropIn> = drop_ins::own(member).collect();
    if files.is_empty() || member.runtime() != Runtime::Systemd {
        return None;
    }
    let changes = files.iter().map(|file| {
        format!(
            "{} is not in keep-drop-ins of [clusters.{}.systemd]",
            file.name(),
            member.cluster.name
        )
    });
    let why = Why::Drift { changes: changes.collect() };
    let moves =
        files.iter().map(|file| (file.path.clone(), layout::moved_aside(&file.path))).collect();
    Some(member.step(Verb::DropIns, Action::Delete, StepKind::MoveDropIns { moves }, why))
}
