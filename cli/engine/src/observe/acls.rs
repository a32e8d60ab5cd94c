//! Whom access control lists let into the directories above a member's, as `getfacl` shows them.

use std::collections::{BTreeMap, BTreeSet};

use super::records::Records;

/// The accounts and groups by name that may enter a directory, by its path.
pub(super) fn entered(records: &Records) -> BTreeMap<String, BTreeSet<String>> {
    let said = records.text("acls").unwrap_or_default();
    said.split("\n\n").filter_map(of_directory).collect()
}

/// `user:etcd:--x`, `group:etcd:r-x`, `mask::r-x` behind `# file: PATH`. The mask limits all that is named.
fn of_directory(block: &str) -> Option<(String, BTreeSet<String>)> {
    let path = block.lines().find_map(|line| line.strip_prefix("# file: "))?;
    let entries: Vec<Vec<&str>> = block
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(':').collect())
        .collect();
    let enters = |rights: &str| rights.chars().nth(2) == Some('x');
    let is_masked =
        entries.iter().any(|entry| matches!(entry[..], ["mask", "", rights] if !enters(rights)));
    let named = entries.iter().filter_map(|entry| match entry[..] {
        ["user", name, rights] if !name.is_empty() && enters(rights) => Some(name.to_owned()),
        _ => None,
    });
    let named = if is_masked { BTreeSet::new() } else { named.collect() };
    Some((path.to_owned(), named))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &str) -> BTreeMap<String, BTreeSet<String>> {
        let reply = format!("acls {}\n{said}\n", said.len());
        entered(&Records::parse(reply.as_bytes()).unwrap())
    }

    #[test]
    fn who_may_enter_is_who_is_named_with_the_right_and_not_masked() {
        let list = |entries: &str| {
            format!(
                "# file: /var/lib/etcd\n# owner: root\n# group: root\nuser::rwx\n{entries}group::r-x\nother::---\n"
            )
        };
        let names = |said: &str| read(said).remove("/var/lib/etcd").unwrap();
        let etcd = BTreeSet::from(["etcd".to_owned()]);
        assert_eq!(names(&list("user:etcd:--x\nmask::r-x\n")), etcd);
        assert_eq!(names(&list("user:etcd:--x\n")), etcd);
        for none in
            ["", "user:etcd:rw-\n", "user:etcd:--x\nmask::r--\n", "user:etcd\n", "user:etcd:--t\n"]
        {
            assert!(names(&list(none)).is_empty(), "{none}");
        }
        let two =
            format!("{}\n{}", list("user:etcd:--x\n"), list("").replace("/var/lib/etcd", "/srv"));
        assert_eq!(read(&two).len(), 2);
        assert!(read("").is_empty() && read("garbage").is_empty());
    }
}
