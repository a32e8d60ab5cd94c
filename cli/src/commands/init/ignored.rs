//! What of a site must not get into git: `.gitignore`, and which files to commit instead.

use std::fs;
use std::io;
use std::path::Path;

use inventories::draft::DraftKeys;

use crate::authorities::create;
use crate::terminal::Terminal;

/// Keys that are not sealed, and what commands write beside the inventory.
const LINES: [&str; 4] = ["*.key", "*.plan", "client/", "quorate-*.tar"];

/// Writes a `.gitignore` beside the inventory. One that is there stays as it is, and what it lacks is
/// said.
pub(super) fn write(folder: &Path, terminal: &Terminal) -> io::Result<()> {
    let path = folder.join(".gitignore");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let head = "# Keys that are not sealed, saved plans and bundles: never commit them.\n";
            create(&path, format!("{head}{}\n", LINES.join("\n")).as_bytes(), 0o644)?;
            terminal.print(&format!("wrote {}", path.display()));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let lacks = |line: &&str| !text.lines().any(|there| there.trim() == *line);
    let lacking: Vec<&str> = LINES.into_iter().filter(|line| lacks(line)).collect();
    if !lacking.is_empty() {
        terminal.warn(&format!("add these lines to {}: {}", path.display(), lacking.join(", ")));
    }
    Ok(())
}

/// How to commit what the site is read from, and no secret.
pub(super) fn commit(inventory: &Path, keys: &DraftKeys) -> String {
    let authorities = match keys {
        DraftKeys::Sealed(_) => "pki",
        DraftKeys::Plain => "pki/*/*.crt",
    };
    let name = inventory.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    format!("git add .gitignore {name} {authorities} && git commit")
}
