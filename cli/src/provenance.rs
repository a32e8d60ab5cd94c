//! Which state of the inventory this is, where it lies in git. Two people with two checkouts must not
//! undo each other's work: an older inventory than the one that was applied last is refused.
//!
//! Only what the site is read from counts. What else lies in the folder (saved plans, keys of clients,
//! a CI job's files) does not matter here, and no message asks to commit it.

mod git;
mod order;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use planner::facts::Commit;

use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::site::Site;
use git::git;
use order::Order;

/// What git says of the inventory's folder.
#[derive(Debug)]
pub enum Checkout {
    /// It is not in git, or nothing was committed yet.
    None,
    /// It is in git, and git does not answer, for this reason.
    Unknown(String),
    /// It is in git.
    At(Provenance),
}

/// The commit of an inventory's checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    folder: PathBuf,
    /// What the site is read from, inside of the repository.
    files: Vec<PathBuf>,
    /// The commit that is checked out.
    pub commit: Commit,
    /// What the site is read from and is not committed as it is.
    uncommitted: Vec<Uncommitted>,
    /// Records of formed clusters that are not committed as they are: other checkouts need them.
    unshared: Vec<String>,
    /// CA keys that are in git without being sealed.
    exposed: Vec<String>,
}

/// The files of a site, by what git is asked about them.
#[derive(Debug, Default)]
struct Files {
    /// What the site is read from.
    public: Vec<PathBuf>,
    /// The records of formed clusters.
    records: Vec<PathBuf>,
    /// CA keys that are not sealed.
    secret: Vec<PathBuf>,
}

/// A file that is not committed as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Uncommitted {
    /// Relative to the repository's root.
    path: String,
    how: &'static str,
}

impl Checkout {
    /// Asks git about the files of a site.
    pub fn for_site(site: &Site) -> Self {
        let (public, records) = (site.public_files(), site.records());
        Self::of_files(site.folder(), &Files { public, records, secret: site.plain_keys() })
    }

    fn of_files(folder: &Path, files: &Files) -> Self {
        match Provenance::ask(folder, files) {
            Ok(provenance) => provenance.map_or(Self::None, Self::At),
            Err(why) => Self::Unknown(why),
        }
    }

    /// What git says, where it answers.
    pub fn known(&self) -> Option<&Provenance> {
        match self {
            Self::At(provenance) => Some(provenance),
            Self::None | Self::Unknown(_) => None,
        }
    }

    /// Refuses an inventory that is not committed, or of which git does not say so.
    pub fn refuse_dirty(&self) -> Result<(), CliError> {
        match self {
            Self::None => Ok(()),
            Self::At(provenance) => provenance.refuse_dirty(),
            Self::Unknown(why) => {
                let doing = "can't tell from git whether the inventory is committed";
                Err(CliError::new(ExitCode::Blocked, ErrorContext::new(doing, why.clone()))
                    .hint("let git read this folder, or apply without this check: --allow-dirty"))
            }
        }
    }

    /// Warnings for a command that only plans.
    pub fn warnings(&self) -> Vec<String> {
        let dirty = self.refuse_dirty().err().as_ref().map(warning);
        let exposed = self.known().into_iter().flat_map(|provenance| &provenance.exposed);
        let exposed = exposed.map(|key| {
            format!(
                "{key} is a CA key in git, and not sealed: anyone who can read the repository can open \
                 the cluster"
            )
        });
        let unshared = self.known().into_iter().flat_map(|provenance| &provenance.unshared);
        let unshared = unshared.map(|record| {
            format!("{record} is not committed: another checkout may form the cluster again")
        });
        dirty.into_iter().chain(exposed).chain(unshared).collect()
    }
}

