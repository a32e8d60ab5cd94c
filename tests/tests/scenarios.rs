//! Every story of `tests/scenarios/` gets the answers that are written there.

use std::path::{Path, PathBuf};

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

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(&folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).collect()
}
