//! The configuration files of this machine.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::error::{ConfigError, ConfigProblem};
use super::{Settings, Source, Subject, resolve};
use crate::bounded;

const SYSTEM_FOLDER: &str = "/etc/ssh";

/// What the user's file says about a host, and after it the system's.
pub(crate) fn read(
    subject: Subject<'_>,
    given: Settings,
    home: &Path,
) -> Result<Settings, ConfigError> {
    let user_folder = home.join(".ssh").display().to_string();
    let mut sources = Vec::new();
    for folder in [user_folder.as_str(), SYSTEM_FOLDER] {
        let name = if folder == SYSTEM_FOLDER { "ssh_config" } else { "config" };
        let file = Path::new(folder).join(name);
        let found = load(&file, folder)
            .map_err(|problem| ConfigError { place: file.display().to_string(), problem })?;
        sources.extend(found);
    }
    resolve(subject, given, &sources, &|pattern, folder| include(pattern, folder, home))
}

/// The files that an `Include` line names, in the order of their names.
pub(crate) fn include(
    pattern: &str,
    folder: &str,
    home: &Path,
) -> Result<Vec<Source>, ConfigProblem> {
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
        sources.extend(load(&file, folder)?);
    }
    Ok(sources)
}

/// `None` when the file does not exist.
fn load(file: &Path, folder: &str) -> Result<Option<Source>, ConfigProblem> {
    let text = match bounded::read(file, bounded::SMALL) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(file, &error)),
    };
    let name = file.display().to_string();
    if folder != SYSTEM_FOLDER {
        let about = fs::metadata(file).map_err(|error| unreadable(file, &error))?;
        let ours = [0, rustix::process::getuid().as_raw()].contains(&about.uid());
        // Whoever writes it decides where we log in, and whom we trust there. ssh refuses it too.
        if !ours || about.mode() & 0o022 != 0 {
            return Err(ConfigProblem::Writable(name));
        }
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Some(Source { name, text, folder: folder.to_owned() }))
}

fn unreadable(file: &Path, error: &io::Error) -> ConfigProblem {
    ConfigProblem::Unreadable { file: file.display().to_string(), why: error.to_string() }
}
