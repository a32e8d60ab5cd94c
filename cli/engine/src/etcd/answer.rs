//! The one line of JSON that is the answer, amid whatever else was printed.

use serde::de::DeserializeOwned;

use super::number::Number;
use remote::clean;

/// The longest reason that is passed on, in characters.
const REASON_LENGTH: usize = 300;

/// Why etcdctl's output is not an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EtcdctlError {
    /// etcdctl gave a reason instead; stripped of control characters.
    #[error("{0}")]
    Refused(String),
    /// It printed something else.
    #[error("etcdctl printed no answer")]
    Unreadable,
}

/// The head of every answer of a member.
#[derive(serde::Deserialize)]
pub(super) struct Header {
    pub(super) cluster_id: Number,
    pub(super) member_id: Number,
    #[serde(default)]
    pub(super) revision: Number,
}

/// The answer is the last line that can be read as one.
pub(super) fn read<T: DeserializeOwned>(said: &str) -> Result<T, EtcdctlError> {
    said.lines()
        .rev()
        .map(str::trim)
        .filter(|line| line.starts_with(['{', '[']))
        .find_map(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| refusal(said))
}

/// The reason that etcdctl gave. "context deadline exceeded" tells little, and the client's log
/// line before it tells what the deadline was spent on.
pub(super) fn refusal(said: &str) -> EtcdctlError {
    let error = said.lines().rev().map(str::trim).find(|line| {
        line.starts_with("Error: ") || line.starts_with("Failed to get the status of endpoint ")
    });
    let logged = said.lines().rev().find_map(logged_error);
    let reason = match (error, logged) {
        (_, Some(logged)) => logged,
        (Some(error), None) => error.trim_start_matches("Error: ").to_owned(),
        (None, None) => {
            said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("").to_owned()
        }
    };
    let reason: String = clean(reason.as_bytes()).chars().take(REASON_LENGTH).collect();
    if reason.is_empty() { EtcdctlError::Unreadable } else { EtcdctlError::Refused(reason) }
}

/// Whether etcd's own authentication refused what was asked, as etcd and as gRPC put it.
pub(crate) fn is_forbidden(said: &str) -> bool {
    ["permission denied", "user name is empty", "user name not found"]
        .iter()
        .any(|words| said.contains(words))
}

fn logged_error(line: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct LogLine {
        error: String,
    }
    let LogLine { error } = serde_json::from_str(line.trim()).ok()?;
    let innermost = error.rsplit("desc = ").next().unwrap_or(&error);
    Some(innermost.trim_matches('"').to_owned())
}
