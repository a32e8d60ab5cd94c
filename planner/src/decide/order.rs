//! Which step waits for which. The functions that decide which steps there are leave the order to this table, and say
//! themselves only whose turn comes when: which member restarts first, who starts together.

use crate::plan::{Step, StepId, Verb};
use crate::spec::{ClusterSpec, SiteSpec};

/// A step by its verb. Of the accounts and releases on a host it is the one that the member needs.
#[derive(Debug, Clone, PartialEq)]
enum Of {
    Account,
    Release,
    Word(Verb),
}

use Of::{Account, Release, Word};
use Verb::{
    AddLearner, ApiServerCertificate, AwaitApiServer, Back, Certificates, ClearCorrupt,
    CloseDiscovery, Compact, CompareData, Defragment, Directories, Disarm, Discard, DropIns,
    EndRestore, FinalizeUnit, ForgetDiscovery, ForgetMember, KubeadmConfig, Kubelet, ListByAddress,
    LookForClients, Marker, MoveLeader, Note, OpenDiscovery, PlaceRestore, PrepareLog, Promote,
    Prove, ProveVersion, RegisterHost, Rejoin, RemoveMember, Restart, SaveSnapshot, SetAside,
    StageRestore, Start, StopForRestore, StopOldRuntime, Token, Trial, TrustDiscovery, Unit,
    UpdatePeerUrl, WireApiServer,
};

/// What a step waits for among the steps of its own member and of its host.
const WITHIN: &[(Of, &[Of])] = &[
    (Account, &[Word(RegisterHost)]),
    (Word(Kubelet), &[Word(RegisterHost)]),
    (Word(Directories), &[Account, Word(RegisterHost)]),
    (Word(Certificates), &[Word(Directories)]),
    (Word(Trial), &[Word(Certificates)]),
    // A bootstrap, from nothing or again.
    (Word(Token), &[Word(Directories)]),
    (Word(TrustDiscovery), &[Word(Directories), Word(Discard)]),
    (Word(OpenDiscovery), &[Release, Word(Certificates), Word(TrustDiscovery)]),
    // What runs the member, and its process.
    (Word(DropIns), &[Word(Note)]),
    (
        Word(Unit),
        &[
            Release,
            Word(Directories),
            Word(Certificates),
            Word(Discard),
            Word(ForgetMember),
            Word(Token),
            Word(StopOldRuntime),
            Word(UpdatePeerUrl),
            Word(Note),
        ],
    ),
    (
        Word(Start),
        &[
            Release,
            Word(Directories),
            Word(Certificates),
            Word(TrustDiscovery),
            Word(StopOldRuntime),
            Word(ForgetMember),
            Word(AddLearner),
            Word(UpdatePeerUrl),
            Word(PlaceRestore),
            Word(Unit),
            Word(DropIns),
        ],
    ),
    (Word(MoveLeader), &[Account, Release, Word(Kubelet)]),
    // A member that moves: its peers look for it elsewhere from then on.
    (
        Word(UpdatePeerUrl),
        &[
            Account,
            Release,
            Word(Kubelet),
            Word(Directories),
            Word(Certificates),
            Word(Trial),
            Word(MoveLeader),
        ],
    ),
    (
        Word(Restart),
        &[
            Account,
            Release,
            Word(Kubelet),
            Word(Directories),
            Word(Certificates),
            Word(MoveLeader),
            Word(UpdatePeerUrl),
            Word(Note),
            Word(Unit),
            Word(DropIns),
        ],
    ),
    (Word(Defragment), &[Word(MoveLeader)]),
    (Word(Rejoin), &[Word(Restart), Word(Start), Word(Defragment)]),
    (Word(Back), &[Word(Kubelet)]),
    // Before anybody is removed, or gets another minor.
    (Word(PrepareLog), &[Account, Release, Word(Kubelet), Word(Directories), Word(Certificates)]),
    (Word(SaveSnapshot), &[Account, Release, Word(Kubelet), Word(Directories), Word(Certificates)]),
    // A new member of a formed cluster.
    (Word(RemoveMember), &[Account, Release, Word(Kubelet), Word(Directories), Word(Certificates)]),
    (Word(ForgetMember), &[Release, Word(Certificates), Word(RemoveMember)]),
    (
        Word(AddLearner),
        &[
            Account,
            Release,
            Word(Kubelet),
            Word(Directories),
            Word(Certificates),
            Word(ForgetMember),
        ],
    ),
    (Word(Promote), &[Word(AddLearner), Word(Start), Word(Restart)]),
    // An API server.
    (Word(ApiServerCertificate), &[Word(RegisterHost)]),
    (Word(WireApiServer), &[Word(RegisterHost), Word(ApiServerCertificate)]),
    (Word(AwaitApiServer), &[Word(ApiServerCertificate), Word(WireApiServer)]),
    (Word(KubeadmConfig), &[Word(AwaitApiServer)]),
    // A restore.
    (Word(StageRestore), &[Account, Release, Word(RegisterHost), Word(Kubelet)]),
    (Word(LookForClients), &[Word(StageRestore)]),
    (Word(StopForRestore), &[Word(StageRestore), Word(LookForClients)]),
    (Word(SetAside), &[Word(StopForRestore)]),
    (Word(PlaceRestore), &[Word(SetAside)]),
    (Word(EndRestore), &[Word(Marker)]),
    // What a formed cluster still needs, and what it no longer does.
    (Word(FinalizeUnit), &[Word(Marker)]),
    (Word(ForgetDiscovery), &[Word(Marker), Word(Unit), Word(FinalizeUnit), Word(Rejoin)]),
];

