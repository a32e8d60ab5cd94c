//! The scripts of the steps: constants, each with the preamble and the guards in front.

use std::time::Duration;

macro_rules! script {
    ($name:literal $(, $more:literal)*) => {
        concat!(
            include_str!("../scripts/preamble.sh"),
            include_str!("../scripts/lock.sh"),
            include_str!("../scripts/fence.sh"),
            include_str!("../scripts/members.sh"),
            include_str!("../scripts/pods.sh"),
            $(include_str!(concat!("../scripts/", $more, ".sh")),)*
            include_str!("../scripts/guards.sh"),
            include_str!(concat!("../scripts/", $name, ".sh"))
        )
    };
}

/// How long a script waits for others at most, as its lines `# waits N s` say: each stands where it waits.
/// What it is told to wait comes on top.
pub(crate) fn waits(script: &str) -> Duration {
    let said = script.lines().filter_map(|line| line.trim_start().strip_prefix("# waits "));
    let seconds = said.filter_map(|rest| rest.split_once(" s")?.0.parse::<u64>().ok());
    Duration::from_secs(seconds.sum())
}

pub(super) const AWAIT_REJOIN: &str = script!("await_rejoin");
pub(super) const CLAIM_HOST: &str = script!("claim_host");
pub(super) const CLOSE_DISCOVERY: &str = script!("close_discovery", "discovery");
pub(super) const CREATE_ACCOUNT: &str = script!("create_account");
pub(super) const DISCARD_BOOTSTRAP: &str = script!("discard_bootstrap");
pub(super) const END_TRIAL: &str = script!("end_trial");
pub(super) const FORGET_DISCOVERY: &str = script!("forget_discovery");
pub(super) const INSTALL_CERTIFICATES: &str = script!("install_certificates");
pub(super) const INSTALL_RELEASE: &str = script!("install_release");
pub(super) const LIST_BY_ADDRESS: &str = script!("list_by_address");
pub(super) const LOCK_AGAIN: &str = script!("lock_again");
pub(crate) const LOCK_BREAK: &str = script!("lock_break");
pub(crate) const LOCK_KEEP: &str = script!("lock_keep");
pub(crate) const LOCK_TAKE: &str = script!("lock_take");
pub(super) const MOVE_DROP_INS: &str = script!("move_drop_ins");
pub(super) const MOVE_LEADER: &str = script!("move_leader");
pub(super) const NOTE_RESTART: &str = script!("note_restart");
pub(super) const OPEN_DISCOVERY: &str = script!("open_discovery", "discovery");
pub(super) const PREPARE_DIRECTORIES: &str = script!("prepare_directories");
pub(super) const PROVE_HEALTHY: &str = script!("prove_healthy");
pub(crate) const READ_HISTORY: &str = script!("read_history");
pub(super) const READ_IDENTITY: &str = script!("read_identity");
pub(super) const READ_JOURNAL: &str = script!("read_journal");
pub(crate) const RECORD_APPLY: &str = script!("record_apply");
pub(super) const RESTART_MEMBER: &str = script!("restart_member");
pub(super) const RETIRE_MEMBER: &str = script!("retire_member");
pub(super) const RUN_POD: &str = script!("run_pod");
pub(super) const STANDALONE_KUBELET: &str = script!("standalone_kubelet");
pub(super) const START_MEMBER: &str = script!("start_member");
pub(super) const STORE_TOKEN: &str = script!("store_token");
pub(super) const SUDO_RECORDS: &str = script!("sudo_records");
pub(super) const TRUST_DISCOVERY: &str = script!("trust_discovery");
pub(super) const TRY_CERTIFICATES: &str = script!("try_certificates");
pub(super) const WRITE_MANIFEST: &str = script!("write_manifest");
pub(super) const WRITE_MARKER: &str = script!("write_marker");
pub(super) const WRITE_UNIT: &str = script!("write_unit");
