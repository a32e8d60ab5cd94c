//! Every story of `tests/scenarios/` gets the answers that are written there.

use std::path::{Path, PathBuf};

use planner::report::FindingCode;
use quorate_tests::scenario::play;

#[test]
fn every_scenario_gets_its_answers() {
    let rewrite = std::env::var_os("REWRITE").is_some();
    let mut files = files();
    files.sort();
    assert!(files.len() > 20, "the folder of scenarios is not where it was: {files:?}");
    let failures: Vec<String> = files.iter().filter_map(|file| play(file, rewrite).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Findings that the world of the scenarios can't make: other tests show them, from facts or from files.
const FROM_FACTS: &[FindingCode] = &[
    FindingCode::ClosedParent,
    FindingCode::FileSystem,
    FindingCode::ForeignDropIn,
    FindingCode::KubeletElsewhere,
    FindingCode::KubeletServes,
    FindingCode::NarrowedBootstrap,
    FindingCode::OldBackup,
    FindingCode::OldOpening,
    FindingCode::Selinux,
    FindingCode::UntriedCertificates,
];

/// A code that no scenario shows is a finding whose text nobody has read.
#[test]
fn every_finding_has_a_scenario() {
    let told: String = files().iter().map(|path| text(path)).collect();
    let is_missing = |code: &FindingCode| !told.contains(&format!("[{code}]"));
    let missing: Vec<FindingCode> = FindingCode::ALL.iter().copied().filter(is_missing).collect();
    assert_eq!(missing, FROM_FACTS);
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(&folder);
    let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some()).collect()
}
