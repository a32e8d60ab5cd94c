//! Writes what was learnt into an inventory's text: host key pins, release checksums. Comments,
//! order and spaces of everything else stay as they are.
//!
//! The text may have mistakes elsewhere; only what is in the way of the edit is an error.

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use crate::escape::escape;
use crate::inventory::{Arch, HostKeyPin};
use crate::names::HostName;
use crate::version::EtcdVersion;

/// Why an inventory's text cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not TOML.
    #[error("the inventory is not valid TOML")]
    Syntax,
    /// The host is not declared in this text.
    #[error("the inventory declares no host \"{0}\"")]
    UnknownHost(HostName),
    /// Something other than a table stands where a table is needed.
    #[error("`{0}` is not a table in the inventory")]
    NotATable(String),
}

/// Sets the pins of a host's SSH key: `ssh.host-key`, one text or a list.
pub fn set_host_key_pins(
    text: &str,
    host: &HostName,
    pins: &[HostKeyPin],
) -> Result<String, EditError> {
    let mut document = parse(text)?;
    let hosts = document.get_mut("hosts").ok_or_else(|| EditError::UnknownHost(host.clone()))?;
    let hosts = hosts.as_table_like_mut().ok_or_else(|| not_a_table("hosts"))?;
    let declared =
        hosts.get_mut(host.as_str()).ok_or_else(|| EditError::UnknownHost(host.clone()))?;
    let host_path = format!("hosts.{host}");
    let table = declared.as_table_like_mut().ok_or_else(|| not_a_table(&host_path))?;
    let ssh = child(table, "ssh", &host_path, Shape::Dotted)?;
    let value = match pins {
        [pin] => Value::from(pin.as_str()),
        _ => Value::Array(pins.iter().map(HostKeyPin::as_str).collect::<Array>()),
    };
    set(ssh, "host-key", value);
    Ok(document.to_string())
}

/// Sets the checksum of a release archive; `sha256` is in hexadecimal.
pub fn set_release_sha256(
    text: &str,
    version: EtcdVersion,
    arch: Arch,
    sha256: &str,
) -> Result<String, EditError> {
    let mut document = parse(text)?;
    let release = child(document.as_table_mut(), "release", "release", Shape::Implicit)?;
    let digests = child(release, "sha256", "release.sha256", Shape::Header)?;
    set(digests, &format!("{version}-{}", arch.as_str()), Value::from(sha256));
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut, EditError> {
    if text.len() > crate::MAX_BYTES || crate::syntax::is_too_deep(text) {
        return Err(EditError::Syntax);
    }
    text.parse().map_err(|_| EditError::Syntax)
}

fn not_a_table(path: &str) -> EditError {
    EditError::NotATable(escape(path))
}

/// How a table is written that does not exist yet.
#[derive(Clone, Copy)]
enum Shape {
    /// `ssh.host-key = …` in the table around it.
    Dotted,
    /// A header of its own: `[release.sha256]`.
    Header,
    /// Only by the headers of the tables in it.
    Implicit,
}

fn child<'t>(
    parent: &'t mut dyn TableLike,
    key: &str,
    path: &str,
    shape: Shape,
) -> Result<&'t mut dyn TableLike, EditError> {
    if !parent.contains_key(key) {
        let mut table = Table::new();
        table.set_dotted(matches!(shape, Shape::Dotted));
        table.set_implicit(matches!(shape, Shape::Implicit));
        if matches!(shape, Shape::Header) {
            table.decor_mut().set_prefix("\n");
        }
        parent.insert(key, Item::Table(table));
    }
    let table = parent.get_mut(key).and_then(Item::as_table_like_mut);
    table.ok_or_else(|| not_a_table(path))
}

/// Sets a value; a comment behind the old one stays.
fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    match table.get_mut(key) {
        Some(item) => *item = Item::Value(value),
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

#[cfg(test)]
mod tests;