impl Provenance {
    /// `None` outside of git, and where nothing was committed yet.
    fn ask(folder: &Path, of_site: &Files) -> Result<Option<Self>, String> {
        let top = match git(folder, ["rev-parse", "--show-toplevel"]) {
            Ok(said) => said.text(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err("git is not installed here".to_owned())
            }
            Err(error) => Err(format!("git cannot be run: {error}")),
        };
        let top = match top {
            Ok(top) => PathBuf::from(top),
            Err(why) if why.contains("not a git repository") || !is_in_git(folder) => {
                return Ok(None);
            }
            Err(why) => return Err(why),
        };
        let ask = |arguments: &[&str]| {
            git(folder, arguments).map_err(|error| error.to_string()).and_then(git::Said::text)
        };
        let head = git(folder, ["rev-parse", "--verify", "--quiet", "HEAD"]);
        let head = head.map_err(|error| error.to_string())?;
        // It says nothing where there is no commit yet.
        if head.code != Some(0) && head.stderr.is_empty() {
            return Ok(None);
        }
        let commit = Commit::parse(&head.text()?).map_err(|error| error.to_string())?;
        let listed = |command: &[&str], files: &[PathBuf]| {
            if files.is_empty() {
                return Ok(String::new());
            }
            let mut arguments = command.to_vec();
            let names: Vec<&str> = files.iter().filter_map(|file| file.to_str()).collect();
            arguments.extend(names);
            ask(&arguments)
        };
        let files = inside(&top, &of_site.public);
        let status = [
            "status",
            "--porcelain=v1",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            // What git ignores was never committed either.
            "--ignored=traditional",
            "--",
        ];
        let mut dirty = uncommitted(&listed(&status, &files)?);
        let records = uncommitted(&listed(&status, &inside(&top, &of_site.records))?);
        // The apply that wrote one may be followed by another; none is removed in passing.
        let (gone, unshared): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| record.how == DELETED);
        dirty.extend(gone);
        let exposed =
            listed(&["ls-files", "-z", "--full-name", "--"], &inside(&top, &of_site.secret))?;
        let exposed = exposed.split('\0').filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(Some(Self {
            folder: folder.to_owned(),
            commit,
            uncommitted: dirty,
            unshared: unshared.into_iter().map(|record| record.path).collect(),
            exposed: exposed.collect(),
            files,
        }))
    }

    /// Whether the site is read from anything that is not committed.
    pub fn is_dirty(&self) -> bool {
        !self.uncommitted.is_empty()
    }

    fn refuse_dirty(&self) -> Result<(), CliError> {
        if !self.is_dirty() {
            return Ok(());
        }
        let named = self.uncommitted.iter().map(|file| format!("{} ({})", file.path, file.how));
        let message = format!("not committed: {}", named.collect::<Vec<_>>().join(", "));
        Err(CliError::new(ExitCode::Blocked, message).hint(
            "commit them so that others can see what is applied, or apply anyway: --allow-dirty",
        ))
    }

    /// Refuses to go back: every commit that was applied last must be behind this one.
    pub fn refuse_older(&self, applied: &BTreeSet<Commit>) -> Result<(), CliError> {
        for commit in applied.iter().filter(|commit| **commit != self.commit) {
            let order = Order::new(&self.folder, &self.files, commit, &self.commit);
            order.refusal(commit, &self.commit).map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

/// A refusal of an apply, as `plan` reports it.
pub fn warning(error: &CliError) -> String {
    let hints = error.hints.iter().map(|hint| format!("\n  hint: {hint}"));
    format!("{error}{}", hints.collect::<String>())
}

/// Whether a folder, or one above it, looks like a git repository.
pub fn is_in_git(folder: &Path) -> bool {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.ancestors().any(|above| above.join(".git").exists())
}

/// The files that are inside of a repository, by the names that git can have for them: the file's own,
/// and that of what a link leads to.
fn inside(top: &Path, files: &[PathBuf]) -> Vec<PathBuf> {
    let top = top.canonicalize().unwrap_or_else(|_| top.to_owned());
    let mut names = BTreeSet::new();
    for file in files {
        let folder = file.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new(".")).canonicalize();
        if let (Ok(folder), Some(name)) = (folder, file.file_name()) {
            names.insert(folder.join(name));
        }
        names.extend(file.canonicalize());
    }
    names.retain(|name| name.starts_with(&top));
    names.into_iter().collect()
}

const DELETED: &str = "deleted";

/// Reads `git status --porcelain=v1 -z`.
fn uncommitted(status: &str) -> Vec<Uncommitted> {
    let read = |entry: &str| {
        let (state, path) = (entry.get(..2)?, entry.get(3..)?);
        let how = match state {
            "??" => "not in git",
            "!!" => "ignored by git",
            state if state.contains('D') => DELETED,
            state if state.contains('A') => "added",
            _ => "modified",
        };
        Some(Uncommitted { path: path.to_owned(), how })
    };
    status.split('\0').filter_map(read).collect()
}

#[cfg(test)]
mod tests;
