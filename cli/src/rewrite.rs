//! Changing a text on disk, mostly the inventory's: all of the new text, or none of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use inventories::edit::EditError;

use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::site::read_text;

/// Edits an inventory. Comments and order are the editing function's care; the file keeps its mode.
pub fn rewrite(
    path: &Path,
    edit: impl FnOnce(&str) -> Result<String, EditError>,
) -> Result<(), CliError> {
    let doing = || format!("cannot change {}", path.display());
    let failed = |error: io::Error| CliError::failed(ErrorContext::new(doing(), error));
    // Where the path is a symlink, the file behind it is the one to change.
    let file = fs::canonicalize(path).map_err(failed)?;
    let before = read_text(&file).map_err(failed)?;
    let after = edit(&before)
        .map_err(|error| CliError::new(ExitCode::Inventory, ErrorContext::new(doing(), error)))?;
    if after == before {
        return Ok(());
    }
    replace(&file, &after).map_err(failed)
}

fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mode = fs::metadata(file)?.permissions();
    put_with(file, text, |new| new.set_permissions(mode))
}

/// Writes a file, whether or not it is there.
pub fn put(file: &Path, text: &str) -> io::Result<()> {
    put_with(file, text, |_| Ok(()))
}

fn put_with(
    file: &Path,
    text: &str,
    adapt: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let staged = file.with_file_name(name);
    let written = write(&staged, text, adapt).and_then(|()| fs::rename(&staged, file));
    if written.is_err() {
        // The error that matters is the one above.
        let _ = fs::remove_file(&staged);
    }
    written
}

fn write(staged: &Path, text: &str, adapt: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let mut new = OpenOptions::new().write(true).create_new(true).open(staged)?;
    adapt(&new)?;
    new.write_all(text.as_bytes())?;
    new.sync_all()
}
