//! Which flags of the API server are about etcd, by version, and which of them are the operator's.

mod table;

use inventories::inventory::FlagValue;
use inventories::{FlagProblem, KubernetesMinor};

use crate::flags::problem::{Code, Problem};
use crate::flags::value;
use table::{ENTRIES, Entry};

/// The flags that quorate sets itself, without dashes.
pub const OWNED: [&str; 6] = [
    "etcd-cafile",
    "etcd-certfile",
    "etcd-keyfile",
    "etcd-prefix",
    "etcd-servers",
    "etcd-servers-overrides",
];

/// Whose a flag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The operator's, in `flags` of the Kubernetes cluster.
    Open,
    /// quorate's; the text says what to use instead.
    Owned(&'static str),
    /// Set where the API server's other flags are: it says how objects are stored, not where.
    NotOfEtcd,
}

/// Says whether an operator may give a flag, named without dashes, this value in this version.
///
/// Fits [`inventories::ApiserverFlagCheck`].
pub fn check(
    version: Option<KubernetesMinor>,
    name: &str,
    value: &FlagValue,
) -> Result<(), FlagProblem> {
    let entry = table::find(name).ok_or_else(|| unknown(name))?;
    match entry.standing {
        Standing::Open => {}
        Standing::Owned(instead) => {
            let problem = Problem::error(Code::Owned, format!("`{name}` is set by quorate"));
            return Err(problem.hint(instead.to_owned()).into());
        }
        Standing::NotOfEtcd => {
            let message = format!("`{name}` is not an --etcd-* flag, so quorate leaves it alone");
            let problem = Problem::error(Code::Unsupported, message);
            let hint = "leave it out here, and set it where the API server's other flags are set";
            return Err(problem.hint(hint.to_owned()).into());
        }
    }
    if !entry.is_in(version) {
        return Err(of_other_version(version, entry).into());
    }
    Ok(value::check(name, entry.kind, value)?)
}

fn of_other_version(version: Option<KubernetesMinor>, entry: &Entry) -> Problem {
    let version = version.map(|version| format!(" {version}")).unwrap_or_default();
    let name = entry.name;
    let message = match (entry.since, entry.until) {
        (_, Some(until)) => {
            format!("Kubernetes{version} does not have `{name}`: {until} was the last with it")
        }
        (Some(since), None) => {
            format!("Kubernetes{version} does not have `{name}` yet: it came with {since}")
        }
        (None, None) => format!("Kubernetes{version} does not have `{name}`"),
    };
    Problem::error(Code::OtherVersion, message).hint("leave it out".to_owned())
}

fn unknown(name: &str) -> Problem {
    let problem =
        Problem::error(Code::Unknown, format!("the API server has no flag {name:?} for etcd"));
    let open = || {
        let open = ENTRIES.iter().filter(|entry| entry.standing == Standing::Open);
        open.map(|entry| entry.name)
    };
    // `compaction-interval` is too far from its whole name for a slip.
    let whole = format!("etcd-{name}");
    let near =
        inventories::suggest::closest(name, open()).or_else(|| open().find(|flag| *flag == whole));
    match near {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => {
            let open = open().map(|flag| format!("`{flag}`")).collect::<Vec<_>>().join(", ");
            problem.hint(format!("the flags for etcd that are yours: {open}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const _: inventories::ApiserverFlagCheck = check;

    fn text(text: &str) -> FlagValue {
        FlagValue::Text(text.to_owned())
    }

    /// The problem as one line: code, message, hint.
    fn problem(minor: Option<u16>, name: &str, value: &FlagValue) -> String {
        match check(minor.map(KubernetesMinor::new), name, value) {
            Ok(()) => "fine".to_owned(),
            Err(FlagProblem { code, message, hint, .. }) => {
                format!("{code}: {message}. {}", hint.unwrap_or_default())
            }
        }
    }

    #[test]
    fn a_flag_of_the_operator_s_is_fine_if_its_version_has_it() {
        for minor in [None, Some(25), Some(34), Some(50)] {
            assert_eq!(problem(minor, "etcd-readycheck-timeout", &text("3s")), "fine", "{minor:?}");
        }
        assert_eq!(
            problem(Some(24), "etcd-readycheck-timeout", &text("3s")),
            "flag-of-other-version: Kubernetes 1.24 does not have `etcd-readycheck-timeout` yet: it came with 1.25. leave it out"
        );
    }

    #[test]
    fn a_value_of_another_kind_is_refused_with_what_to_write() {
        assert_eq!(
            problem(None, "etcd-compaction-interval", &FlagValue::Int(300)),
            "flag-type: `etcd-compaction-interval` takes a duration, not 300. write it as etcd-compaction-interval = \"300s\""
        );
    }

    #[test]
    fn a_misspelt_flag_gets_the_nearest() {
        for near in ["etcd-compaction-intervall", "etcd_compaction_interval", "compaction-interval"]
        {
            let said = problem(None, near, &text("5m"));
            assert!(said.ends_with("did you mean `etcd-compaction-interval`?"), "{said}");
        }
    }

    #[test]
    fn every_flag_of_ours_names_the_key_to_use_and_no_other_is_open_by_accident() {
        let owned = ENTRIES.iter().filter(|entry| matches!(entry.standing, Standing::Owned(_)));
        assert_eq!(owned.map(|entry| entry.name).collect::<Vec<_>>(), OWNED);
        for entry in ENTRIES {
            let of_etcd = entry.name.starts_with("etcd-");
            assert_eq!(entry.standing != Standing::NotOfEtcd, of_etcd, "{}", entry.name);
        }
        assert_eq!(
            problem(None, "etcd-servers", &text("https://10.0.0.1:2379")),
            "owned-flag: `etcd-servers` is set by quorate. use the key `cluster`: its members are the servers"
        );
        assert_eq!(
            problem(None, "storage-media-type", &text("application/json")),
            "unsupported-flag: `storage-media-type` is not an --etcd-* flag, so quorate leaves it alone. \
             leave it out here, and set it where the API server's other flags are set"
        );
    }
}