/// What a step waits for among the steps of all members of its cluster.
const ACROSS: &[(Verb, &[Verb])] = &[
    (StopOldRuntime, &[Discard]),
    (Token, &[Discard]),
    (OpenDiscovery, &[Token, Discard]),
    (AddLearner, &[RemoveMember]),
    // Each phase of a restore waits for all members.
    (LookForClients, &[StageRestore]),
    (StopForRestore, &[StageRestore, LookForClients]),
    (SetAside, &[StopForRestore]),
    (PlaceRestore, &[SetAside]),
    (Start, &[PlaceRestore]),
    (RemoveMember, &[CompareData]),
    (ClearCorrupt, &[RemoveMember, Promote]),
    (Prove, &[Promote, ClearCorrupt]),
    (Compact, &[Start, Prove]),
    (Defragment, &[Start, Prove, Compact]),
    (Disarm, &[Compact, Rejoin]),
    (ListByAddress, &[Prove]),
    (ProveVersion, &[Rejoin]),
    (Marker, &[Prove, ListByAddress]),
    (EndRestore, &[Prove, Marker]),
    (CloseDiscovery, &[Prove, Marker]),
    (ForgetDiscovery, &[CloseDiscovery]),
];

/// Makes each step wait for what the table says. A step that is not in the plan is not waited for; such steps are
/// dropped when the plan is put in order.
pub(crate) fn complete(steps: &mut [Step], spec: &SiteSpec) {
    for step in steps {
        let StepId { host, scope, verb } = step.id.clone();
        let cluster = scope.cluster().and_then(|name| spec.clusters.get(name));
        let on_host = |verb| StepId::for_host(&host, verb);
        let own = |of: &Of| match of {
            Account => {
                let member = cluster?.members.get(&host)?;
                Some(on_host(Verb::Account(member.member.account.clone())))
            }
            Release => Some(on_host(Verb::InstallEtcd(cluster?.version))),
            Word(verb) if verb.serves_host() => Some(on_host(verb.clone())),
            Word(verb) => Some(StepId::for_member(&host, &cluster?.name, verb.clone())),
        };
        let of = match &verb {
            Verb::Account(_) => Account,
            Verb::InstallEtcd(_) => Release,
            verb => Word(verb.clone()),
        };
        let within = WITHIN.iter().filter(|(later, _)| *later == of);
        step.after.extend(within.flat_map(|(_, earlier)| *earlier).filter_map(own));
        let across = ACROSS.iter().filter(|(later, _)| *later == verb);
        for earlier in across.flat_map(|(_, earlier)| *earlier) {
            step.after.extend(cluster.into_iter().flat_map(|cluster| every(cluster, earlier)));
        }
    }
}

/// The steps of this verb of all members of a cluster.
pub(crate) fn every<'a>(
    cluster: &'a ClusterSpec,
    verb: &'a Verb,
) -> impl Iterator<Item = StepId> + 'a {
    cluster.members.keys().map(|host| StepId::for_member(host, &cluster.name, verb.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that the table says, as pairs: the earlier one first.
    fn pairs() -> Vec<(Of, Of)> {
        let within = WITHIN.iter().flat_map(|(later, earlier)| {
            earlier.iter().map(move |earlier| (earlier.clone(), later.clone()))
        });
        let across = ACROSS.iter().flat_map(|(later, earlier)| {
            earlier.iter().map(move |earlier| (Word(earlier.clone()), Word(later.clone())))
        });
        within.chain(across).collect()
    }

    #[test]
    fn the_table_has_no_circle() {
        let mut left = pairs();
        loop {
            let before = left.len();
            let waits: Vec<Of> = left.iter().map(|(_, later)| later.clone()).collect();
            left.retain(|(earlier, _)| waits.contains(earlier));
            if left.len() == before {
                break;
            }
        }
        assert_eq!(left, []);
    }

    /// The verbs that wait for nothing by the table. Some come first; the turns of [`crate::decide::kubelets`] and
    /// [`crate::decide::roll`], and [`crate::decide::leave`], say when the others come.
    const NO_ROW: &[Verb] = &[
        RegisterHost,
        Discard,
        Verb::Manifest,
        Verb::HandOver,
        Note,
        CompareData,
        Verb::NoteProof,
        Verb::EnableDowngrade,
        Verb::Decommission,
    ];

    #[test]
    fn each_verb_has_a_row_or_is_known_to_need_none() {
        let has_row = |verb: &Verb| {
            WITHIN.iter().any(|(later, _)| *later == Word(verb.clone()))
                || ACROSS.iter().any(|(later, _)| later == verb)
        };
        let without: Vec<Verb> =
            Verb::WORDS.iter().filter(|verb| !has_row(verb)).cloned().collect();
        assert_eq!(without, NO_ROW);
    }

    #[test]
    fn each_verb_has_one_row() {
        for (number, (later, _)) in WITHIN.iter().enumerate() {
            assert!(WITHIN[..number].iter().all(|(other, _)| other != later), "{later:?}");
        }
        for (number, (later, _)) in ACROSS.iter().enumerate() {
            assert!(ACROSS[..number].iter().all(|(other, _)| other != later), "{later}");
            assert!(!later.serves_host(), "{later}");
        }
    }
}
