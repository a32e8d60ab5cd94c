use std::fs;
use std::path::{Path, PathBuf};

use similar::{ChangeTag, TextDiff};
use yaml_rust2::{Yaml, YamlLoader};

use super::super::*;
use super::wanted;

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 10, "{}", folder.display());
    files
}

fn is_as_reviewed(path: &Path, told: &str) {
    if std::env::var_os("REWRITE").is_some() {
        fs::write(path, told).unwrap();
    }
    let reviewed = fs::read_to_string(path).unwrap_or_default();
    assert!(reviewed == told, "{}: REWRITE=1 rewrites it\n{told}", path.display());
}

/// The lines that differ.
fn diff(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let changed = diff.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            ChangeTag::Equal => return None,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        let line = change.value();
        let end = if line.ends_with('\n') { "" } else { "(no line end)\n" };
        Some(format!("{sign}{}{end}", line.replace('\r', "(CR)")))
    });
    changed.collect()
}

#[test]
fn only_what_is_ours_changes() {
    for (path, text) in files("edited") {
        let manifest = Manifest::read(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let edited =
            manifest.edited(&wanted()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        is_as_reviewed(&path.with_extension("diff"), &diff(&text, &edited));
        assert_eq!(
            without_ours(&text),
            without_ours(&edited),
            "another reader sees a difference: {}",
            path.display()
        );
        let again = Manifest::read(&edited).unwrap();
        assert!(again.says(&wanted()) && !manifest.says(&wanted()));
        assert_eq!(again.edited(&wanted()).unwrap(), edited, "{}", path.display());
    }
}

#[test]
fn what_is_not_understood_is_refused_and_its_line_is_named() {
    for (path, text) in files("refused") {
        let refused = Manifest::read(&text).and_then(|manifest| manifest.edited(&wanted()));
        let why = refused.expect_err(&path.display().to_string());
        is_as_reviewed(&path.with_extension("why"), &format!("{why}\n"));
    }
}

/// A manifest as another library reads it, without our flags, volume and mount.
fn without_ours(text: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1);
    stripped(documents.remove(0))
}

fn stripped(yaml: Yaml) -> Yaml {
    match yaml {
        Yaml::Hash(pairs) => {
            let pairs = pairs.into_iter().map(|(key, value)| (key, stripped(value)));
            let empty = |value: &Yaml| value.as_vec().is_some_and(Vec::is_empty);
            Yaml::Hash(pairs.filter(|(_, value)| !empty(value)).collect())
        }
        Yaml::Array(entries) => {
            let mut kept = Vec::new();
            let mut entries = entries.into_iter().peekable();
            while let Some(entry) = entries.next() {
                let Some(text) = entry.as_str() else {
                    if entry["name"].as_str() != Some(VOLUME) {
                        kept.push(stripped(entry));
                    }
                    continue;
                };
                let is_ours = |name: &String| {
                    let flag = text.replace('_', "-");
                    flag.strip_prefix("--").is_some_and(|flag| {
                        flag.strip_prefix(name.as_str())
                            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
                    })
                };
                if wanted().flags.keys().any(is_ours) {
                    if !text.contains('=') {
                        entries.next();
                    }
                } else {
                    kept.push(entry);
                }
            }
            Yaml::Array(kept)
        }
        other => other,
    }
}
