//! The JSON Schema of the inventory, made from the raw structs.

use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{IncludedFile, InventoryFile};

/// The schema of an inventory file.
pub(crate) fn inventory_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<InventoryFile>);
    &SCHEMA
}

/// The schema of a file that an inventory includes.
pub(crate) fn included_schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<IncludedFile>);
    &SCHEMA
}

/// Draft 07 with every subschema inline: the form that TOML language servers read best.
fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    schema
}

/// Takes out what only says "or null": TOML has no null, and a key that may be left out is said
/// by its absence from `required`.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = &types[..] {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
                branches.retain(|branch| branch.get("type") != Some(&Value::from("null")));
                if let [Value::Object(only)] = &branches[..] {
                    let only = only.clone();
                    map.remove("anyOf");
                    for (key, value) in only {
                        // The field's own description says more than its type's.
                        map.entry(key).or_insert(value);
                    }
                }
            }
            // A default of null or of an empty struct tells a reader nothing.
            if map.get("default").is_some_and(|default| default.is_null() || default.is_object()) {
                map.remove("default");
            }
            map.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}
