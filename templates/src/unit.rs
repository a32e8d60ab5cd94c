//! A member as a systemd unit.
//!
//! Two lines of it are the seat of a promise, that no member starts again with its memory lost:
//!
//! - A formed member asserts that its write-ahead log exists.
//! - A member of a cluster that is being formed has none at its first start. It asserts that it has
//!   either a write-ahead log or no *quorum witness*, and writes the witness in `ExecStartPost=`.
//!   With `Type=notify` that runs after etcd says READY=1, which it does once it has published
//!   itself through raft, so after it has been in a quorum. etcd also says READY=1 if raft stops it
//!   before that: then a witness stands where there was no quorum, which refuses too much, never
//!   too little. The witness is systemd's doing, so it is written even where quorate is long gone.
//!   Where systemd can't write it, the member runs on: stopping it would cost the quorum that it is
//!   part of. The marker, which quorate writes after its proof, then is the record.

mod environment;
mod operator;
mod quote;
mod template;

use crate::error::RenderError;
use crate::head;
use crate::layout::{CONFIG_ROOT, DATA_ROOT};
use crate::member::{Formation, Member};
use crate::token::{self, BootstrapToken};
use template::Variables;

pub use environment::keeps_the_hosts_out;

/// The text of a unit, complete but for the token of a bootstrap.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct UnitText {
    text: String,
}

/// What begins the line of an argument. No operator's flag can imitate one of ours, since [`quote`] lets
/// no value begin a line.
const ARGUMENT: &str = "    ";
/// What ends it.
const CONTINUED: &str = " \\";
/// The argument that only a member has whose cluster is not formed.
const TOKEN_LINE: &str = "\n    --initial-cluster-token=";

impl UnitText {
    /// The text to show: a token that is not bound yet shows as a placeholder.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the text waits for a token: the unit of a member that is not formed yet.
    pub fn wants_token(&self) -> bool {
        self.text.contains(TOKEN_LINE)
    }

    /// The text to write. The unit of a formed member holds no token and stays as it is.
    pub fn bind(&self, token: &BootstrapToken) -> String {
        let bound = |line: &str| {
            let argument = line.strip_prefix(ARGUMENT)?;
            let (argument, end) = match argument.strip_suffix(CONTINUED) {
                Some(argument) => (argument, CONTINUED),
                None => (argument, ""),
            };
            Some(format!("{ARGUMENT}{}{end}\n", token::bind(argument, token)?))
        };
        let line = |line: &str| bound(line).unwrap_or_else(|| format!("{line}\n"));
        self.text.lines().map(line).collect()
    }
}

/// Renders the unit of a member.
pub fn render(member: &Member) -> Result<UnitText, RenderError> {
    let layout = member.layout();
    let variables = Variables {
        arguments: member.arguments().iter().map(|a| quote::quote(a)).collect(),
        cluster: member.cluster.to_string(),
        config_dir: layout.config_dir(),
        config_root: CONFIG_ROOT,
        data_dir: layout.data_dir(),
        data_root: DATA_ROOT,
        forming: !matches!(member.formation, Formation::Existing { .. }),
        head: head::of(member),
        member: member.name.to_string(),
        program: environment::start(member),
        quorum_witness: layout.quorum_witness(),
        resources: operator::resources(&member.systemd),
        shown: operator::shown(member),
        state_dir: layout.state_dir(),
        unset: environment::unset(member),
        password_file: if environment::has_password(member) {
            layout.discovery_password()
        } else {
            String::new()
        },
        user: member.account.to_string(),
        wal_glob: layout.wal_glob(),
    };
    let text = variables.render().map_err(|error| RenderError::new("unit", member, error))?;
    Ok(UnitText { text: operator::without(&member.systemd, &text) })
}

#[cfg(test)]
pub(crate) mod tests;
