//! Which state of the inventory this is, where it lies in git. Two people with two checkouts must not
//! undo each other's work: an older inventory than the one that was applied last is refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::CliError;
use crate::exit::ExitCode;

/// The commit of an inventory's checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    folder: PathBuf,
    /// The commit that is checked out.
    pub commit: String,
    /// Whether the inventory's folder holds anything that is not committed.
    pub dirty: bool,
}

impl Provenance {
    /// Asks git; `None` outside of git, or where git is not installed.
    pub fn of(folder: &Path) -> Option<Self> {
        let commit = git(folder, &["rev-parse", "--verify", "--quiet", "HEAD"])?;
        let changes = git(folder, &["status", "--porcelain", "--", "."])?;
        Some(Self { folder: folder.to_owned(), commit, dirty: !changes.is_empty() })
    }

    /// Refuses what is not committed.
    pub fn refuse_dirty(&self) -> Result<(), CliError> {
        if !self.dirty {
            return Ok(());
        }
        let message = "the inventory's folder holds changes that are not committed";
        Err(CliError::new(ExitCode::Blocked, message)
            .hint("commit them, so that others can see what was applied; or: --allow-dirty"))
    }

    /// Refuses to go back: every commit that was applied last must be behind this one.
    pub fn refuse_older(&self, applied: &BTreeSet<String>) -> Result<(), CliError> {
        for commit in applied {
            let is_behind = ["merge-base", "--is-ancestor", commit, &self.commit];
            if git(&self.folder, &is_behind).is_none() {
                let short = commit.get(..12).unwrap_or(commit);
                let message = format!(
                    "commit {short} of the inventory was applied last, and it is not behind yours"
                );
                return Err(CliError::new(ExitCode::Blocked, message)
                    .hint("git pull; or, to go back on purpose: --allow-older"));
            }
        }
        Ok(())
    }
}

/// What git prints, where it succeeds.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout() -> (tempfile::TempDir, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let identity = ["-c", "user.name=t", "-c", "user.email=t@example.net"];
            let all = [&identity[..], arguments].concat();
            git(folder.path(), &all).unwrap_or_else(|| panic!("git {arguments:?}"))
        };
        run(&["init", "-q"]);
        let commits = ["one", "two"].map(|text| {
            std::fs::write(folder.path().join("quorate.toml"), text).unwrap();
            run(&["add", "."]);
            run(&["commit", "-qm", text]);
            run(&["rev-parse", "HEAD"])
        });
        (folder, commits.to_vec())
    }

    #[test]
    fn a_commit_that_is_behind_is_fine_and_one_that_is_not_is_refused() {
        let (folder, commits) = checkout();
        let now = Provenance::of(folder.path()).unwrap();
        assert_eq!(now.commit, commits[1]);
        now.refuse_older(&BTreeSet::from([commits[0].clone()])).unwrap();
        git(folder.path(), &["checkout", "-q", &commits[0]]).unwrap();
        let older = Provenance::of(folder.path()).unwrap();
        let error = older.refuse_older(&BTreeSet::from([commits[1].clone()])).unwrap_err();
        assert_eq!(error.kind, ExitCode::Blocked);
        let unknown = BTreeSet::from(["0".repeat(40)]);
        assert!(now.refuse_older(&unknown).is_err());
    }

    #[test]
    fn what_is_not_committed_is_refused() {
        let (folder, _) = checkout();
        Provenance::of(folder.path()).unwrap().refuse_dirty().unwrap();
        std::fs::write(folder.path().join("quorate.toml"), "three").unwrap();
        assert!(Provenance::of(folder.path()).unwrap().refuse_dirty().is_err());
    }

    #[test]
    fn outside_of_git_there_is_nothing_to_check() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Provenance::of(folder.path()), None);
    }
}
