//! Small tables of flags. The real ones live above this crate.

use inventories::inventory::FlagValue;
use inventories::{EtcdVersion, FlagChecks, FlagProblem, KubernetesMinor, Severity};

pub(crate) const CHECKS: FlagChecks = FlagChecks { etcd: check, apiserver: check_apiserver };

const KNOWN: &[&str] = &[
    "auto-compaction-mode",
    "auto-compaction-retention",
    "cipher-suites",
    "cors",
    "election-timeout",
    "experimental-initial-corrupt-check",
    "experimental-max-learners",
    "heartbeat-interval",
    "log-level",
    "log-outputs",
    "max-learners",
    "quota-backend-bytes",
    "tls-min-version",
];

fn check(version: EtcdVersion, flag: &str, value: &FlagValue) -> Result<(), FlagProblem> {
    let problem = |code, message: String, hint: Option<String>| {
        Err(FlagProblem { severity: Severity::Error, code, message, hint })
    };
    match (flag, value) {
        ("data-dir", _) => {
            let hint = Some("the data lies under /var/lib/etcd".to_owned());
            problem("owned-flag", "`data-dir` is set by quorate".to_owned(), hint)
        }
        ("snapshot-count", FlagValue::Int(_)) => Ok(()),
        ("snapshot-count", _) => {
            problem("flag-type", "`snapshot-count` has to be a whole number".to_owned(), None)
        }
        _ if KNOWN.contains(&flag) => Ok(()),
        _ => {
            let meant = inventories::suggest::closest(flag, KNOWN.iter().copied());
            let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
            problem("unknown-flag", format!("etcd {version} has no flag `{flag}`"), hint)
        }
    }
}

fn check_apiserver(
    _: Option<KubernetesMinor>,
    flag: &str,
    _: &FlagValue,
) -> Result<(), FlagProblem> {
    let problem = |code, message: String, hint: Option<String>| {
        Err(FlagProblem { severity: Severity::Error, code, message, hint })
    };
    match flag {
        "etcd-compaction-interval" => Ok(()),
        "etcd-servers" => {
            let hint = Some("use `cluster` of the Kubernetes cluster".to_owned());
            problem("owned-flag", "`etcd-servers` is set by quorate".to_owned(), hint)
        }
        _ => problem("unknown-flag", format!("the API server has no flag {flag:?}"), None),
    }
}
