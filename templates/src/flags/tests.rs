mod page;

use inventories::{Minor, Severity};
use proptest::prelude::*;

use super::*;

fn version(text: &str) -> EtcdVersion {
    text.parse().unwrap()
}

fn text(text: &str) -> FlagValue {
    FlagValue::Text(text.to_owned())
}

/// The problem as one line: severity, code, message, hint.
fn problem(at: &str, name: &str, value: &FlagValue) -> String {
    match check(version(at), name, value) {
        Ok(()) => "fine".to_owned(),
        Err(FlagProblem { severity, code, message, hint }) => {
            let severity = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            format!("{severity} {code}: {message}. {}", hint.unwrap_or_default())
        }
    }
}

const ON: FlagValue = FlagValue::Bool(true);

/// The inventory asks through this type.
const _: inventories::FlagCheck = check;

#[test]
fn a_flag_that_the_version_has_is_fine() {
    assert_eq!(check(version("3.6.16"), "quota-backend-bytes", &FlagValue::Int(8 << 30)), Ok(()));
    assert_eq!(check(version("3.7.3"), "feature-gates", &text("PriorityRequest=true")), Ok(()));
}

#[test]
fn a_misspelt_flag_gets_the_nearest_of_its_version() {
    assert_eq!(
        problem("3.6.16", "quota-backend-byte", &FlagValue::Int(1)),
        "error unknown-flag: etcd 3.6.16 has no flag \"quota-backend-byte\". did you mean `quota-backend-bytes`?"
    );
    assert_eq!(
        problem("3.6.16", "--snapshot_count", &FlagValue::Int(1)),
        "error unknown-flag: etcd 3.6.16 has no flag \"--snapshot_count\". did you mean `snapshot-count`?"
    );
}

#[test]
fn a_flag_that_came_later_names_the_patch() {
    assert_eq!(
        problem("3.5.7", "tls-min-version", &text("TLS1.2")),
        "error flag-of-other-version: etcd 3.5.7 does not have `tls-min-version` yet: it came with 3.5.8. \
         leave it out, or raise `version` to 3.5.8 or later"
    );
}

#[test]
fn a_flag_of_other_lines_names_them() {
    assert_eq!(
        problem("3.6.16", "enable-v2", &ON),
        "error flag-of-other-version: etcd 3.6.16 does not have `enable-v2`: only 3.4, 3.5 has it. leave it out"
    );
    assert_eq!(
        problem("3.5.35", "feature-gates", &text("InitialCorruptCheck=true")),
        "error flag-of-other-version: etcd 3.5.35 does not have `feature-gates`: only 3.6, 3.7 has it. \
         up to 3.5 each feature is a flag of its own: experimental-…"
    );
}

#[test]
fn a_renamed_flag_says_what_to_write_in_this_version() {
    assert_eq!(
        problem("3.7.3", "experimental-corrupt-check-time", &text("4h")),
        "warning renamed-flag: etcd 3.7.3 calls `experimental-corrupt-check-time` `corrupt-check-time`, and is given it by \
         that name. write `corrupt-check-time` instead"
    );
    assert_eq!(
        problem("3.7.3", "experimental-initial-corrupt-check", &ON),
        "error renamed-flag: etcd 3.7.3 no longer has `experimental-initial-corrupt-check`. \
         write feature-gates = \"InitialCorruptCheck=true\" instead"
    );
    assert_eq!(
        problem("3.5.35", "corrupt-check-time", &text("4h")),
        "warning renamed-flag: etcd 3.5.35 calls `corrupt-check-time` `experimental-corrupt-check-time`, and is given it \
         by that name. write `experimental-corrupt-check-time` instead"
    );
    assert_eq!(
        problem("3.5.35", "debug", &ON),
        "error renamed-flag: etcd 3.5.35 no longer has `debug`. write `log-level` instead"
    );
}

