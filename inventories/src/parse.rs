//! Texts in, inventory or diagnostics out.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Severity};
use crate::flag::FlagChecks;
use crate::inventory::Inventory;
use crate::lower;
use crate::report::{At, Finding, Report};
use crate::schema::{IncludedFile, InventoryFile, included_schema, inventory_schema};
use crate::source::Source;
use crate::structure;
use crate::syntax;

/// What came of reading an inventory.
#[derive(Debug)]
pub struct Parsed {
    /// The inventory, unless there is an error.
    pub inventory: Option<Inventory>,
    /// Everything that is wrong or worth a look, by file and place. At most 100 errors.
    pub diagnostics: Vec<Diagnostic>,
}

/// A file that an inventory includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncludeRef {
    /// The path as it is written: relative to the inventory's own folder, or absolute.
    pub path: String,
    /// The bytes of the inventory where it is written.
    pub span: Range<usize>,
}

/// Reads an inventory and the files that it includes.
///
/// `included` are the files of [`includes`], in that order, as far as they could be read: settings
/// of `main` win over theirs, and those of a later file over those of an earlier one. `flag_checks`
/// are asked about every flag.
pub fn parse(main: &Source, included: &[Source], flag_checks: FlagChecks) -> Parsed {
    let (inventory, diagnostics) = checked(main, included, flag_checks);
    Parsed::new(inventory, diagnostics)
}

/// The same for a command that installs nothing, such as `quorate trust`: a checksum that is not pinned yet is only a
/// warning.
pub fn parse_unpinned(main: &Source, included: &[Source], flag_checks: FlagChecks) -> Parsed {
    let (inventory, mut diagnostics) = checked(main, included, flag_checks);
    for found in diagnostics.iter_mut().filter(|found| found.code == lower::UNPINNED) {
        found.severity = Severity::Warning;
    }
    Parsed::new(inventory, diagnostics)
}

impl Parsed {
    fn new(inventory: Option<Inventory>, diagnostics: Vec<Diagnostic>) -> Self {
        let usable = diagnostics.iter().all(|found| found.severity == Severity::Warning);
        Self { inventory: inventory.filter(|_| usable), diagnostics }
    }
}

/// The inventory as far as it could be read, and what is wrong with it.
fn checked(
    main: &Source,
    included: &[Source],
    flag_checks: FlagChecks,
) -> (Option<Inventory>, Vec<Diagnostic>) {
    let mut report = Report::new(std::iter::once(main).chain(included));
    let files = lower::Files {
        main: read::<InventoryFile>(0, main, inventory_schema(), &mut report),
        included: (1..)
            .zip(included)
            .map(|(file, source)| {
                read::<IncludedFile>(file, source, included_schema(), &mut report)
            })
            .collect(),
    };
    let inventory = lower::inventory(&files, flag_checks, &mut report);
    (inventory, report.finish())
}

/// The files that an inventory includes, for the caller to read before [`parse`]. What is wrong
/// with the list itself is said by `parse`.
pub fn includes(main: &Source) -> Vec<IncludeRef> {
    let mut unheard = Report::new([main]);
    let file: InventoryFile = read(0, main, inventory_schema(), &mut unheard);
    let paths = file.include.into_iter().flatten();
    let usable = paths.filter(|path| !path.is_empty() && !path.chars().any(char::is_control));
    usable.map(|path| IncludeRef { path: path.value().clone(), span: path.span() }).collect()
}

/// The diagnostic for an included file that could not be read; `reason` is the system's.
pub fn unreadable_include(main: &Source, include: &IncludeRef, reason: &str) -> Diagnostic {
    let report = Report::new([main]);
    let at = At::new(0, include.span.clone());
    let message = format!("the included file cannot be read: {reason}");
    let hint = "paths are relative to the folder of the file that includes";
    report.only(Finding::error("include", &at, message).hint(hint))
}

/// Reads one file as far as it can be read. What cannot is reported and left out.
fn read<T: DeserializeOwned + Default>(
    file: usize,
    source: &Source,
    schema: &Value,
    report: &mut Report<'_>,
) -> T {
    let Some(mut table) = syntax::parse(file, source, report) else { return T::default() };
    structure::check(file, table.get_mut(), schema, report);
    T::deserialize(toml::de::Deserializer::from(table)).unwrap_or_else(|error| {
        // The structure fits by now, so this is a key that the schema describes wrongly.
        let at = At::new(file, error.span().unwrap_or(0..0));
        report.add(Finding::error("structure", &at, error.message().to_owned()));
        T::default()
    })
}
