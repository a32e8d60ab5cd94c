//! Compares a file's tables with the JSON Schema of the raw structs: unknown keys, wrong types,
//! missing keys. What does not fit is reported and taken out, so that the rest can still be read
//! and its own mistakes be told in the same run.

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use crate::escape::escape;
use crate::report::{At, Finding, Report};
use crate::secret;
use crate::suggest::closest;

mod advice;

/// Checks one file, and leaves in `table` only what fits `schema`.
pub(crate) fn check(file: usize, table: &mut DeTable<'_>, schema: &Value, report: &mut Report<'_>) {
    let mut walk = Walk { file, report, path: Vec::new() };
    walk.table(table, &At::new(file, 0..0), schema);
}

struct Walk<'r, 'a> {
    file: usize,
    report: &'r mut Report<'a>,
    path: Vec<String>,
}

impl Walk<'_, '_> {
    fn table(&mut self, table: &mut DeTable<'_>, at: &At, schema: &Value) {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let others = schema.get("additionalProperties").filter(|schema| schema.is_object());
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            let misspelt = |key: &Spanned<DeString<'_>>| {
                !properties.contains_key(&**key.get_ref())
                    && closest(key.get_ref(), properties.keys().map(String::as_str)) == Some(name)
            };
            if !table.contains_key(name) && !table.keys().any(misspelt) {
                self.missing(name, at);
            }
        }
        for (key, mut value) in std::mem::take(table) {
            let name = key.get_ref().to_string();
            let Some(schema) = properties.get(&name).or(others) else {
                self.unknown(&key, &value, properties);
                continue;
            };
            let at = At::new(self.file, key.span());
            self.path.push(name);
            if self.value(&mut value, &at, schema) {
                table.insert(key, value);
            } else {
                self.note_hole(None);
            }
            self.path.pop();
        }
    }

    /// Checks a value that stands at the key `at`; false if it has to go.
    fn value(&mut self, value: &mut Spanned<DeValue<'_>>, at: &At, schema: &Value) -> bool {
        let here = At::new(self.file, value.span());
        let fits = allowed(schema).any(|name| name == json_type(value.get_ref()));
        if !fits {
            self.mistyped(value, &here, schema);
            return false;
        }
        match value.get_mut() {
            DeValue::Table(table) => self.table(table, at, schema),
            DeValue::Array(items) => {
                let Some(schema) = schema.get("items") else { return true };
                for mut item in std::mem::replace(items, DeArray::new()) {
                    let at = At::new(self.file, item.span());
                    if self.value(&mut item, &at, schema) {
                        items.push(item);
                    } else {
                        self.note_hole(None);
                    }
                }
            }
            DeValue::Integer(number)
                if i64::from_str_radix(number.as_str(), number.radix()).is_err() =>
            {
                let message = format!("the number of `{}` does not fit into 64 bits", self.key());
                self.report.add(Finding::error("number-too-large", &here, message));
                return false;
            }
            _ => {}
        }
        true
    }

    /// Something at the current path, or at a key below it, is taken out.
    fn note_hole(&mut self, key: Option<&str>) {
        let path = self.path.iter().map(String::as_str).chain(key).collect::<Vec<_>>();
        self.report.add_hole(&path);
    }

    fn missing(&mut self, name: &str, at: &At) {
        let (message, hint) = advice::missing(&self.path, name);
        self.report.add(Finding::error("missing-key", at, message).hint(hint).about_absence());
    }

    fn unknown(
        &mut self,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        known: &Map<String, Value>,
    ) {
        let name = key.get_ref();
        let at = At::new(self.file, key.span());
        if secret::names_a_secret(name) {
            self.report.hide(&At::new(self.file, value.span()));
        }
        self.note_hole(Some(name));
        if let Some((code, message, hint)) = advice::unsupported(&self.path, name) {
            self.report.add(Finding::error(code, &at, message).hint(hint));
            return;
        }
        let table = if self.path.is_empty() {
            "the file".to_owned()
        } else {
            format!("[{}]", self.path.join("."))
        };
        let meant = closest(name, known.keys().map(String::as_str));
        if meant.is_some() {
            self.note_hole(meant);
        }
        let hint = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => format!("{table} has no keys"),
            None => {
                let keys = known.keys().map(|key| format!("`{key}`")).collect::<Vec<_>>();
                format!("{table} may have {}", keys.join(", "))
            }
        };
        let message = format!("unknown key `{}` in {}", escape(name), escape(&table));
        self.report.add(Finding::error("unknown-key", &at, message).hint(hint));
    }

    fn mistyped(&mut self, value: &Spanned<DeValue<'_>>, at: &At, schema: &Value) {
        let key = self.key();
        let expected = allowed(schema).map(in_words).collect::<Vec<_>>();
        let found = in_words(value.get_ref().type_str());
        let finding = Finding::error(
            "wrong-type",
            at,
            format!("`{}` has to be {}, not {found}", escape(&key), alternatives(&expected)),
        );
        let hint = advice::mistyped(&self.path, value.get_ref(), &mut allowed(schema));
        self.report.add(finding.maybe_hint(hint));
    }

    fn key(&self) -> String {
        self.path.join(".")
    }
}

/// `a, b or c`.
fn alternatives(words: &[&str]) -> String {
    match words {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        _ => words.concat(),
    }
}

/// The JSON types that a schema allows.
fn allowed(schema: &Value) -> impl Iterator<Item = &str> {
    let one = schema.get("type").and_then(Value::as_str);
    let many = schema.get("type").and_then(Value::as_array);
    one.into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str))
}

fn json_type(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Boolean(_) => "boolean",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
        DeValue::Float(_) => "float",
        DeValue::Datetime(_) => "datetime",
    }
}

/// A type of TOML or JSON, for people.
fn in_words(name: &str) -> &'static str {
    match name {
        "string" => "a text in quotes",
        "integer" => "a whole number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" | "table" => "a table",
        "float" => "a number with a fraction",
        _ => "a date or time",
    }
}
