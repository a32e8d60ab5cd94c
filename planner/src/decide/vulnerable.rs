//! Vulnerabilities that the release of a plan leaves open although they are fixed in another one.

use inventories::{EtcdVersion, Minor};

use crate::plan::{Step, StepKind};
use crate::report::{Finding, FindingCode, PlanReport};
use crate::spec::ClusterSpec;

/// A vulnerability, and the first patch of each minor that does not have it.
struct Fixed {
    what: &'static str,
    name: &'static str,
    since: &'static [(Minor, u32)],
}

/// By etcd's advisories and release notes of May and July 2026. What only concerns settings that quorate never renders,
/// such as HTTP on a port of its own, is left out.
const FIXED: &[Fixed] = &[
    Fixed {
        what: "connections that never finish their TLS handshake exhaust a member",
        name: "CVE-2026-73500, GHSA-6vch-q96h-7gc3",
        since: &[(Minor::V3_5, 33), (Minor::V3_6, 14), (Minor::V3_7, 1)],
    },
    Fixed {
        what: "with etcd's own authentication, a watch of one key reveals all keys after it",
        name: "GHSA-xg4h-6gfc-h4m8",
        since: &[(Minor::V3_5, 33), (Minor::V3_6, 14), (Minor::V3_7, 1)],
    },
    Fixed {
        what: "with etcd's own authentication, a transaction reads what its user may not",
        name: "GHSA-x35m-3gp4-4fh5",
        since: &[(Minor::V3_4, 44), (Minor::V3_5, 30), (Minor::V3_6, 11), (Minor::V3_7, 0)],
    },
];

/// Warns where these steps bring a release to a cluster that leaves any of them open.
pub(crate) fn check(cluster: &ClusterSpec, steps: &[Step], report: &mut PlanReport) {
    let installs = |step: &Step| matches!(step.kind, StepKind::InstallRelease { .. });
    let open: Vec<String> = open(cluster.version).collect();
    if open.is_empty() || !steps.iter().any(installs) {
        return;
    }
    let place = cluster.place_of("version");
    let newest = EtcdVersion::newest_known(cluster.version.minor().max(Minor::V3_5));
    report.warnings.push(Finding {
        code: FindingCode::OpenVulnerability,
        host: None,
        cluster: Some(cluster.name.clone()),
        message: format!("etcd {} leaves open: {}", cluster.version, open.join("; ")),
        hint: Some(format!(
            "quorate release pin {newest}, then set version = \"{newest}\" in {}:{}",
            place.file, place.line
        )),
    });
}

fn open(version: EtcdVersion) -> impl Iterator<Item = String> {
    FIXED.iter().filter_map(move |Fixed { what, name, since }| {
        let fixed = since.iter().find(|(minor, _)| *minor == version.minor());
        match fixed {
            Some((_, patch)) if version.patch() >= *patch => None,
            Some((minor, patch)) => Some(format!("{what} ({name}, fixed in {minor}.{patch})")),
            None => Some(format!("{what} ({name}, not fixed in etcd {})", version.minor())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_releases_of_supported_minors_leave_nothing_open() {
        for minor in [Minor::V3_5, Minor::V3_6, Minor::V3_7] {
            assert_eq!(open(EtcdVersion::newest_known(minor)).count(), 0, "{minor}");
        }
    }

    #[test]
    fn an_older_patch_names_the_first_that_is_fixed() {
        let told = |version: &str| open(version.parse().expect("a release")).collect::<Vec<_>>();
        assert_eq!(told("3.5.33").len(), 0);
        let [handshake, watch] = &told("3.5.32")[..] else { panic!("two") };
        assert!(handshake.contains("CVE-2026-73500") && handshake.ends_with("fixed in 3.5.33)"));
        assert!(watch.contains("GHSA-xg4h-6gfc-h4m8"));
        assert_eq!(told("3.6.10").len(), 3);
        assert!(told("3.4.45")[0].ends_with("not fixed in etcd 3.4)"));
        assert_eq!(told("3.4.45").len(), 2);
    }
}
