//! The examples that users copy are inventories without a mistake.

use inventories::inventory::FlagValue;
use inventories::{EtcdVersion, FlagProblem, Source, parse};

fn any_flag(_: EtcdVersion, _: &str, _: &FlagValue) -> Result<(), FlagProblem> {
    Ok(())
}

#[test]
fn every_example_parses() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let source =
            Source::new(path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        let parsed = parse(&source, &[], any_flag);
        let shown = inventories::diagnostic::render_all(
            &parsed.diagnostics,
            inventories::diagnostic::Colour::Never,
        );
        assert!(parsed.inventory.is_some(), "{shown}");
        assert_eq!(shown, "");
    }
}
