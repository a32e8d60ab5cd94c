//! The runtimes: what a member needs of each, and where they differ. Nothing else in the decision tells
//! them apart.

use inventories::inventory::Runtime;
use templates::layout::{KUBELET_UNIT, MANIFESTS};
use templates::{BootstrapToken, Layout, RenderError, kubelet};

use crate::decide::difference;
use crate::decide::ensure::{self, attribute_changes};
use crate::decide::member_context::MemberContext;
use crate::facts::{FileFacts, HostFacts, KubeletFacts, Observed};
use crate::plan::{
    Action, FormationState, Launch, Replaced, RunningPod, Step, StepId, StepKind, Verb, Why,
};
use crate::report::{Finding, FindingCode};
use crate::spec::ClusterSpec;

/// The owner and mode of a manifest: it may hold what an operator's flags hold.
pub const MANIFEST_ATTRIBUTES: (u32, &str, &str) = (0o600, "root", "root");

/// The file that a runtime runs a member from.
pub(crate) fn file_of(layout: &Layout, runtime: Runtime) -> String {
    match runtime {
        Runtime::Systemd => layout.unit_file(),
        Runtime::StaticPod => layout.pod_manifest(),
    }
}

impl MemberContext<'_> {
    /// What runs the member, if it is as wanted.
    pub(crate) fn runtime(&self) -> Runtime {
        self.cluster.runtime
    }

    /// The file that its runtime runs it from, as it was seen.
    pub(crate) fn rendered(&self) -> &Observed<FileFacts> {
        self.file_of(self.runtime())
    }

    fn file_of(&self, runtime: Runtime) -> &Observed<FileFacts> {
        let path = file_of(&self.wanted.member.layout(), runtime);
        self.facts.files.get(&path).unwrap_or(&Observed::Absent)
    }

    /// The text of that file.
    pub(crate) fn text(&self) -> Option<&str> {
        self.rendered().known()?.text.as_deref()
    }

    /// The text that it should have. `token` is the one that a member of a new cluster must hold.
    pub(crate) fn wanted_text(
        &self,
        state: FormationState,
        token: Option<&BootstrapToken>,
    ) -> Result<String, RenderError> {
        Ok(match self.runtime() {
            Runtime::Systemd => match (self.unit(state)?, token) {
                (unit, Some(token)) => unit.bind(token),
                (unit, None) => unit.as_str().to_owned(),
            },
            Runtime::StaticPod => {
                let account = self.host.account(self.account()).known();
                self.wanted.pod(state)?.bind(token, account.map(|account| account.ids))
            }
        })
    }

    /// The runtime that the member no longer has, where anything of it is left.
    pub(crate) fn leftover(&self) -> Option<Runtime> {
        let other = match self.runtime() {
            Runtime::Systemd => Runtime::StaticPod,
            Runtime::StaticPod => Runtime::Systemd,
        };
        let runs = self.facts.runs_by() == Some(other);
        (runs || self.file_of(other).known().is_some()).then_some(other)
    }
}

/// What is written before the member is started, which alone starts nothing.
pub(crate) fn prepared(
    member: &MemberContext<'_>,
    state: FormationState,
    token: Option<&BootstrapToken>,
) -> Result<Option<Step>, RenderError> {
    match member.runtime() {
        Runtime::Systemd => ensure::unit(member, state, token),
        // What lies in the kubelet's folder runs.
        Runtime::StaticPod => Ok(None),
    }
}

/// The same, although what is there is as wanted: another step of the plan takes the unit out of systemd's hands.
pub(crate) fn written(
    member: &MemberContext<'_>,
    state: FormationState,
) -> Result<Option<Step>, RenderError> {
    match member.runtime() {
        Runtime::Systemd => ensure::written_unit(member, state).map(Some),
        Runtime::StaticPod => Ok(None),
    }
}

/// What starts the member.
pub(crate) fn launch(
    member: &MemberContext<'_>,
    state: FormationState,
) -> Result<Launch, RenderError> {
    Ok(match member.runtime() {
        Runtime::Systemd => Launch::Unit,
        Runtime::StaticPod => Launch::Pod {
            manifest: Box::new(member.wanted.pod(state)?),
            formation: state,
            replaces: match member.rendered() {
                Observed::Known(file) => Replaced::File(file.sha256.clone()),
                Observed::Absent | Observed::Unknown(_) => Replaced::Nothing,
            },
            running: RunningPod::Ends,
        },
    })
}

/// What ends a member's bootstrap: it takes the place of what began it.
pub(crate) fn settling(member: &MemberContext<'_>) -> Result<Launch, RenderError> {
    let forming = member.wanted.pod(FormationState::New)?.identity().to_owned();
    Ok(launch(member, FormationState::Existing)?.in_place_of(&forming))
}

/// The hosts whose kubelet would do nothing for these members now.
pub(crate) fn waits_for_kubelet<'p>(
    cluster: &ClusterSpec,
    members: impl Iterator<Item = &'p MemberContext<'p>>,
) -> Option<Finding> {
    if cluster.runtime != Runtime::StaticPod || cluster.kubelet.is_some() {
        return None;
    }
    let down =
        |member: &&MemberContext<'_>| !member.host.kubelet.known().is_some_and(KubeletFacts::is_up);
    let hosts: Vec<&str> = members.filter(down).map(|member| member.name.as_str()).collect();
    let verb = if hosts.len() == 1 { "the kubelet does" } else { "kubelets do" };
    (!hosts.is_empty()).then(|| Finding {
        code: FindingCode::NoKubelet,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!("{verb} not run on {}", hosts.join(", ")),
        hint: Some(format!("systemctl start {KUBELET_UNIT}")),
    })
}

