//! Names that are not DNS labels.

use crate::escape::{escape, odd_character};
use crate::report::{At, Finding};

/// The finding about a name that is not a DNS label; `what` is what it names.
pub(super) fn refused(what: &str, name: &str, at: &At) -> Finding {
    let shown: String = name.chars().take(80).collect();
    let finding =
        Finding::error("name", at, format!("{what} \"{}\" is not a DNS label", escape(&shown)))
            .hint("1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit");
    if let Some(odd) = odd_character(name) {
        return finding.label(format!("{odd} is not a plain letter"));
    }
    match repaired(name) {
        Some(better) => finding.hint(format!("write: {better}")),
        None => finding,
    }
}

/// The label that was probably meant.
pub(super) fn repaired(name: &str) -> Option<String> {
    let better: String = name.to_lowercase().replace(['_', '.', ' '], "-");
    (better != name && crate::HostName::new(&better).is_ok()).then_some(better)
}
