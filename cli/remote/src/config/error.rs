//! What is wrong with a configuration file.

/// A line of an `ssh_config` file that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    /// `file:line`, or the file.
    pub place: String,
    /// What is wrong.
    pub problem: ConfigProblem,
}

/// Why a line cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// It changes where or as whom we log in, or whom we trust, in a way that we lack.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// Whether its block holds cannot be known here, and it would change something.
    #[error("'Match {criterion}' is not supported, and this block sets {keyword}")]
    Undecidable {
        /// The criterion.
        criterion: String,
        /// What the block sets.
        keyword: String,
    },
    /// Its value is missing or makes no sense.
    #[error("the value of {keyword} cannot be read: '{value}'")]
    Value {
        /// The keyword.
        keyword: String,
        /// The value.
        value: String,
    },
    /// A line about algorithms leaves none that we have.
    #[error("{keyword} {value} leaves no algorithm that is supported here")]
    NoAlgorithm {
        /// The keyword.
        keyword: &'static str,
        /// The value.
        value: String,
    },
    /// A quote is not closed.
    #[error("a quote is not closed")]
    Quote,
    /// A `Match` line makes no sense.
    #[error("the Match line cannot be read at '{0}'")]
    Match(String),
    /// A token or variable that is not known here.
    #[error("{token} in '{value}' cannot be filled in")]
    Token {
        /// `%X` or `${NAME}`.
        token: String,
        /// Where it stands.
        value: String,
    },
    /// A command is in a file that the inventory names.
    #[error("{0} is not run from a file that the inventory names")]
    Foreign(String),
    /// A command is in a file of the system that others than root can write.
    #[error("{0} is not run from a file that others than root can write")]
    Exposed(String),
    /// A value would be more than a value in a shell.
    #[error("{token} of this command is '{value}', which a shell might take apart")]
    Unsafe {
        /// `%X`.
        token: String,
        /// What it stands for.
        value: String,
    },
    /// A `Match exec` command gave no answer.
    #[error("the command of Match exec ({command}) {why}")]
    Command {
        /// The command.
        command: String,
        /// What happened instead.
        why: String,
    },
    /// Jump hosts lead to each other without end.
    #[error("jump hosts go through each other, or are more than 8")]
    Circle,
    /// Files include each other without end.
    #[error("includes are nested more than 16 deep")]
    Depth,
    /// Files include each other again and again.
    #[error("includes add up to more than 1000 files")]
    TooMany,
    /// A file cannot be read.
    #[error("cannot read {file}: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        why: String,
    },
    /// Somebody else could have written the file.
    #[error("{0} can be written by others, or belongs to another user")]
    Writable(String),
}

/// The way round a configuration that is not made for these hosts.
const OTHER_FILE: &str = "or read another file for these hosts, or none: [defaults.ssh] config = FILE, or config = \"none\"";

impl ConfigError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match &self.problem {
            ConfigProblem::NoAlgorithm { keyword, .. } => {
                format!(
                    "name other algorithms in {keyword} for this host: docs/security.md lists them"
                )
            }
            ConfigProblem::Unsupported(_) | ConfigProblem::Undecidable { .. } => {
                format!("name the host so that this line does not apply to it: in ssh.host, or in ProxyJump for a jump host\n{OTHER_FILE}")
            }
            ConfigProblem::Foreign(_) => {
                "move the file to ~/.ssh, and set ssh.config to it there; or include it in ~/.ssh/config".to_owned()
            }
            ConfigProblem::Exposed(_) => {
                "give the file to root: chown root FILE; chmod go-w FILE".to_owned()
            }
            ConfigProblem::Unsafe { .. } => {
                "use only letters, digits and . - _ : % @ + in ssh.host and ssh.user, and in HostName, User and HostKeyAlias".to_owned()
            }
            ConfigProblem::Command { .. } => {
                format!("run the command at a shell to see why\n{OTHER_FILE}")
            }
            ConfigProblem::Writable(file) => format!("run: chmod go-w {file}"),
            _ => "see what ssh makes of it: ssh -G HOST".to_owned(),
        }
    }
}
