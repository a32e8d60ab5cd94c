//! The examples that users copy are inventories without a mistake.

use std::path::Path;

use inventories::diagnostic::{Colour, render_all};
use inventories::{Source, parse};

use crate::flags;

#[test]
fn every_example_parses_without_a_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        let source = Source::new(name, std::fs::read_to_string(&path).unwrap());
        let parsed = parse(&source, &[], flags::CHECKS);
        assert_eq!(render_all(&parsed.diagnostics, Colour::Never), "");
        assert!(parsed.inventory.is_some(), "{}", source.name);
    }
}
