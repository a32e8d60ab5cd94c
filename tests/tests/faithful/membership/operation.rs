//! What is done in a trace.

use quorate_tests::membership::{Cluster, Id, Initial, Refusal, Role, State, Urls};

/// A member that there never was.
pub(super) const NOBODY: Id = Id(u32::MAX);

/// Something that is done to the cluster or to a host.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Add { asked: usize, role: Role, urls: Urls },
    Promote { asked: usize, id: Id },
    Remove { asked: usize, id: Id },
    Update { asked: usize, id: Id, urls: Urls },
    Start { host: usize, state: State, initial: Initial },
    Stop { host: usize, signal: &'static str },
    Wipe { host: usize },
    Write { asked: usize },
}

impl Operation {
    /// Does it to a model.
    pub(super) fn does(&self, model: &mut Cluster) -> Result<(), Refusal> {
        match self.clone() {
            Operation::Add { asked, role, urls } => model.add(asked, role, urls).map(|_| ()),
            Operation::Promote { asked, id } => model.promote(asked, id),
            Operation::Remove { asked, id } => model.remove(asked, id),
            Operation::Update { asked, id, urls } => model.update(asked, id, urls),
            Operation::Start { host, state, initial } => model.start(host, state, &initial),
            Operation::Stop { host, .. } => {
                model.stop(host);
                Ok(())
            }
            Operation::Wipe { host } => {
                model.wipe(host);
                Ok(())
            }
            Operation::Write { .. } => {
                model.write();
                Ok(())
            }
        }
    }

    /// The member that a change of the list is asked of.
    pub(super) fn asked(&self) -> Option<usize> {
        match self {
            Operation::Add { asked, .. }
            | Operation::Promote { asked, .. }
            | Operation::Remove { asked, .. }
            | Operation::Update { asked, .. } => Some(*asked),
            _ => None,
        }
    }
}
