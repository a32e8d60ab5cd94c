//! Steps on the host itself: whose it is, the account and the directories of members.

use inventories::AccountName;
use planner::Step;
use planner::layout::Directory;
use remote::Call;
use templates::layout::{DATA_ROOT, NO_LOGIN, SITE_FILE};

use crate::script::{
    self,
    call::{Arguments, guarded},
    failure::Failure,
};

pub(crate) fn register_host(step: &Step, site: &str) -> Result<Call, Failure> {
    guarded(
        step,
        script::REGISTER_HOST,
        Arguments::new().with("file", SITE_FILE).with("site", site),
    )
}

pub(crate) fn create_account(step: &Step, name: &AccountName) -> Result<Call, Failure> {
    guarded(
        step,
        script::CREATE_ACCOUNT,
        Arguments::new().with("name", name).with("home", DATA_ROOT).with("shell", NO_LOGIN),
    )
}

pub(crate) fn prepare_directories(step: &Step, all: &[Directory]) -> Result<Call, Failure> {
    let lines = all.iter().map(|directory| {
        let Directory { path, mode, owner, group, contents } = directory;
        let contents = contents.as_deref().unwrap_or("-");
        format!("{path} {mode:o} {owner}:{group} {contents}")
    });
    guarded(step, script::PREPARE_DIRECTORIES, Arguments::new().with_lines("directories", lines))
}
