//! One function for each thing that must be so on a host. Each compares what is with what is
//! wanted and gives the step that closes the gap, or nothing where there is none.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;

use inventories::inventory::{ReleaseSource, Runtime};
use inventories::{AccountName, HostName};
use templates::layout::{self, NO_LOGIN, ReleaseLayout};
use templates::{BootstrapToken, RenderError, UnitText};

use time::OffsetDateTime;

use crate::decide::certificates;
use crate::decide::difference;
use crate::decide::drop_ins;
use crate::decide::sandbox;
use crate::facts::{Account, DataDirectory, DropIn, FileFacts, HostFacts, MemberFacts, Observed};
use crate::layout::{Directory, directories};
use crate::plan::{
    Action, Fetch, FormationState, Guard, PlaceRef, Step, StepId, StepKind, Swap, Verb, Why,
};
use crate::spec::{ClusterSpec, MemberSpec, SiteSpec};

/// One member's place, and what was seen there.
pub(crate) struct Place<'a> {
    pub(crate) spec: &'a SiteSpec,
    pub(crate) cluster: &'a ClusterSpec,
    pub(crate) name: &'a HostName,
    pub(crate) member: &'a MemberSpec,
    pub(crate) host: &'a HostFacts,
    pub(crate) facts: &'a MemberFacts,
    pub(crate) now: OffsetDateTime,
    /// The unit of a formed cluster, rendered once: that is much of what a plan costs.
    pub(crate) settled: OnceCell<UnitText>,
}

impl Place<'_> {
    /// The unit that it should have.
    pub(crate) fn unit(&self, state: FormationState) -> Result<Cow<'_, UnitText>, RenderError> {
        Ok(match (state, self.settled.get()) {
            (FormationState::New, _) => {
                Cow::Owned(self.member.unit(state, &sandbox::lacks(self.host))?)
            }
            (FormationState::Existing, Some(text)) => Cow::Borrowed(text),
            (FormationState::Existing, None) => {
                let text = self.member.unit(state, &sandbox::lacks(self.host))?;
                Cow::Borrowed(self.settled.get_or_init(|| text))
            }
        })
    }

    /// The account that its process has, where that is not the one that its files belong to.
    pub(crate) fn runs_as_another(&self) -> Option<u32> {
        let is = *self.facts.runs_as.known()?;
        (self.facts.is_up() && self.host.runs_as_another(self.facts, self.account())).then_some(is)
    }

    /// The account that it is to run as.
    pub(crate) fn account(&self) -> &AccountName {
        &self.member.member.account
    }

    /// The step that creates that account.
    pub(crate) fn account_id(&self) -> StepId {
        self.host_id(Verb::Account(self.account().clone()))
    }

    /// The step that installs its release.
    pub(crate) fn release_id(&self) -> StepId {
        self.host_id(Verb::InstallEtcd(self.cluster.version))
    }

    /// Whether its process still has the configuration folder that was replaced, and sees nothing of what is
    /// written to the new one.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.facts.is_up() && self.facts.folder_replaced
    }

    /// The name of a step of this member.
    pub(crate) fn id(&self, verb: Verb) -> StepId {
        StepId::for_member(self.name, &self.cluster.name, verb)
    }

    /// The name of a step that serves every member of this host.
    pub(crate) fn host_id(&self, verb: Verb) -> StepId {
        StepId::for_host(self.name, verb)
    }

    pub(crate) fn wanted(&self) -> Why {
        Why::Wanted { place: Some(PlaceRef::from(self.cluster.place_of("members"))) }
    }

    pub(crate) fn step(&self, verb: Verb, action: Action, kind: StepKind, why: Why) -> Step {
        Step { id: self.id(verb), action, kind, guard: Guard::Nothing, after: BTreeSet::new(), why }
    }

    pub(crate) fn host_step(&self, verb: Verb, action: Action, kind: StepKind, why: Why) -> Step {
        Step { id: self.host_id(verb.clone()), ..self.step(verb, action, kind, why) }
    }
}

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
pub(crate) fn action_for(changes: &[String], place: &Place<'_>, absent: bool) -> (Action, Why) {
    if absent {
        (Action::Create, place.wanted())
    } else {
        (Action::Update, Why::Drift { changes: changes.to_vec() })
    }
}

/// The host bears the site's name.
pub(crate) fn claim(place: &Place<'_>) -> Option<Step> {
    if !place.host.site.is_absent() {
        return None;
    }
    let kind = StepKind::ClaimHost { site: place.spec.site.clone() };
    let step = place.host_step(Verb::RegisterHost, Action::Create, kind, place.wanted());
    Some(step.guarded(Guard::HostIsFree))
}

