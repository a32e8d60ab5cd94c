//! Running git. It only reads, and takes no lock that somebody else's git would wait for.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Command;

/// What git came to.
#[derive(Debug)]
pub(super) struct Said {
    /// Its exit code; `None` where a signal ended it.
    pub(super) code: Option<i32>,
    /// What it printed.
    pub(super) stdout: String,
    /// Why it failed, in its own words.
    pub(super) stderr: String,
}

impl Said {
    /// What it printed, where it succeeded.
    pub(super) fn text(self) -> Result<String, String> {
        if self.code == Some(0) { Ok(self.stdout) } else { Err(self.stderr) }
    }
}

/// Runs git in a folder.
///
/// # Errors
/// It could not be run at all.
pub(super) fn git(
    folder: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> io::Result<Said> {
    let output = Command::new("git")
        .args(["--no-optional-locks", "--literal-pathspecs", "-C"])
        .arg(folder)
        .args(arguments)
        // Its words are shown, and one of them is looked for.
        .env("LC_ALL", "C")
        .output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned();
    Ok(Said {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    })
}
