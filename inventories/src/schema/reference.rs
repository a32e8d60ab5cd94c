//! The reference of the inventory, made from the JSON Schema.

use std::fmt::Write;

use serde_json::Value;

use super::inventory_schema;

const HEAD: &str = "\
# The inventory

One TOML file describes one site: its hosts, the etcd clusters on them, and where software and keys
come from. `quorate validate` checks it without touching a host; `quorate schema` prints its JSON
Schema for editors. Complete inventories: [inventories/examples](../inventories/examples).

This page is made from the types that read the file.

";

const TAIL: &str = "\
## Which setting wins

A host's or cluster's own setting; else the inventory's `[defaults]`; else the `[defaults]` of the
included files, a later file before an earlier one. etcd flags are merged flag by flag, checksums
archive by archive; `release.url` or `release.path` is taken from the first of these files that
has one.

## Limits

A file has at most 1 MiB. Names are DNS labels (`a-z`, `0-9`, `-`, at most 63 characters). No key
takes a secret: CA keys are sealed for `pki.recipients`, and SSH logs in by key.
";

/// The page `docs/inventory.md`.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    table(&mut page, "", inventory_schema());
    page.push_str(TAIL);
    page
}

/// One table of the inventory, and after it the tables in it.
fn table(page: &mut String, path: &str, schema: &Value) {
    let mut keys: Vec<_> = properties(schema).collect();
    if !keys.is_empty() {
        let title = if path.is_empty() { "The file".to_owned() } else { format!("`[{path}]`") };
        let _ = writeln!(page, "## {title}\n\n{}\n", description(schema));
        // What is needed comes first.
        keys.sort_by_key(|(key, _)| !is_required(schema, key));
        page.push_str("| Key | Type | Meaning |\n|---|---|---|\n");
        for (key, value) in &keys {
            let needed = if is_required(schema, key) { " (needed)" } else { "" };
            let meaning = description(value);
            let _ = writeln!(page, "| `{key}`{needed} | {} | {meaning} |", type_of(value));
        }
        page.push('\n');
    }
    for (key, value) in keys {
        let inner = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match elements(value) {
            Some(element) => table(page, &format!("{inner}.NAME"), element),
            None => table(page, &inner, value),
        }
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let map = schema.get("properties").and_then(Value::as_object);
    map.into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// The schema of the values of a table whose keys are names.
fn elements(schema: &Value) -> Option<&Value> {
    schema.get("additionalProperties").filter(|element| element.is_object())
}

fn is_required(schema: &Value, key: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|keys| keys.iter().any(|required| required == key))
}

/// The doc comment, on one line, and the default where it is a value.
fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ").replace('|', "\\|");
    match schema.get("default") {
        Some(default) => format!("{text} Default: `{default}`."),
        None => text,
    }
}

fn type_of(schema: &Value) -> String {
    if let Some(element) = elements(schema) {
        let of = if properties(element).next().is_some() {
            "tables".to_owned()
        } else {
            type_of(element)
        };
        return format!("table of {of}");
    }
    let one = schema.get("type").and_then(Value::as_str);
    let many = schema.get("type").and_then(Value::as_array).into_iter().flatten();
    let names = one.into_iter().chain(many.filter_map(Value::as_str));
    let names: Vec<_> = names
        .map(|name| match name {
            "object" => "table",
            "array" => "list of strings",
            other => other,
        })
        .collect();
    names.join(" or ")
}