/// The system account that etcd runs as is there, in its own group, and nobody logs in to it.
pub(crate) fn account(place: &Place<'_>) -> Option<Step> {
    let mut changes = Vec::new();
    let (name, observed) = (place.account(), place.host.account(place.account()));
    match observed {
        Observed::Known(Account { login_shell, group, ids: _ }) => {
            if group != name.as_str() {
                changes.push(format!("account {name}: primary group {group} -> {name}"));
            }
            // Distributions have several programs that turn whoever logs in away.
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
    let (action, why) = action_for(&changes, place, absent);
    let kind = StepKind::CreateAccount { name: name.clone() };
    let step = place.host_step(Verb::Account(name.clone()), action, kind, why);
    Some(step)
}

/// The release is there, whole, and from the archive that is pinned.
pub(crate) fn release(place: &Place<'_>) -> Option<Step> {
    let version = place.cluster.version;
    let arch = *place.host.machine.arch.as_ref().ok()?;
    let sha256 = place.spec.release.sha256.get(&(version, arch))?;
    let observed = place.host.releases.get(&version).unwrap_or(&Observed::Absent);
    let changes: Vec<String> = match observed {
        Observed::Known(release) => {
            let dir = ReleaseLayout::of(version).dir();
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
    let source = place.spec.release.archive(version, arch);
    let by = match &source {
        ReleaseSource::Url(_) if !place.host.machine.downloaders.is_empty() => {
            Fetch::Host { proxy: place.spec.release.proxy.clone() }
        }
        ReleaseSource::Url(_) | ReleaseSource::Path(_) => Fetch::Operator,
    };
    let (action, why) = action_for(&changes, place, observed.is_absent());
    let kind = StepKind::InstallRelease { version, arch, source, sha256: sha256.clone(), by };
    Some(place.host_step(Verb::InstallEtcd(version), action, kind, why))
}

/// The directories of a member have the right owners and modes.
pub(crate) fn directories_of(place: &Place<'_>) -> Option<Step> {
    let wanted = directories(&place.member.member.layout(), place.account());
    let mut absent = true;
    let mut changes = Vec::new();
    for directory in &wanted {
        match place.facts.files.get(&directory.path) {
            Some(Observed::Known(seen)) => {
                absent = false;
                changes.extend(directory_changes(directory, seen));
            }
            Some(Observed::Absent) | None => changes.push(format!("{} is missing", directory.path)),
            Some(Observed::Unknown(_)) => {}
        }
        changes.extend(contents_changes(directory, place.facts.data.known()));
    }
    if changes.is_empty() {
        return None;
    }
    let (action, why) = action_for(&changes, place, absent);
    let kind = StepKind::PrepareDirectories { directories: wanted };
    let step = place.step(Verb::Directories, action, kind, why);
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
pub(crate) fn certificates(place: &Place<'_>, swap: Swap) -> Option<Step> {
    let changes = certificates::changes(place, place.now);
    if changes.is_empty() {
        return None;
    }
    let (action, why) = action_for(&changes, place, place.facts.pki_generation.is_absent());
    Some(Step { action, why, ..generation(place, swap) })
}

/// The step that issues a member's certificates, whatever is there.
pub(crate) fn generation(place: &Place<'_>, swap: Swap) -> Step {
    let kind = StepKind::InstallCertificates {
        leaves: place.member.leaves.clone(),
        client_ca: place.cluster.client_ca.clone(),
        account: place.account().clone(),
        swap,
    };
    place.step(Verb::Certificates, Action::Update, kind, Why::Unfinished)
}

/// The unit's text, its attributes, and that systemd has read and enabled it. `token` is the one
/// that a unit of a new cluster must hold.
pub(crate) fn unit(
    place: &Place<'_>,
    state: FormationState,
    token: Option<&BootstrapToken>,
) -> Result<Option<Step>, RenderError> {
    let text = place.unit(state)?;
    let path = place.member.member.layout().unit_file();
    let observed = place.facts.files.get(&path).unwrap_or(&Observed::Absent);
    let bound = match (state, token) {
        (FormationState::New, Some(token)) => Cow::Owned(text.bind(token)),
        _ => Cow::Borrowed(text.as_str()),
    };
    let mut changes = Vec::new();
    let mut guard = Guard::FileIs { path: path.clone(), sha256: None };
    match observed {
        Observed::Known(seen) => {
            guard = Guard::FileIs { path: path.clone(), sha256: Some(seen.sha256.clone()) };
            changes.extend(difference::of_text(&path, seen.text.as_deref(), &bound));
            changes.extend(attribute_changes(&path, (0o644, "root", "root"), seen));
        }
        Observed::Absent => {}
        Observed::Unknown(_) => return Ok(None),
    }
    match &place.facts.unit {
        Observed::Known(unit) => {
            if !unit.enabled {
                changes.push("the unit is not enabled: it would not start at boot".to_owned());
            }
            if unit.needs_reload {
                changes.push("systemd has an older text in memory".to_owned());
            }
        }
        Observed::Absent => changes.push("systemd has not read the unit".to_owned()),
        Observed::Unknown(_) => {}
    }
    if changes.is_empty() && !observed.is_absent() {
        return Ok(None);
    }
    let (action, why) = action_for(&changes, place, observed.is_absent());
    let kind = StepKind::WriteUnit { text: text.into_owned(), formation: state };
    Ok(Some(place.step(Verb::Unit, action, kind, why).guarded(guard)))
}

/// Nothing that quorate did not write, and nobody named in the inventory, is in the unit's own folder; what
/// is gets moved out of systemd's sight. It changes what runs only at the next start.
pub(crate) fn drop_ins(place: &Place<'_>) -> Option<Step> {
    let files: Vec<&DropIn> = drop_ins::own(place).collect();
    if files.is_empty() || place.runtime() != Runtime::Systemd {
        return None;
    }
    let changes = files.iter().map(|file| {
        format!(
            "{} is not in keep-drop-ins of [clusters.{}.systemd]",
            file.name(),
            place.cluster.name
        )
    });
    let why = Why::Drift { changes: changes.collect() };
    let moves =
        files.iter().map(|file| (file.path.clone(), layout::moved_aside(&file.path))).collect();
    Some(place.step(Verb::DropIns, Action::Delete, StepKind::MoveDropIns { moves }, why))
}
