//! The configuration files of this machine.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, ConfigProblem};
use super::shell::Answers;
use super::{Commands, Settings, Source, Subject, Tokens, resolve};
use crate::bounded;

const SYSTEM_FOLDER: &str = "/etc/ssh";

/// The configuration files of ssh that count for a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// `~/.ssh/config`, and after it `/etc/ssh/ssh_config`.
    Usual,
    /// No file.
    None,
    /// This file alone.
    File(PathBuf),
}

/// Whose files are read, and which.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The operator's home directory.
    pub home: &'a Path,
    /// Which files count.
    pub which: &'a Which,
    /// What commands answered.
    pub answers: &'a Answers,
}

impl Reading<'_> {
    /// A variable of the environment, for a path. A file of the repository gets none: errors show paths, and a job
    /// that runs quorate may have secrets in its environment.
    pub fn variable(&self, name: &str) -> Option<String> {
        match self.which {
            Which::File(file) if !is_operators(file, self.home) => None,
            Which::File(_) | Which::Usual | Which::None => env::var(name).ok(),
        }
    }
}

/// What the user's file says about a host, and after it the system's; or another file alone.
pub fn read(
    subject: Subject<'_>,
    given: Settings,
    reading: Reading<'_>,
) -> Result<Settings, ConfigError> {
    let home = reading.home;
    let user_folder = home.join(".ssh").display().to_string();
    let files = match reading.which {
        Which::None => Vec::new(),
        Which::Usual => vec![
            (home.join(".ssh/config"), user_folder.as_str(), Commands::Run),
            (Path::new(SYSTEM_FOLDER).join("ssh_config"), SYSTEM_FOLDER, Commands::Run),
        ],
        Which::File(file) => vec![(file.clone(), user_folder.as_str(), Commands::Named)],
    };
    let mut sources = Vec::new();
    for (file, folder, commands) in files {
        let at = |problem| ConfigError { place: file.display().to_string(), problem };
        match load(&file, folder, commands, home).map_err(at)? {
            Some(source) => sources.push(source),
            // As with `ssh -F`: who names a file wants it read.
            None if commands == Commands::Named => {
                return Err(at(unreadable(&file, &io::ErrorKind::NotFound.into())));
            }
            None => {}
        }
    }
    let load = |pattern: &str, from: &Source| include(pattern, from, home);
    resolve(subject, given, &sources, &load, &|command, settings| {
        ask(command, subject, settings, reading)
    })
}

/// Whether a command of `Match exec` ends with 0.
pub fn ask(
    command: &str,
    subject: Subject<'_>,
    settings: &Settings,
    reading: Reading<'_>,
) -> Result<bool, ConfigProblem> {
    let host = settings.connect_name(subject.host);
    let tokens = Tokens {
        home: &reading.home.to_string_lossy(),
        local_user: subject.local_user,
        original: subject.host,
        host: &host,
        port: settings.port.unwrap_or(22),
        user: settings.user.as_deref().unwrap_or(subject.local_user),
        key_name: settings.host_key_alias.as_deref().unwrap_or(&host),
        uid: rustix::process::getuid().as_raw(),
        machine: &machine(),
        variable: &|_| None,
    };
    reading.answers.ask(&tokens.command(command)?)
}

/// The name of this machine.
pub fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The files that an `Include` line names, in the order of their names.
pub fn include(pattern: &str, from: &Source, home: &Path) -> Result<Vec<Source>, ConfigProblem> {
    let folder = from.folder.as_str();
    let path = match pattern.strip_prefix("~/") {
        Some(below) => home.join(below),
        None => Path::new(folder).join(pattern),
    };
    let wrong =
        || ConfigProblem::Value { keyword: "Include".to_owned(), value: pattern.to_owned() };
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let found = glob::glob_with(path.to_str().ok_or_else(wrong)?, options).map_err(|_| wrong())?;
    let mut sources = Vec::new();
    for file in found {
        let file = file.map_err(|error| unreadable(error.path(), error.error()))?;
        sources.extend(load(&file, folder, from.commands, home)?);
    }
    Ok(sources)
}

/// `None` when the file does not exist. Whether commands of the file that names this one may be run is
/// `from`.
fn load(
    file: &Path,
    folder: &str,
    from: Commands,
    home: &Path,
) -> Result<Option<Source>, ConfigProblem> {
    let text = match bounded::read(file, bounded::SMALL) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(file, &error)),
    };
    let name = file.display().to_string();
    let about = fs::metadata(file).map_err(|error| unreadable(file, &error))?;
    let exposed = about.mode() & 0o022 != 0;
    let commands = if folder == SYSTEM_FOLDER {
        if exposed || about.uid() != 0 { Commands::Writable } else { from }
    } else {
        let ours = [0, rustix::process::getuid().as_raw()].contains(&about.uid());
        // Its writer decides where we log in, and whom we trust there. ssh refuses it too.
        if !ours || exposed {
            return Err(ConfigProblem::Writable(name));
        }
        match from {
            Commands::Named if is_operators(file, home) => Commands::Run,
            from => from,
        }
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Some(Source { name, text, folder: folder.to_owned(), commands }))
}

/// Whether the file lies where only the operator or root puts files. No repository is cloned there, and
/// a link that leads out of there does not count.
fn is_operators(file: &Path, home: &Path) -> bool {
    let Ok(file) = file.canonicalize() else { return false };
    let folders = [home.join(".ssh"), SYSTEM_FOLDER.into()];
    folders.iter().any(|folder| folder.canonicalize().is_ok_and(|folder| file.starts_with(folder)))
}

fn unreadable(file: &Path, error: &io::Error) -> ConfigProblem {
    ConfigProblem::Unreadable { file: file.display().to_string(), why: error.to_string() }
}
