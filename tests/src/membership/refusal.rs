//! What etcd refuses, and its words for it.

/// Why etcd refuses a change of its member list, or an etcd does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Fewer voters than the new quorum have ever started.
    NotEnoughStarted,
    /// The member that was asked has not been connected to enough voters for five seconds.
    Unhealthy,
    /// There are as many learners as there may be.
    TooManyLearners,
    /// The log of the member to promote is too far behind the leader's.
    LearnerNotReady,
    /// The member to promote is a voter already.
    NotALearner,
    /// Another member has one of the peer URLs.
    PeerUrlExists,
    /// A member with the same id is in the list: it was added with the same peer URLs in this second.
    IdExists,
    /// The list has no such member, or had it once.
    NotFound,
    /// A learner was asked: it takes no change, and does not even list the members.
    AskedALearner,
    /// Nobody answered in time: there is no leader, or nobody to ask.
    TimedOut,
    /// The initial cluster does not have the etcd's own name.
    OwnNameMissing,
    /// No member answers at the peer URLs of the initial cluster.
    NobodyAnswers,
    /// The initial cluster has more or fewer members than the list.
    CountUnequal,
    /// The initial cluster does not have the peer URLs of a member of the list.
    UrlsDiffer,
    /// A founder of the cluster started as `new` without its data.
    AlreadyBootstrapped,
    /// The etcd has the data of a member that was removed.
    Removed,
    /// A member that had a log starts without it. Whether etcd notices depends on whether the leader
    /// has changed since: if not, it ends in a panic, and if so, it votes without its memory.
    LogLost,
}

/// What a member that is asked for a change says. Some words are part of others: the longer ones come
/// first.
const ANSWERS: &[(&str, Refusal)] = &[
    ("not enough started members", Refusal::NotEnoughStarted),
    ("unhealthy cluster", Refusal::Unhealthy),
    ("too many learner members in cluster", Refusal::TooManyLearners),
    ("can only promote a learner member which is in sync with leader", Refusal::LearnerNotReady),
    ("can only promote a learner member", Refusal::NotALearner),
    ("Peer URLs already exists", Refusal::PeerUrlExists),
    ("member ID already exist", Refusal::IdExists),
    ("member not found", Refusal::NotFound),
    ("rpc not supported for learner", Refusal::AskedALearner),
    ("request timed out", Refusal::TimedOut),
    ("context deadline exceeded", Refusal::TimedOut),
];

/// What the log of an etcd that ended has. It may repeat answers of earlier days.
const LAST_WORDS: &[(&str, Refusal)] = &[
    ("couldn't find local name", Refusal::OwnNameMissing),
    ("cannot fetch cluster info from peer urls", Refusal::NobodyAnswers),
    ("member count is unequal", Refusal::CountUnequal),
    ("PeerURLs: no match found for existing member", Refusal::UrlsDiffer),
    ("has already been bootstrapped", Refusal::AlreadyBootstrapped),
    ("has been permanently removed from the cluster", Refusal::Removed),
    ("is out of range [lastIndex(", Refusal::LogLost),
];

impl Refusal {
    /// The refusal that an answer stands for.
    pub fn answered(error: &str) -> Option<Self> {
        find(ANSWERS, error)
    }

    /// Why an etcd ended, by its log.
    pub fn logged(log: &str) -> Option<Self> {
        find(LAST_WORDS, log)
    }
}

fn find(words: &[(&str, Refusal)], text: &str) -> Option<Refusal> {
    words.iter().find(|(words, _)| text.contains(words)).map(|(_, refusal)| *refusal)
}
