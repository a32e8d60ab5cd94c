//! Whether a commit is behind another. What git does not know is not an answer.

use std::path::{Path, PathBuf};

use planner::facts::Commit;

use super::git::git;
use crate::error::CliError;
use crate::exit::ExitCode;

/// Where a commit stands, seen from the one that is checked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// It is the same, or behind it, or asks for the very same site.
    NotNewer,
    /// It is somewhere else: ahead, or on another branch.
    Elsewhere,
    /// The history of a shallow clone ends too early to tell.
    Shallow,
    /// This clone does not have it.
    NotHere,
}

impl Order {
    /// Asks git. `files` are what the site is read from.
    pub(super) fn new(folder: &Path, files: &[PathBuf], applied: &Commit, ours: &Commit) -> Self {
        let says = |arguments: &[&str]| git(folder, arguments).ok();
        let applied = applied.as_str();
        let object = format!("{applied}^{{commit}}");
        let has_it = says(&["cat-file", "-e", &object]).is_some_and(|said| said.code == Some(0));
        if has_it {
            let behind = says(&["merge-base", "--is-ancestor", applied, ours.as_str()]);
            if behind.is_some_and(|said| said.code == Some(0))
                || is_the_same(folder, files, applied)
            {
                return Self::NotNewer;
            }
        }
        let shallow = says(&["rev-parse", "--is-shallow-repository"]);
        match shallow.and_then(|said| said.text().ok()).as_deref() {
            Some("false") if has_it => Self::Elsewhere,
            Some("false") => Self::NotHere,
            _ => Self::Shallow,
        }
    }

    /// Why nothing is applied, if that is what follows.
    pub(super) fn refusal(self, applied: &Commit, ours: &Commit) -> Option<CliError> {
        let (said, hint) = match self {
            Self::NotNewer => return None,
            Self::Elsewhere => (
                format!("your HEAD ({}) does not contain", ours.short()),
                "git pull if a colleague applied it; after a reset, rebase or squash: --allow-older",
            ),
            Self::Shallow => (
                "this shallow clone does not reach back to".to_owned(),
                "fetch the whole history: git fetch --unshallow (GitHub: fetch-depth: 0; GitLab: \
                 GIT_DEPTH: 0)",
            ),
            Self::NotHere => (
                "this clone does not have".to_owned(),
                "git pull if a colleague applied it; after a rebase or squash: --allow-older",
            ),
        };
        let message = format!("{said} {}, the commit that was applied last", applied.short());
        Some(CliError::new(ExitCode::Blocked, message).hint(hint))
    }
}

/// Whether both commits ask for the same site, as after a squash.
fn is_the_same(folder: &Path, files: &[PathBuf], applied: &str) -> bool {
    let mut arguments: Vec<&std::ffi::OsStr> =
        ["diff", "--quiet", "--no-ext-diff", applied, "HEAD", "--"].map(AsRef::as_ref).to_vec();
    arguments.extend(files.iter().map(|file| file.as_os_str()));
    !files.is_empty() && git(folder, arguments).is_ok_and(|said| said.code == Some(0))
}
