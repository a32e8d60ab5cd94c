//! The seeded bugs fit the code of today. Whether they are caught is `./dev mutants`.

use std::fs;
use std::path::{Path, PathBuf};

use quorate_tests::mutants::{Catcher, Mutant, all};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn mutants() -> Vec<Mutant> {
    all(&root()).unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn every_mutant_fits_the_code() {
    for mutant in mutants() {
        let text = fs::read_to_string(root().join(&mutant.file)).unwrap();
        mutant.applied(&text).unwrap_or_else(|why| panic!("{why}: adapt it in tests/mutants"));
    }
}

#[test]
fn every_catcher_is_a_test_below_the_lab() {
    for mutant in mutants() {
        let Catcher { package, target, test } = &mutant.catcher;
        let folder = match package.as_str() {
            "quorate" => root().join("cli"),
            "engine" | "remote" => root().join("cli").join(package),
            "quorate-tests" => root().join("tests"),
            package => root().join(package),
        };
        assert_ne!(target, "lab", "{}", mutant.name);
        let found = match target.as_str() {
            "lib" => holds(&folder.join("src"), test),
            target => {
                let tests = folder.join("tests");
                holds(&tests.join(format!("{target}.rs")), test) || holds(&tests.join(target), test)
            }
        };
        assert!(found, "{}: {package} {target} has no test {test}", mutant.name);
    }
}

/// Whether a file, or a file below a folder, holds a function of this name.
fn holds(path: &Path, test: &str) -> bool {
    let Ok(entries) = fs::read_dir(path) else {
        let text = fs::read_to_string(path).unwrap_or_default();
        return text.contains(&format!("fn {test}("));
    };
    entries.filter_map(Result::ok).any(|entry| holds(&entry.path(), test))
}
