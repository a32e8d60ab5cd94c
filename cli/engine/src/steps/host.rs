//! Steps on the host itself: whose it is, the account and the directories of members.

use inventories::AccountName;
use planner::Step;
use planner::layout::Directory;
use remote::Call;
use templates::layout::{DATA_ROOT, NO_LOGIN, SITE_FILE};

use crate::script::{self, call::guarded, failure::Failure};

pub(crate) fn claim_host(step: &Step, site: &str) -> Result<Call, Failure> {
    guarded(step, script::CLAIM_HOST, [SITE_FILE.to_owned(), site.to_owned()])
}

pub(crate) fn create_account(step: &Step, name: &AccountName) -> Result<Call, Failure> {
    guarded(step, script::CREATE_ACCOUNT, [name.as_str(), DATA_ROOT, NO_LOGIN].map(str::to_owned))
}

pub(crate) fn prepare_directories(step: &Step, all: &[Directory]) -> Result<Call, Failure> {
    let args = all.iter().flat_map(|directory| {
        let Directory { path, mode, owner, group, contents } = directory;
        let contents = contents.as_deref().unwrap_or("-");
        [path.clone(), format!("{mode:o}"), format!("{owner}:{group}"), contents.to_owned()]
    });
    guarded(step, script::PREPARE_DIRECTORIES, args)
}
