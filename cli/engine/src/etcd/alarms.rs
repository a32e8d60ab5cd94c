//! `etcdctl alarm list -w json`, and the alarms that a status names.

use std::fmt;

use planner::facts::ALARM;

use super::answer::{EtcdctlError, read};
use super::number::Number;
use remote::clean;

/// An alarm that a member raised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alarm {
    /// `NOSPACE`, `CORRUPT`, or what a later etcd calls it.
    pub kind: String,
    /// The member that raised it, in hex.
    pub member: String,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALARM}{} of member {}", self.kind, self.member)
    }
}

/// Reads the alarms that are raised, sorted.
///
/// # Errors
/// When there is no answer; the reason is etcdctl's.
pub fn alarms(said: &str) -> Result<Vec<Alarm>, EtcdctlError> {
    let List { alarms, _header: _ } = read(said)?;
    let mut alarms: Vec<Alarm> = alarms.into_iter().map(Row::into_alarm).collect();
    alarms.sort();
    Ok(alarms)
}

/// 3.4 answers `{}` where there is no alarm, so nothing else has to be there; but a line of a log
/// has other fields.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default, rename = "header")]
    _header: serde::de::IgnoredAny,
    #[serde(default)]
    alarms: Vec<Row>,
}

#[derive(serde::Deserialize)]
struct Row {
    #[serde(rename = "memberID", default)]
    member: Number,
    #[serde(default)]
    alarm: Kind,
}

/// A number, or its name in the JSON of protocol buffers.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Kind {
    Number(u64),
    Name(String),
}

impl Default for Kind {
    fn default() -> Self {
        Kind::Number(0)
    }
}

impl Row {
    fn into_alarm(self) -> Alarm {
        let kind = match self.alarm {
            Kind::Number(0) => "NONE".to_owned(),
            Kind::Number(1) => "NOSPACE".to_owned(),
            Kind::Number(2) => "CORRUPT".to_owned(),
            Kind::Number(other) => format!("number {other}"),
            Kind::Name(name) => clean(name.as_bytes()),
        };
        Alarm { kind, member: self.member.id() }
    }
}

/// The alarm in an error of a status, such as `memberID:6204634734053081327 alarm:NOSPACE `.
pub(super) fn alarm_in(error: &str) -> Option<Alarm> {
    let (member, kind) = error.trim().strip_prefix("memberID:")?.split_once(" ")?;
    let kind = kind.trim().strip_prefix("alarm:")?;
    let member = Number(member.parse().ok()?);
    Some(Alarm { kind: clean(kind.as_bytes()), member: member.id() })
}
