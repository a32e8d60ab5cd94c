//! One file a kind of mistake, and beside it what is said about it. `REWRITE=1` writes the answers
//! again; read every one that changes.

use std::fs;
use std::path::{Path, PathBuf};

use inventories::diagnostic::{Colour, render_all};
use inventories::{Severity, Source, includes, parse};

use crate::flags;

/// A screen: what is longer is not read.
const MOST_LINES: usize = 100;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_inventory = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.ends_with(".toml") && !name.ends_with(".included.toml")
    };
    let mut files: Vec<_> = entries.filter(is_inventory).collect();
    files.sort();
    files
}

fn sources(path: &Path) -> (Source, Vec<Source>) {
    let main = Source::new("quorate.toml", fs::read_to_string(path).unwrap());
    let beside = path.with_extension("included.toml");
    let included = includes(&main).into_iter();
    let included =
        included.map(|include| Source::new(include.path, fs::read_to_string(&beside).unwrap()));
    let included = included.collect();
    (main, included)
}

#[test]
fn every_mistake_is_answered_as_written_beside_it() {
    let rewrite = std::env::var_os("REWRITE").is_some();
    let mut wrong = Vec::new();
    for path in files() {
        let (main, included) = sources(&path);
        let parsed = parse(&main, &included, flags::CHECKS);
        let said = render_all(&parsed.diagnostics, Colour::Never);
        assert!(!said.is_empty(), "{} has no mistake", path.display());
        assert!(said.lines().count() <= MOST_LINES, "{} says too much", path.display());
        let is_error = |found: &inventories::Diagnostic| found.severity == Severity::Error;
        assert_eq!(parsed.inventory.is_none(), parsed.diagnostics.iter().any(is_error));
        let answer = path.with_extension("txt");
        if rewrite {
            fs::write(&answer, said).unwrap();
        } else if fs::read_to_string(&answer).unwrap_or_default() != said {
            wrong.push(format!("{}\n{said}", answer.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_answer_repeats_a_secret() {
    for path in files() {
        let (main, included) = sources(&path);
        let parsed = parse(&main, &included, flags::CHECKS);
        let said = render_all(&parsed.diagnostics, Colour::Always);
        let json = serde_json::to_string(&parsed.diagnostics).unwrap();
        for secret in ["hunter2", "AGE-SECRET-KEY"] {
            assert!(!said.contains(secret), "{}:\n{said}", path.display());
            assert!(!json.contains(secret), "{}:\n{json}", path.display());
        }
    }
}

#[test]
fn every_answer_can_be_printed_on_any_terminal() {
    for path in files() {
        let (main, included) = sources(&path);
        let said = render_all(&parse(&main, &included, flags::CHECKS).diagnostics, Colour::Never);
        let obeyed = said.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
        assert_eq!(obeyed, None, "{}:\n{said}", path.display());
    }
}

#[test]
fn the_json_form_has_places_and_excerpts() {
    let main = Source::new("quorate.toml", "[site]\n\"näme\" = \"prod\"\n");
    let parsed = parse(&main, &[], flags::CHECKS);
    let found = parsed.diagnostics.iter().find(|found| found.code == "unknown-key").unwrap();
    let expected = serde_json::json!({
        "severity": "error",
        "code": "unknown-key",
        "summary": "unknown key `näme` in [site]",
        "detail": "did you mean `name`?",
        "range": {
            "filename": "quorate.toml",
            "start": { "line": 2, "column": 1, "byte": 7 },
            "end": { "line": 2, "column": 7, "byte": 14 },
        },
        "snippet": {
            "context": null,
            "code": "\"näme\" = \"prod\"",
            "start_line": 2,
            "highlight_start_offset": 0,
            "highlight_end_offset": 7,
        },
    });
    assert_eq!(serde_json::to_value(found).unwrap(), expected);
}
