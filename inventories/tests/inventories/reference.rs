//! The inventory's reference and its JSON Schema come from the types that read it.

use std::path::Path;

#[test]
fn the_reference_in_docs_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/inventory.md");
    let generated = inventories::reference();
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == generated, "docs/inventory.md is out of date: REWRITE=1 generates it again");
}

#[test]
fn the_schema_is_draft_07_without_references() {
    let schema = inventories::json_schema();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    let text = schema.to_string();
    assert!(!text.contains("$ref") && !text.contains("\"null\""), "{text}");
    let host = &schema["properties"]["hosts"]["additionalProperties"];
    assert_eq!(host["additionalProperties"], false);
    assert_eq!(host["required"], serde_json::json!(["address"]));
}