/// The manifest that the kubelet runs the member from now.
pub(crate) fn manifest_text<'p>(member: &'p MemberContext<'_>) -> Option<&'p str> {
    member.file_of(Runtime::StaticPod).known()?.text.as_deref()
}

/// The identity of the manifest that a member's process must come from, where it runs in a pod.
pub(crate) fn pod_identity(member: &MemberContext<'_>) -> Result<Option<String>, RenderError> {
    Ok(match member.runtime() {
        Runtime::Systemd => None,
        Runtime::StaticPod => {
            Some(member.wanted.pod(FormationState::Existing)?.identity().to_owned())
        }
    })
}

/// The image that a member needs, where it runs in a pod.
pub(crate) fn image(member: &MemberContext<'_>) -> Result<Option<String>, RenderError> {
    Ok(match member.runtime() {
        Runtime::Systemd => None,
        Runtime::StaticPod => Some(member.wanted.pod(FormationState::Existing)?.image().to_owned()),
    })
}

/// The manifest of a member whose process stays as it is: a kubelet looks neither at comments nor at
/// who may read the file.
pub(crate) fn manifest(member: &MemberContext<'_>) -> Result<Option<Step>, RenderError> {
    let Runtime::StaticPod = member.runtime() else { return Ok(None) };
    let Observed::Known(seen) = member.rendered() else { return Ok(None) };
    let path = member.wanted.member.layout().pod_manifest();
    let wanted = member.wanted_text(FormationState::Existing, None)?;
    let mut changes = difference::of_text(&path, seen.text.as_deref(), &wanted);
    changes.extend(attribute_changes(&path, MANIFEST_ATTRIBUTES, seen));
    if changes.is_empty() {
        return Ok(None);
    }
    let kind = StepKind::WriteManifest {
        manifest: Box::new(member.wanted.pod(FormationState::Existing)?),
    };
    Ok(Some(member.step(Verb::Manifest, Action::Update, kind, Why::Drift { changes })))
}

/// Whether two manifests are the same pod.
pub(crate) fn is_same_pod(one: &str, other: &str) -> bool {
    let said = |text: &'_ str| -> String {
        text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    };
    said(one) == said(other)
}

/// The host's kubelet stands alone, where that is wanted. While pods run there it takes turns with the
/// other hosts ([`crate::decide::kubelets`]).
pub(crate) fn kubelet(member: &MemberContext<'_>) -> Option<Step> {
    if runs_pods(member.host) { None } else { kubelet_change(member) }
}

/// Whether a kubelet that starts may end members: those in pods, and those whose runtime is not known.
pub(crate) fn runs_pods(host: &HostFacts) -> bool {
    host.clusters.values().any(|member| !member.pod.is_absent())
}

/// What a pod's start waits for: the kubelet that is to start it. Where one runs already, it does.
pub(crate) fn kubelet_for_start(member: &MemberContext<'_>) -> Option<StepId> {
    let runs = member.host.kubelet.known().is_some_and(KubeletFacts::is_up);
    (!runs || !runs_pods(member.host)).then(|| member.host_id(Verb::Kubelet))
}

/// What is not so yet of the host's kubelet.
pub(crate) fn kubelet_change(member: &MemberContext<'_>) -> Option<Step> {
    let wanted = member.cluster.kubelet.as_ref()?;
    let facts = member.host.kubelet.known()?;
    let (drop_in, config) = (kubelet::drop_in(facts.program.known()?), kubelet::config(wanted));
    let mut changes = Vec::new();
    for (path, seen, wanted) in [
        (templates::layout::KUBELET_DROP_IN, &facts.drop_in, &drop_in),
        (templates::layout::KUBELET_CONFIG, &facts.config, &config),
    ] {
        match seen {
            Observed::Known(seen) => {
                changes.extend(difference::of_text(path, seen.text.as_deref(), wanted));
                changes.extend(attribute_changes(path, (0o644, "root", "root"), seen));
            }
            Observed::Absent => changes.push(format!("{path} is missing")),
            Observed::Unknown(_) => return None,
        }
    }
    if let Some(unit) = facts.unit.known() {
        let stale = [
            (!unit.is_up(), "does not run"),
            (!unit.enabled, "is not enabled: it would not start at boot"),
            (unit.needs_reload, "has an older text in systemd's memory"),
            (
                unit.is_up() && facts.manifests.known().is_none_or(|at| at != MANIFESTS),
                "was started otherwise",
            ),
        ];
        let stale = stale.into_iter().filter(|(is, _)| *is);
        changes.extend(stale.map(|(_, what)| format!("{KUBELET_UNIT} {what}")));
    }
    if changes.is_empty() {
        return None;
    }
    let (action, why) = ensure::action_for(&changes, member, facts.drop_in.is_absent());
    let kind = StepKind::StandaloneKubelet { drop_in, config };
    Some(member.host_step(Verb::Kubelet, action, kind, why))
}

/// Removes what is left of the runtime that the member no longer has, where no process of it runs.
pub(crate) fn old_runtime(member: &MemberContext<'_>) -> Option<Step> {
    let from = member.leftover()?;
    if member.facts.runs_by() == Some(from) {
        return None;
    }
    let file = file_of(&member.wanted.member.layout(), from);
    let why = Why::Drift { changes: vec![format!("{file} would start the member as well")] };
    Some(member.step(
        Verb::StopOldRuntime,
        Action::Delete,
        StepKind::StopOldRuntime { from, image: None },
        why,
    ))
}
