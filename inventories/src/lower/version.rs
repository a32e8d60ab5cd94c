//! etcd versions: which can be run, and which should not.

use crate::escape::escape;
use crate::report::{At, Finding, Report};
use crate::version::{EtcdVersion, Minor, VersionError};

/// Reads a version and says what is known against it.
pub(super) fn read(text: &str, at: &At, report: &mut Report<'_>) -> Option<EtcdVersion> {
    let shown = escape(&text.chars().take(80).collect::<String>());
    match text.parse::<EtcdVersion>() {
        Ok(version) => judge(version, at, report).then_some(version),
        Err(VersionError::Syntax) => {
            report.add(
                Finding::error(
                    "version",
                    at,
                    format!("\"{shown}\" is not the version of a release"),
                )
                .hint(complete(text)),
            );
            None
        }
        Err(VersionError::UnknownMinor) => {
            let finding = if is_older(text) {
                let message =
                    format!("etcd {shown} is not supported as a target: only 3.4 and later are");
                Finding::error("unsupported", at, message)
            } else {
                let message = format!("etcd {shown} is of a line that quorate does not know");
                Finding::error("unknown-minor", at, message)
            };
            let newest = Minor::ALL.map(|minor| EtcdVersion::newest_known(minor).to_string());
            report.add(
                finding.hint(format!(
                    "the known lines and their newest releases: {}",
                    newest.join(", ")
                )),
            );
            None
        }
    }
}

/// False if the version is refused.
fn judge(version: EtcdVersion, at: &At, report: &mut Report<'_>) -> bool {
    let newest = EtcdVersion::newest_known(version.minor());
    let instead = format!("write: version = \"{newest}\"");
    let (minor, patch) = (version.minor(), version.patch());
    if minor == Minor::V3_5 && patch <= 2 {
        let message =
            format!("etcd {version} loses or corrupts data when a member is killed under load");
        report.add(Finding::error("unsafe-version", at, message).hint(instead));
        return false;
    }
    if minor == Minor::V3_5 && patch < 6 {
        let message =
            format!("etcd {version} can become inconsistent between members; 3.5.6 fixed that");
        report.add(Finding::warning("unsafe-version", at, message).hint(instead.clone()));
    }
    if minor == Minor::V3_4 && patch < 22 {
        let message = format!(
            "etcd {version} can become inconsistent when authentication is used; 3.4.22 fixed that"
        );
        report.add(Finding::warning("unsafe-version", at, message).hint(instead));
    }
    if minor == Minor::V3_4 {
        let message =
            "etcd 3.4 is at the end of its life since June 2026: no security fixes are made";
        let hint = format!("plan the way to etcd {}", EtcdVersion::newest_known(Minor::V3_5));
        report.add(Finding::warning("end-of-life", at, message).hint(hint));
    }
    if version > newest {
        let message =
            format!("etcd {version} is newer than the newest release known here, {newest}");
        let hint = "continues as with that release; check the changelog for new or removed flags";
        report.add(Finding::warning("unknown-patch", at, message).hint(hint));
    }
    true
}

/// A whole version for a text that is nearly one.
fn complete(text: &str) -> String {
    let bare = text.trim().trim_start_matches(['v', 'V', '=', '^', '~']);
    if bare.parse::<EtcdVersion>().is_ok() {
        return format!("write: version = \"{bare}\"");
    }
    if bare.contains('-') {
        return "only releases can be run, not candidates".to_owned();
    }
    let of_line = Minor::ALL.into_iter().find(|minor| bare == minor.to_string());
    let example = EtcdVersion::newest_known(of_line.unwrap_or(Minor::V3_6));
    format!("write MAJOR.MINOR.PATCH: version = \"{example}\"")
}

/// Whether a well-formed version is older than every line that can be run.
fn is_older(text: &str) -> bool {
    let mut numbers = text.split('.').map(|part| part.parse::<u64>().unwrap_or(u64::MAX));
    (numbers.next(), numbers.next()) < (Some(3), Some(4))
}
