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

/// Whatever the planner can find is told in some story.
#[test]
fn every_finding_has_a_scenario() {
    let told: String = files().iter().map(|path| text(path)).collect();
    let planner = Path::new(env!("CARGO_MANIFEST_DIR")).join("../planner/src/decide");
    let sources = ["archives.rs", "identity.rs", "planner.rs", "preflight.rs", "preflight/host.rs"];
    let sources = sources.iter().chain(&["preflight/network.rs", "roll.rs"]);
    let missing: Vec<String> = sources
        .flat_map(|file| codes(&text(&planner.join(file))))
        .filter(|code| !told.contains(&format!("[{code}]")))
        .collect();
    assert!(missing.is_empty(), "no scenario tells of {missing:?}");
}

/// The codes of findings in a source file: what stands before a message.
fn codes(source: &str) -> Vec<String> {
    let one_line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut codes = Vec::new();
    for (start, _) in one_line.match_indices('"') {
        let Some((word, after)) = one_line[start + 1..].split_once('"') else { continue };
        let is_word = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && word.len() > 3;
        let before = &one_line[..start];
        let opens = ["code: ", "finding( ", "finding(", "block( ", "block(", "warn( ", "warn("];
        let opens = opens.iter().any(|open| before.ends_with(open));
        let cluster_wide = [", ", "( "].iter().any(|sign| before.ends_with(sign))
            && [", format!(", ", message", ", problem"].iter().any(|next| after.starts_with(next));
        if is_word && (opens || cluster_wide) {
            codes.push(word.to_owned());
        }
    }
    codes
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
