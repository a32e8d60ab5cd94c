//! What users see of an inventory: accepted examples, mistakes and what is said about them.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod bounds;
mod examples;
mod flags;
mod hostile;
mod merging;
mod mistakes;
mod reference;