#[test]
fn a_deprecated_flag_is_a_warning() {
    assert_eq!(
        problem("3.6.16", "experimental-corrupt-check-time", &text("4h")),
        "warning deprecated-flag: `experimental-corrupt-check-time` is deprecated in etcd 3.6. write `corrupt-check-time` instead"
    );
    assert_eq!(
        problem("3.4.23", "log-package-levels", &text("etcdserver=DEBUG")),
        "warning deprecated-flag: `log-package-levels` is deprecated in etcd 3.4. write `log-level` instead"
    );
}

#[test]
fn a_flag_that_quorate_owns_names_the_key_to_use() {
    for (name, key) in [
        ("listen-client-urls", "`address`"),
        ("listen-metrics-urls", "`ports.metrics`"),
        ("initial-cluster", "`members`"),
        ("discovery-srv", "`bootstrap`"),
        ("peer-cert-file", "`sans`"),
        ("data-dir", "/var/lib/etcd/<cluster>"),
        ("ca-file", "`client-ca`"),
    ] {
        let said = problem("3.6.16", name, &text("x"));
        assert!(said.starts_with("error owned-flag:"), "{said}");
        assert!(said.contains(key), "{said}");
    }
}

#[test]
fn dangerous_values_are_refused_and_harmless_ones_are_not() {
    for at in ["3.4.23", "3.5.35", "3.6.16", "3.7.3"] {
        for (name, danger) in [
            ("force-new-cluster", true),
            ("unsafe-no-fsync", true),
            ("strict-reconfig-check", false),
        ] {
            let said = problem(at, name, &FlagValue::Bool(danger));
            assert!(said.starts_with("error dangerous-flag:"), "{said}");
            assert_eq!(problem(at, name, &FlagValue::Bool(!danger)), "fine");
            let said = problem(at, name, &text("true"));
            assert!(said.starts_with("error flag-type:"), "{said}");
        }
    }
}

#[test]
fn log_files_are_refused_since_the_unit_could_not_write_them() {
    assert_eq!(problem("3.6.16", "log-outputs", &text("stderr")), "fine");
    let said = problem("3.6.16", "log-outputs", &text("/var/log/etcd.log"));
    assert!(said.starts_with("error flag-type:"), "{said}");
}

#[test]
fn every_flag_that_may_be_set_takes_a_value_and_no_text_with_a_line_break() {
    for minor in Minor::ALL {
        let latest = EtcdVersion::new(minor, 99);
        for (name, _, standing) in all(latest) {
            let broken = check(latest, name, &text("a\nb"));
            assert!(
                broken.is_err_and(|problem| problem.severity == Severity::Error),
                "{minor} {name}"
            );
            if standing == Standing::Open {
                let fits = |value| match check(latest, name, &value) {
                    Ok(()) => true,
                    Err(problem) => problem.severity == Severity::Warning,
                };
                let samples =
                    [ON, FlagValue::Int(1000), text("1s"), text("*"), text(&word(latest, name))];
                assert!(samples.into_iter().any(fits), "{minor} {name}");
            }
        }
    }
}

proptest! {
    /// Every answer is one line of text without control characters, whatever was asked.
    #[test]
    fn hostile_names_and_values_get_a_clean_answer(
        name in "(--|discovery-|experimental-)?\\PC{0,3}.{0,20}",
        value in ".{0,20}",
    ) {
        for minor in Minor::ALL {
            let asked = check(EtcdVersion::new(minor, 99), &name, &text(&value));
            if let Err(FlagProblem { message, hint, .. }) = asked {
                let said = message + &hint.unwrap_or_default();
                prop_assert!(!said.chars().any(char::is_control), "{said:?}");
            }
        }
    }
}

/// The first word of a choice, or a gate that is on.
fn word(version: EtcdVersion, name: &str) -> String {
    match table::find(version, name).map(|flag| flag.kind) {
        Some(Kind::Choice(words)) => words[0].to_owned(),
        Some(Kind::Gates(gates)) => format!("{}=true", gates[0]),
        _ => String::new(),
    }
}
