//! What `ssh_config` files say about a host, by OpenSSH's rules.
//!
//! - [`resolve`] reads text and makes [`Settings`]; it touches no file and runs nothing: included files
//!   and the answers of commands come from callbacks. [`files`] has those of this machine.
//! - The first value wins, key files add up. `Match final` makes a second pass, as in ssh.
//! - What changes where or as whom we log in, and cannot be followed, is a [`ConfigError`] that
//!   names the line. Everything else that is not known is passed over.

mod canonical;
mod criteria;
mod error;
mod expand;
pub mod files;
mod line;
mod settings;
pub mod shell;
#[cfg(test)]
mod tests;

pub use error::{ConfigError, ConfigProblem};
pub use expand::Tokens;
pub use settings::Family;
pub use settings::Settings;
pub use shell::Answers;

use canonical::Fate;
use criteria::{Activity, Criteria};
use line::Line;

/// ssh's own limit, which ends a file that includes itself.
const MAX_DEPTH: usize = 16;

/// How many files the includes of one reading may add up to. Depth alone is no bound: sixteen files of
/// which each includes the next one ten times would be read for ever.
const MAX_INCLUDED: usize = 1_000;

/// A configuration file.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file's name, for messages.
    pub name: String,
    /// Its content.
    pub text: String,
    /// Where the paths of its `Include` lines start.
    pub folder: String,
    /// Whether its commands may be run.
    pub commands: Commands,
}

/// Whether the commands of a file (`Match exec`, `ProxyCommand`) may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commands {
    /// The operator or root wrote the file for that.
    Run,
    /// It is named by the inventory, which others may have written.
    Named,
    /// Others than root can write this file of the system.
    Writable,
}

/// Finds the files that an `Include` pattern in a file names. No file is no error.
pub type Load<'a> = &'a dyn Fn(&str, &Source) -> Result<Vec<Source>, ConfigProblem>;

/// Whether a command of `Match exec`, as it is written, ends with 0 for somebody with these settings.
pub type Ask<'a> = &'a dyn Fn(&str, &Settings) -> Result<bool, ConfigProblem>;

/// Whom the settings are for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The host's name as the user wrote it.
    pub host: &'a str,
    /// The user on this machine.
    pub local_user: &'a str,
}

/// Reads the files in order. What `given` has set already wins, as ssh's command line does.
pub fn resolve(
    subject: Subject<'_>,
    given: Settings,
    sources: &[Source],
    load: Load<'_>,
    ask: Ask<'_>,
) -> Result<Settings, ConfigError> {
    let mut reader = Reader {
        subject,
        current: subject.host.to_owned(),
        settings: given,
        load,
        ask,
        included: 0,
        passes: Passes::First,
        canonicalizes: None,
    };
    reader.read_all(sources)?;
    let mut name = reader.settings.connect_name(subject.host);
    match reader.settings.canonicalize.fate(&name, reader.settings.way()) {
        Fate::Untouched => {}
        Fate::ReadAgain => reader.passes = Passes::FinalWanted,
        Fate::Changed => {
            let place = reader.canonicalizes.unwrap_or_default();
            let problem = ConfigProblem::Unsupported("CanonicalizeHostname".to_owned());
            return Err(ConfigError { place, problem });
        }
    }
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
pub enum Passes {
    /// This is the first time.
    First,
    /// This is the first time, and a `Match final` asks for another.
    FinalWanted,
    /// This is the second time.
    Final,
}

impl Commands {
    fn may_run(self, line: &str) -> Result<(), ConfigProblem> {
        match self {
            Commands::Run => Ok(()),
            Commands::Named => Err(ConfigProblem::Foreign(line.to_owned())),
            Commands::Writable => Err(ConfigProblem::Exposed(line.to_owned())),
        }
    }
}

struct Reader<'a> {
    subject: Subject<'a>,
    /// What `Host` patterns are compared with: in the final pass, the name that we connect to.
    current: String,
    settings: Settings,
    load: Load<'a>,
    ask: Ask<'a>,
    included: usize,
    passes: Passes,
    /// Where it says that names are looked up.
    canonicalizes: Option<String>,
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
                        ask: self.ask,
                        commands: source.commands,
                    };
                    let (found, passes) = criteria.check(&line.words, within).map_err(at)?;
                    self.passes = passes;
                    activity = within.and(found);
                }
                "include" if activity != Activity::Inactive => {
                    if depth == MAX_DEPTH {
                        return Err(at(ConfigProblem::Depth));
                    }
                    for pattern in &line.words {
                        for file in (self.load)(pattern, source).map_err(at)? {
                            self.included += 1;
                            if self.included > MAX_INCLUDED {
                                return Err(at(ConfigProblem::TooMany));
                            }
                            self.read(&file, &activity, depth + 1)?;
                        }
                    }
                }
                _ => {
                    self.apply(&line, &activity, source.commands).map_err(at)?;
                    if self.canonicalizes.is_none() && self.settings.canonicalize.is_wanted() {
                        self.canonicalizes = Some(format!("{}:{}", source.name, index + 1));
                    }
                }
            }
        }
        Ok(())
    }

    fn apply(
        &mut self,
        line: &Line,
        activity: &Activity,
        commands: Commands,
    ) -> Result<(), ConfigProblem> {
        match activity {
            Activity::Inactive => Ok(()),
            Activity::Active => {
                let before = self.settings.carrier().is_some();
                self.settings.set(line)?;
                if self.settings.carrier().is_some() == before {
                    return Ok(());
                }
                commands.may_run(&line.spelling)
            }
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
