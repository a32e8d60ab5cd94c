//! What an operator may change of a member's systemd unit: a closed list of resource settings, each
//! with its own check, and the sandbox directives that a host may be unable to give.

use std::collections::{BTreeMap, BTreeSet};

/// What the operator changes of the members' units.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Systemd {
    /// Resource settings by systemd's name, as they stand in the unit.
    pub settings: BTreeMap<String, String>,
    /// Sandbox directives that the units go without, each with the operator's reason.
    pub without: BTreeMap<String, String>,
    /// Names of drop-in files that quorate leaves alone.
    pub keep_drop_ins: BTreeSet<String>,
}

/// The settings of [`Systemd::settings`]. `Environment` is not among them: etcd reads its flags from
/// there as well. Nor is anything that decides who runs what, which is quorate's.
pub const SETTINGS: [&str; 16] = [
    "AllowedCPUs",
    "CPUQuota",
    "CPUWeight",
    "IOSchedulingClass",
    "IOSchedulingPriority",
    "IOWeight",
    "LimitCORE",
    "LimitNOFILE",
    "MemoryHigh",
    "MemoryLow",
    "MemoryMax",
    "MemoryMin",
    "MemorySwapMax",
    "Nice",
    "OOMScoreAdjust",
    "TasksMax",
];

/// The directives of [`Systemd::without`]: those of the unit that only restrict etcd further.
pub const SANDBOX: [&str; 26] = [
    "DevicePolicy",
    "KeyringMode",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateTmp",
    "PrivateUsers",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "RemoveIPC",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "SystemCallFilter",
];

/// What is wrong with the value of a setting, as a hint; `None` where nothing is.
pub(crate) fn mistake(setting: &str, value: &str) -> Option<&'static str> {
    let number = |lowest: i64, highest: i64| {
        let number = value.parse::<i64>().ok().filter(|_| !value.starts_with('+'));
        number.is_some_and(|number| (lowest..=highest).contains(&number))
    };
    let (is_good, hint) = match setting {
        "Nice" => (number(-20, 19), "write a number from -20 to 19"),
        "OOMScoreAdjust" => (number(-1000, 1000), "write a number from -1000 to 1000"),
        "CPUWeight" | "IOWeight" => (number(1, 10_000), "write a number from 1 to 10000"),
        "IOSchedulingPriority" => (number(0, 7), "write a number from 0 to 7"),
        "IOSchedulingClass" => {
            (["best-effort", "realtime"].contains(&value), "write \"best-effort\" or \"realtime\"")
        }
        "CPUQuota" => (is_percent(value), "write a percentage of one processor, such as \"200%\""),
        "AllowedCPUs" => (is_cpus(value), "write processors such as \"0-3,8\""),
        "LimitNOFILE" => {
            (number(LEAST_FILES, i64::MAX), "write a number, 1024 or more: each client takes one")
        }
        "TasksMax" => (number(64, i64::MAX) || value == "infinity", "write a number, 64 or more"),
        "MemoryMax" | "MemoryHigh" => {
            (is_size(value, LEAST_MEMORY), "write bytes such as \"8G\", 64M or more, or \"50%\"")
        }
        "MemoryLow" | "MemoryMin" | "MemorySwapMax" | "LimitCORE" => {
            (is_size(value, 0), "write bytes such as \"2G\", or \"infinity\"")
        }
        _ => (false, "leave it out"),
    };
    (!is_good).then_some(hint)
}

/// Below this etcd itself warns, and refuses clients.
const LEAST_FILES: i64 = 1024;

/// Less is a slip of the unit of measure: an empty etcd takes about this much.
const LEAST_MEMORY: u64 = 64 << 20;

fn is_percent(value: &str) -> bool {
    let number = value.strip_suffix('%').and_then(|digits| digits.parse::<u32>().ok());
    number.is_some_and(|number| number > 0)
}

fn is_cpus(value: &str) -> bool {
    let bounds = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((first.parse::<u16>().ok()?, last.parse::<u16>().ok()?))
    };
    value.split(',').all(|range| bounds(range).is_some_and(|(first, last)| first <= last))
}

fn is_size(value: &str, least: u64) -> bool {
    if value == "infinity" || (is_percent(value) && value.len() <= 4) {
        return true;
    }
    let (digits, unit) = match value.char_indices().last() {
        Some((at, 'K')) => (&value[..at], 1 << 10),
        Some((at, 'M')) => (&value[..at], 1 << 20),
        Some((at, 'G')) => (&value[..at], 1 << 30),
        Some((at, 'T')) => (&value[..at], 1 << 40),
        _ => (value, 1),
    };
    let number = digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    number.and_then(|number| number.checked_mul(unit)).is_some_and(|bytes| bytes >= least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_takes_what_systemd_takes_and_nothing_else() {
        let good = [
            ("AllowedCPUs", "0-3,8"),
            ("CPUQuota", "250%"),
            ("CPUWeight", "10000"),
            ("IOSchedulingClass", "realtime"),
            ("IOSchedulingPriority", "0"),
            ("IOWeight", "1"),
            ("LimitCORE", "0"),
            ("LimitNOFILE", "1048576"),
            ("MemoryHigh", "7G"),
            ("MemoryLow", "512M"),
            ("MemoryMax", "50%"),
            ("MemoryMin", "1073741824"),
            ("MemorySwapMax", "0"),
            ("Nice", "-20"),
            ("OOMScoreAdjust", "-1000"),
            ("TasksMax", "infinity"),
        ];
        assert_eq!(good.map(|(setting, _)| setting), SETTINGS, "each one is tried");
        for (setting, value) in good {
            assert_eq!(mistake(setting, value), None, "{setting}={value}");
        }
        for setting in SETTINGS {
            for value in ["", "x", "-1001", "8G\nUser=root", "5 %", "1,,2", "+99999", "8Q"] {
                assert!(mistake(setting, value).is_some(), "{setting}={value}");
            }
        }
        for (setting, value) in [("MemoryMax", "8"), ("MemoryMax", "0"), ("LimitNOFILE", "100")] {
            assert!(mistake(setting, value).is_some(), "{setting}={value}");
        }
        assert!(mistake("Environment", "A=1").is_some());
    }
}
