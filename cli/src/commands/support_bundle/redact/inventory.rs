//! An inventory by its structure: what may be a secret there is known by where it stands.

use toml::{Table, Value};

use super::names::is_secret;
use super::urls::only_hosts;
use super::{REMOVED, redacted};

/// The text of an inventory without what may be a secret: the arguments of hooks, all of a URL but its host, and what
/// is called a secret. Comments are left out, as nothing says what is in them. `None` where it is not TOML.
pub(in super::super) fn without_values(text: &str) -> Option<String> {
    let mut table: Table = text.parse().ok()?;
    if let Some(hooks) = table.get_mut("hooks") {
        without_arguments(hooks);
    }
    for (name, value) in &mut table {
        clean(name, value, false);
    }
    Some(redacted(&toml::to_string_pretty(&table).ok()?))
}

/// Which programs are run, and not with what.
fn without_arguments(hooks: &mut Value) {
    match hooks {
        Value::Table(table) => table.iter_mut().for_each(|(_, hook)| without_arguments(hook)),
        Value::Array(words) => words.iter_mut().skip(1).for_each(remove),
        _ => {}
    }
}

fn remove(value: &mut Value) {
    *value = Value::String(REMOVED.to_owned());
}

fn clean(name: &str, value: &mut Value, in_secret: bool) {
    let in_secret = in_secret || is_secret(name);
    match value {
        Value::Table(table) => {
            table.iter_mut().for_each(|(name, value)| clean(name, value, in_secret));
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| clean(name, value, in_secret));
        }
        Value::String(_) if in_secret => remove(value),
        Value::String(text) => *text = only_hosts(text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_inventory_holds_is_judged_by_where_it_stands() {
        let text = r#"
# s3cr3t
site = { name = "lab" }
mirror = "https://u:s3,cr3t@mirror.example:8443/s3cr3t/x?sig=s3cr3t"
tokens = [
  "s3cr3t",
  "s3cr3t",
]
note = """
password is
  at https://note.example/s3cr3t
"""
[hooks]
before-apply = ["./notify", "--to", "s3cr3t",
  "s3cr3t"]
[clusters.main]
hosts = ["etcd-1"]
"#;
        let said = without_values(text).unwrap();
        let kept = ["./notify", "mirror.example:8443", "[clusters.main]", "etcd-1", "lab"];
        assert!(kept.iter().all(|kept| said.contains(kept)), "{said}");
        assert!(!said.contains("cr3t"), "{said}");
        assert_eq!(without_values("[hooks"), None);
    }
}
