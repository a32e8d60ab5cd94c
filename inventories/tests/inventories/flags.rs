//! A small table of flags. The real one lives above this crate.

use inventories::inventory::FlagValue;
use inventories::{EtcdVersion, FlagProblem, Severity};

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

pub(crate) fn check(
    version: EtcdVersion,
    flag: &str,
    value: &FlagValue,
) -> Result<(), FlagProblem> {
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
