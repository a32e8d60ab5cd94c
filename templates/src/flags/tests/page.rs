//! `docs/flags.md`: which flags of etcd the inventory can't set, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use inventories::{EtcdVersion, Minor};

use crate::flags::{Standing, all};

const HEAD: &str = "\
# Flags of etcd that the inventory can't set

[`[clusters.NAME.etcd]`](inventory.md) takes every other flag that the version knows. A test makes this page from the
table that quorate checks flags with.

";

/// Flags by the reason that they have in common.
type Reasons = BTreeMap<&'static str, BTreeSet<&'static str>>;

fn generated() -> String {
    let (mut owned, mut unsupported, mut fixed) = (Reasons::new(), Reasons::new(), Reasons::new());
    for minor in Minor::ALL {
        for (name, _, standing) in all(EtcdVersion::newest_known(minor)) {
            let (reasons, reason) = match standing {
                Standing::Open => continue,
                Standing::Owned(reason) => (&mut owned, reason),
                Standing::Unsupported(reason) => (&mut unsupported, reason),
                Standing::Only(_, reason) => (&mut fixed, reason),
            };
            reasons.entry(reason).or_default().insert(name);
        }
    }
    let mut page = HEAD.to_owned();
    for (title, reasons) in [
        ("quorate sets these", &owned),
        ("Nobody sets these", &unsupported),
        ("These have one value", &fixed),
    ] {
        page += &format!("## {title}\n\n| Flags | Why, or what to use instead |\n|---|---|\n");
        for (reason, flags) in reasons {
            let flags: Vec<String> = flags.iter().map(|flag| format!("`{flag}`")).collect();
            // A reader of Markdown would take it for a tag.
            let reason = reason.replace('<', "&lt;");
            page += &format!("| {} | {reason} |\n", flags.join(", "));
        }
        page.push('\n');
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}

#[test]
fn the_page_in_docs_lists_every_flag_that_is_not_the_operators() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/flags.md");
    let generated = generated();
    if std::env::var_os("REWRITE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == generated, "docs/flags.md is out of date: REWRITE=1 generates it again");
}
