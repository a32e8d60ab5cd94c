//! What `ssh_config` files say about a host, by OpenSSH's rules.
//!
//! - [`resolve`] reads text and makes [`Settings`]; it touches no file, included ones come from a
//!   callback. [`files`] has the files of this machine.
//! - The first value wins, key files add up. `Match final` makes a second pass, as in ssh.
//! - What changes where or as whom we log in, and cannot be followed, is a [`ConfigError`] that
//!   names the line. Everything else that is not known is passed over.

mod criteria;
mod error;
mod expand;
pub(crate) mod files;
mod line;
mod settings;
#[cfg(test)]
mod tests;

pub use error::{ConfigError, ConfigProblem};
pub(crate) use expand::Tokens;
pub use settings::Family;
pub(crate) use settings::Settings;

use criteria::{Activity, Criteria};
use line::Line;

/// ssh's own limit, which ends a file that includes itself.
const MAX_DEPTH: usize = 16;

/// How many files the includes of one reading may come to. Depth alone is no bound: sixteen files of
/// which each includes the next one ten times would be read for ever.
const MAX_INCLUDED: usize = 1_000;

/// A configuration file.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file's name, for messages.
    pub(crate) name: String,
    /// Its content.
    pub(crate) text: String,
    /// Where the paths of its `Include` lines start.
    pub(crate) folder: String,
}

/// Finds the files that an `Include` pattern names; the second argument is the including file's
/// folder. No file is no error.
pub(crate) type Load<'a> = &'a dyn Fn(&str, &str) -> Result<Vec<Source>, ConfigProblem>;

/// Whom the settings are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The host's name as the user wrote it.
    pub(crate) host: &'a str,
    /// The user on this machine.
    pub(crate) local_user: &'a str,
}

/// Reads the files in order. What `given` has set already wins, as ssh's command line does.
pub(crate) fn resolve(
    subject: Subject<'_>,
    given: Settings,
    sources: &[Source],
    load: Load<'_>,
) -> Result<Settings, ConfigError> {
    let mut reader = Reader {
        subject,
        current: subject.host.to_owned(),
        settings: given,
        load,
        included: 0,
        passes: Passes::First,
    };
    reader.read_all(sources)?;
    let mut name = reader.settings.connect_name(subject.host);
    if reader.passes == Passes::FinalWanted {
        reader.passes = Passes::Final;
        reader.settings.host_name = Some(name.replace('%', "%%"));
        reader.current = name;
        reader.read_all(sources)?;
        name = reader.current;
    }
    Ok(Settings { host_name: Some(name), ..reader.settings })
}

/// How often the files are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passes {
    /// This is the first time.
    First,
    /// This is the first time, and a `Match final` asks for another.
    FinalWanted,
    /// This is the second time.
    Final,
}

struct Reader<'a> {
    subject: Subject<'a>,
    /// What `Host` patterns are compared with: in the final pass, the name that we connect to.
    current: String,
    settings: Settings,
    load: Load<'a>,
    included: usize,
    passes: Passes,
}

impl Reader<'_> {
    fn read_all(&mut self, sources: &[Source]) -> Result<(), ConfigError> {
        self.included = 0;
        sources.iter().try_for_each(|source| self.read(source, &Activity::Active, 0))
    }

    /// Reads a file that is included where `within` holds.
    fn read(
        &mut self,
        source: &Source,
        within: &Activity,
        depth: usize,
    ) -> Result<(), ConfigError> {
        let mut activity = within.clone();
        for (index, text) in source.text.lines().enumerate() {
            let at =
                |problem| ConfigError { place: format!("{}:{}", source.name, index + 1), problem };
            let Some(line) = Line::parse(text).map_err(at)? else { continue };
            match line.keyword.as_str() {
                "host" => activity = within.and(criteria::host(&line.words, &self.current)),
                "match" => {
                    let criteria = Criteria {
                        subject: self.subject,
                        settings: &self.settings,
                        passes: self.passes,
                    };
                    let (found, passes) = criteria.check(&line.words).map_err(at)?;
                    self.passes = passes;
                    activity = within.and(found);
                }
                "include" if activity != Activity::Inactive => {
                    if depth == MAX_DEPTH {
                        return Err(at(ConfigProblem::Depth));
                    }
                    for pattern in &line.words {
                        for file in (self.load)(pattern, &source.folder).map_err(at)? {
                            self.included += 1;
                            if self.included > MAX_INCLUDED {
                                return Err(at(ConfigProblem::TooMany));
                            }
                            self.read(&file, &activity, depth + 1)?;
                        }
                    }
                }
                _ => self.apply(&line, &activity).map_err(at)?,
            }
        }
        Ok(())
    }

    fn apply(&mut self, line: &Line, activity: &Activity) -> Result<(), ConfigProblem> {
        match activity {
            Activity::Inactive => Ok(()),
            Activity::Active => self.settings.set(line),
            Activity::Undecidable(criterion) => {
                let mut settings = self.settings.clone();
                settings.set(line)?;
                if settings == self.settings {
                    return Ok(());
                }
                Err(ConfigProblem::Undecidable {
                    criterion: criterion.clone(),
                    keyword: line.spelling.clone(),
                })
            }
        }
    }
}
