//! The texts of an inventory, as the caller read them.

/// The largest inventory file that is looked at, in bytes.
///
/// A site of a thousand hosts is a tenth of this. The limit is checked before anything else, so
/// that a wrong path (a disk image, a log) is refused at once and costs no memory.
pub const MAX_BYTES: usize = 1024 * 1024;

/// One inventory file: its name as the operator gave it, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's name, for diagnostics and for "why" lines. It is never opened.
    pub name: String,
    /// The file's content.
    pub text: String,
}

impl Source {
    /// A file of this name and content.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}
