//! What a lab has made, written down before it is made.
//!
//! Teardown undoes what the ledger names and nothing else: it never searches the machine for
//! things that look like a lab's. An entry whose thing was never made costs nothing to undo, so a
//! lab that is killed between writing and making leaves nothing behind either.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::LabError;

/// A thing on this machine that outlives the process that made it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// A control group of this name at the root of every hierarchy, with every process in it.
    /// Processes are recorded this way alone: a group can't be mistaken for somebody else's, as
    /// a process id can once it is used again.
    Cgroup(String),
    /// A mount point.
    Mount(PathBuf),
    /// A network interface of the machine, and by that its other end.
    Link(String),
    /// A named network namespace.
    Netns(String),
    /// What nspawn keeps about a container of this name.
    Container(String),
    /// A folder with all that is in it.
    Folder(PathBuf),
}

/// The ledger of one lab: a file of one JSON value a line.
#[derive(Debug, Clone)]
pub struct Ledger {
    folder: PathBuf,
    path: PathBuf,
}

impl Ledger {
    /// The ledger in a lab's state folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), path: folder.join("ledger") }
    }

    /// The folder that it is in: the lab's state.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a resource down, unless it already is. To be called before it is made.
    pub fn record(&self, resource: &Resource) -> Result<(), LabError> {
        if self.entries()?.contains(resource) {
            return Ok(());
        }
        let mut line = serde_json::to_string(resource)
            .map_err(|source| LabError::State { path: self.path.clone(), source })?;
        line.push('\n');
        // One write of a short line to a file opened for appending: hosts that are made in
        // parallel don't mix their lines.
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(LabError::file("write", &self.path))
    }

    /// Everything that was written down, oldest first.
    pub fn entries(&self) -> Result<Vec<Resource>, LabError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(LabError::file("read", &self.path)(source)),
        };
        parse(&text).map_err(|source| LabError::State { path: self.path.clone(), source })
    }
}

/// Reads a ledger. A last line without its end was never made: the writer died before.
fn parse(text: &str) -> Result<Vec<Resource>, serde_json::Error> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(serde_json::from_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_dropped_and_a_damaged_one_is_an_error() {
        let netns = Resource::Netns("a".to_owned());
        let line = serde_json::to_string(&netns).unwrap();
        assert_eq!(parse(&format!("{line}\n{}", &line[..4])).unwrap(), [netns]);
        assert!(parse(&format!("{}\n{line}\n", &line[..4])).is_err());
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn a_resource_is_written_once() {
        let folder =
            std::env::temp_dir().join(format!("quorate-lab-ledger-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let ledger = Ledger::in_folder(&folder);
        assert_eq!(ledger.entries().unwrap(), []);
        let mount = Resource::Mount("/a b".into());
        ledger.record(&mount).unwrap();
        ledger.record(&mount).unwrap();
        assert_eq!(ledger.entries().unwrap(), [mount]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
