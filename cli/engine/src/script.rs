//! A script on its way to a host and back.
//!
//! - Here: the scripts (`script/sh/*.sh`) as constants, each with the preamble and the guards in front.
//! - `call`: a script with its arguments; `guard`: the condition that it checks first.
//! - `answer`, `failure`: from its reply to what was done, or why not.
//! - `explain`, `log_line`: etcd's own words, in plain ones.

pub(crate) mod answer;
pub(crate) mod call;
mod explain;
pub(crate) mod failure;
pub(crate) mod guard;
mod log_line;
#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

pub use explain::{Explanation, explain};
pub(crate) use log_line::readable;

macro_rules! script {
    ($name:literal $(, $more:literal)*) => {
        concat!(
            include_str!("script/sh/preamble.sh"),
            include_str!("script/sh/lock.sh"),
            include_str!("script/sh/fence.sh"),
            include_str!("script/sh/members.sh"),
            include_str!("script/sh/pod_logs.sh"),
            include_str!("script/sh/pods.sh"),
            $(include_str!(concat!("script/sh/", $more, ".sh")),)*
            include_str!("script/sh/guards.sh"),
            include_str!(concat!("script/sh/", $name, ".sh"))
        )
    };
}

/// How long a script waits for others at most, as its lines `# waits N s` say: each stands where it waits.
/// The time that it is to wait comes on top.
pub(crate) fn waits(script: &str) -> Duration {
    let said = script.lines().filter_map(|line| line.trim_start().strip_prefix("# waits "));
    let seconds = said.filter_map(|rest| rest.split_once(" s")?.0.parse::<u64>().ok());
    Duration::from_secs(seconds.sum())
}

pub(crate) const ADD_LEARNER: &str = script!("add_learner", "others");
pub(crate) const UPDATE_PEER_URL: &str = script!("update_peer_url", "others");
pub(crate) const AWAIT_API_SERVER: &str = script!("await_api_server", "api_server");
pub(crate) const AWAIT_REJOIN: &str = script!("await_rejoin");
pub(crate) const REGISTER_HOST: &str = script!("register_host");
pub(crate) const CHECK_SNAPSHOT: &str = script!("check_snapshot", "trial");
pub(crate) const CLOSE_DISCOVERY: &str = script!("close_discovery", "discovery");
pub(crate) const COMPARE_DATA: &str = script!("compare_data", "hashes", "alarms");
pub(crate) const COMPACT: &str = script!("compact");
pub(crate) const CREATE_ACCOUNT: &str = script!("create_account");
pub(crate) const DEFRAGMENT: &str = script!("defragment", "database");
pub(crate) const DEFRAGMENT_STOPPED: &str = script!("defragment_stopped", "database");
pub(crate) const DISARM: &str = script!("disarm", "database", "alarms");
pub(crate) const DISCARD_BOOTSTRAP: &str = script!("discard_bootstrap", "archive");
pub(crate) const END_TRIAL: &str = script!("end_trial");
pub(crate) const ENABLE_DOWNGRADE: &str = script!("enable_downgrade");
pub(crate) const FORGET_DISCOVERY: &str = script!("forget_discovery");
pub(crate) const FORGET_MEMBER: &str = script!("forget_member", "others", "archive", "leftovers");
pub(crate) const INSTALL_CERTIFICATES: &str = script!("install_certificates");
pub(crate) const INSTALL_RELEASE: &str = script!("install_release");
pub(crate) const LIST_ARCHIVES: &str = script!("list_archives");
pub(crate) const LIST_BY_ADDRESS: &str = script!("list_by_address");
pub(crate) const LOCK_AGAIN: &str = script!("lock_again");
pub(crate) const LOCK_BREAK: &str = script!("lock_break");
pub(crate) const LOCK_KEEP: &str = script!("lock_keep");
pub(crate) const LOCK_TAKE: &str = script!("lock_take");
pub(crate) const LOOK_FOR_CLIENTS: &str = script!("look_for_clients", "clients");
pub(crate) const MOVE_DROP_INS: &str = script!("move_drop_ins");
pub(crate) const MOVE_LEADER: &str = script!("move_leader");
pub(crate) const NOTE_PROOF: &str = script!("note_proof");
pub(crate) const NOTE_RESTART: &str = script!("note_restart");
pub(crate) const OPEN_DISCOVERY: &str = script!("open_discovery", "discovery");
pub(crate) const PREPARE_DIRECTORIES: &str = script!("prepare_directories");
pub(crate) const PREPARE_LOG: &str = script!("prepare_log");
pub(crate) const PROMOTE_MEMBER: &str = script!("promote_member", "others");
pub(crate) const PROVE_HEALTHY: &str = script!("prove_healthy", "hashes");
pub(crate) const PROVE_VERSION: &str = script!("prove_version", "hashes");
pub(crate) const PURGE_ARCHIVE: &str = script!("purge_archive");
pub(crate) const READ_HISTORY: &str = script!("read_history");
pub(crate) const READ_IDENTITY: &str = script!("read_identity");
pub(crate) const READ_JOURNAL: &str = script!("read_journal");
pub(crate) const READ_MANIFEST: &str = script!("read_manifest");
pub(crate) const READ_LOGS: &str = script!("read_logs");
pub(crate) const READ_SUPPORT: &str = script!("read_support");
pub(crate) const RECORD_APPLY: &str = script!("record_apply");
pub(crate) const REMOVE_MEMBER: &str = script!("remove_member", "others", "listed");
pub(crate) const REMOVE_LISTED: &str = script!("remove_listed", "others", "listed");
pub(crate) const DECOMMISSION_MEMBER: &str =
    script!("decommission_member", "others", "archive", "leftovers");
pub(crate) const SAVE_SNAPSHOT: &str = script!("save_snapshot", "archive");
pub(crate) const RESTART_MEMBER: &str = script!("restart_member");
pub(crate) const STOP_OLD_RUNTIME: &str = script!("stop_old_runtime");
pub(crate) const RUN_POD: &str = script!("run_pod");
pub(crate) const END_RESTORE: &str = script!("end_restore", "restoring");
pub(crate) const PLACE_RESTORE: &str = script!("place_restore", "restoring");
pub(crate) const SET_ASIDE: &str = script!("set_aside", "archive", "restoring");
pub(crate) const STAGE_RESTORE: &str = script!("stage_restore", "restoring");
pub(crate) const STOP_FOR_RESTORE: &str =
    script!("stop_for_restore", "archive", "restoring", "clients");
pub(crate) const STREAM_SNAPSHOT: &str = script!("stream_snapshot");
pub(crate) const STANDALONE_KUBELET: &str = script!("standalone_kubelet");
pub(crate) const START_MEMBER: &str = script!("start_member");
pub(crate) const STORE_TOKEN: &str = script!("store_token");
pub(crate) const SUDO_RECORDS: &str = script!("sudo_records");
pub(crate) const TRUST_DISCOVERY: &str = script!("trust_discovery");
pub(crate) const TRY_SNAPSHOT: &str = script!("try_snapshot", "trial");
pub(crate) const TRY_CERTIFICATES: &str = script!("try_certificates");
pub(crate) const READ_KUBEADM_CONFIG: &str = script!("read_kubeadm_config");
pub(crate) const WRITE_KUBEADM_CONFIG: &str = script!("write_kubeadm_config");
pub(crate) const WIRE_API_SERVER: &str = script!("wire_api_server", "api_server");
pub(crate) const WRITE_MANIFEST: &str = script!("write_manifest");
pub(crate) const WRITE_MARKER: &str = script!("write_marker");
pub(crate) const WRITE_UNIT: &str = script!("write_unit");
