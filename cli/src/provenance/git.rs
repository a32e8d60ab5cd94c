//! Running git. It only reads, and takes no lock that another git would wait for.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::Command;

/// How git ended.
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

/// Whether git would read a variable instead of the folder that it is run in: a hook has some that name its own
/// repository. Settings, and where the search for a repository ends, are the user's.
fn points_elsewhere(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    let is_setting = name.starts_with("GIT_CONFIG_")
        || ["GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM"].contains(&&*name);
    name.starts_with("GIT_") && !is_setting
}

/// Runs git in a folder.
///
/// # Errors
/// It could not be run at all.
pub(super) fn git(
    folder: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> io::Result<Said> {
    let mut command = Command::new("git");
    for variable in std::env::vars_os().map(|(name, _)| name).filter(|name| points_elsewhere(name))
    {
        command.env_remove(variable);
    }
    let output = command
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
