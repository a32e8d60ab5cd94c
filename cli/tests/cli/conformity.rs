//! Whether a JSON value is as its schema says, and holds no key that the schema does not tell of.
//!
//! Schemas allow unknown keys, for readers must; what we print ourselves has to be written down. No
//! validator says that, and ours needs only the words that our own schemas use.

use std::collections::BTreeSet;

use serde_json::Value;

/// What is wrong with the value, with its place.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    strict(schema, schema, value, "")
}

fn strict(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let known = matches(root, schema, value, at)?;
    let keys = value.as_object().into_iter().flat_map(|map| map.keys());
    match keys.into_iter().find(|key| !known.contains(*key)) {
        Some(key) => Err(format!("{at}/{key} is not in the schema")),
        None => Ok(()),
    }
}

/// The keys of `value` that `schema` tells of.
fn matches(
    root: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
) -> Result<BTreeSet<String>, String> {
    let mut known = BTreeSet::new();
    let Value::Object(words) = schema else { return Err(format!("{at}: the schema is {schema}")) };
    for (word, says) in words {
        match word.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" | "minimum"
            | "maximum" => {}
            "$ref" => {
                let pointer = says.as_str().unwrap().trim_start_matches('#');
                known.extend(matches(root, root.pointer(pointer).unwrap(), value, at)?);
            }
            "type" => {
                let allowed = match says {
                    Value::Array(types) => types.iter().any(|name| is(value, name)),
                    name => is(value, name),
                };
                if !allowed {
                    return Err(format!("{at} is {value}, not {says}"));
                }
            }
            "const" if says != value => return Err(format!("{at} is {value}, not {says}")),
            "enum" if !says.as_array().unwrap().contains(value) => {
                return Err(format!("{at} is {value}, not of {says}"));
            }
            "const" | "enum" => {}
            "required" => {
                let missing = |key: &&Value| value.get(key.as_str().unwrap()).is_none();
                if let Some(key) = says.as_array().unwrap().iter().find(missing) {
                    return Err(format!("{at} lacks {key}"));
                }
            }
            "properties" => {
                for (key, schema) in says.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        strict(root, schema, value, &format!("{at}/{key}"))?;
                        known.insert(key.clone());
                    }
                }
            }
            "additionalProperties" => {
                let named = schema.get("properties");
                for (key, value) in value.as_object().into_iter().flatten() {
                    if named.and_then(|named| named.get(key)).is_none() {
                        strict(root, says, value, &format!("{at}/{key}"))?;
                        known.insert(key.clone());
                    }
                }
            }
            "items" => {
                for (number, value) in value.as_array().into_iter().flatten().enumerate() {
                    strict(root, says, value, &format!("{at}/{number}"))?;
                }
            }
            "anyOf" | "oneOf" => {
                let branches = says.as_array().unwrap();
                let (fits, wrong): (Vec<_>, Vec<_>) = branches
                    .iter()
                    .map(|branch| matches(root, branch, value, at))
                    .partition(Result::is_ok);
                if fits.is_empty() || (word == "oneOf" && fits.len() > 1) {
                    return Err(format!("{at} fits {} of {word}: {wrong:?}", fits.len()));
                }
                known.extend(fits.into_iter().flatten().flatten());
            }
            other => return Err(format!("{at}: the schema says {other}, which is not checked")),
        }
    }
    Ok(known)
}

fn is(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
