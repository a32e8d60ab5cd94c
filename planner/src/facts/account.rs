//! The accounts of a host, and whose a process is.

use std::collections::BTreeSet;

use inventories::AccountName;
use templates::pod::Ids;

use super::{HostFacts, MemberFacts, Observed};

/// A system account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whether it can log in.
    pub login_shell: String,
    /// Primary group.
    pub group: String,
    /// All groups that its processes have. Looked at only where a folder above a member tells them apart.
    pub groups: BTreeSet<String>,
    /// Numbers of both, which a pod is given.
    pub ids: Ids,
}

impl HostFacts {
    /// What was seen of an account.
    pub fn account(&self, name: &AccountName) -> &Observed<Account> {
        const UNASKED: &Observed<Account> = &Observed::Unknown(String::new());
        self.accounts.get(name).unwrap_or(UNASKED)
    }

    /// Whether a member's process has another account than the wanted one: that was made again, is gone or is
    /// not there yet, or the inventory names another.
    pub fn runs_as_another(&self, member: &MemberFacts, wanted: &AccountName) -> bool {
        let account = self.account(wanted).known().map(|account| account.ids.user);
        member.runs_as.known().is_some_and(|is| account != Some(*is))
    }
}
