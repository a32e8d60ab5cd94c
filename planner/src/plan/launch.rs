//! What starts a member.

use serde::Serialize;
use templates::Manifest;

/// What starts a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Launch {
    /// systemd, from the unit that was written before.
    Unit,
    /// The kubelet, from this manifest: to put it into its folder is to start the member.
    Pod {
        /// The manifest; token and numbers are filled in at execution.
        manifest: Box<Manifest>,
        /// Which formation it starts with.
        formation: FormationState,
        /// The manifest whose place it takes; any other is left alone.
        replaces: Replaced,
        /// What happens to a pod of the member that runs by then.
        running: RunningPod,
    },
}

/// What a member still does that is about to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leaver {
    /// It serves: where it leads, another member takes over first.
    Serves,
    /// It has no vote, so it may go whatever it does.
    NoVote,
    /// Nobody knows its host: the others ask it when it is removed. If it answers, it goes as one that serves, else as
    /// one that is down.
    Stray,
    /// It is down. If it answers after all, it is left alone: it has come up since the plan, or is cut off from us
    /// alone.
    Failed,
}

/// What happens to a pod of the member that runs when another manifest is to take its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunningPod {
    /// It ends first.
    Ends,
    /// It stays, unless it ends on its own. It came up after the plan saw the member down, and the others may rely on
    /// it by now: to end it is a restart, which has a guard of its own.
    Stays,
}

impl Launch {
    /// The same where nothing is left that it could take the place of.
    #[must_use]
    pub fn from_nothing(self) -> Self {
        match self {
            Launch::Unit => Launch::Unit,
            Launch::Pod { manifest, formation, replaces: _, running } => {
                Launch::Pod { manifest, formation, replaces: Replaced::Nothing, running }
            }
        }
    }

    /// The same in the place of a manifest that an earlier step of the plan writes, by its identity.
    #[must_use]
    pub fn in_place_of(self, identity: &str) -> Self {
        match self {
            Launch::Unit => Launch::Unit,
            Launch::Pod { manifest, formation, replaces: _, running } => {
                let replaces = Replaced::Manifest(identity.to_owned());
                Launch::Pod { manifest, formation, replaces, running }
            }
        }
    }

    /// The same, and a pod that came up since the plan stays.
    #[must_use]
    pub fn or_what_runs(self) -> Self {
        match self {
            Launch::Unit => Launch::Unit,
            Launch::Pod { manifest, formation, replaces, running: _ } => {
                Launch::Pod { manifest, formation, replaces, running: RunningPod::Stays }
            }
        }
    }
}

/// What lies where a manifest is to be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replaced {
    /// Nothing.
    Nothing,
    /// The file of this sha256, in hex, that the plan saw.
    File(String),
    /// The manifest of this identity, which an earlier step of the plan writes.
    Manifest(String),
}

/// What `--initial-cluster-state` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FormationState {
    /// The member forms a cluster with the others of the list.
    New,
    /// The member joins a formed cluster, whose list has it already: it starts without a log, and gets its data from
    /// the others.
    Joining,
    /// The member belongs to a cluster; without its log it does not start.
    Existing,
}
