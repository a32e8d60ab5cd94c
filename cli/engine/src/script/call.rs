//! A script with its arguments, and the time that it may take.

use std::fmt::Display;
use std::time::Duration;

use inventories::EtcdVersion;
use planner::Step;
use remote::{Call, Payload};
use templates::Layout;

use super::failure::Failure;
use super::guard;
use crate::etcd::credentials;

/// How long a step may take with the host's disk. A disk under load syncs slowly.
const WORK: Duration = Duration::from_secs(60);
/// The longest answer of such a step: a word, or a journal's end.
const MAX_REPLY: usize = 256 * 1024;

/// The arguments of a script, each `KEY=VALUE`; `script/sh/preamble.sh` reads them. A list is one value: words with
/// blanks between them, or lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One more.
    #[must_use]
    pub(crate) fn with(mut self, key: &'static str, value: impl Display) -> Self {
        self.0.push(format!("{key}={value}"));
        self
    }

    /// A list, as words.
    #[must_use]
    pub(crate) fn with_words<W: AsRef<str>>(
        self,
        key: &'static str,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        self.with_joined(key, words, " ")
    }

    /// A list, as lines.
    #[must_use]
    pub(crate) fn with_lines<L: AsRef<str>>(
        self,
        key: &'static str,
        lines: impl IntoIterator<Item = L>,
    ) -> Self {
        self.with_joined(key, lines, "\n")
    }

    fn with_joined<T: AsRef<str>>(
        self,
        key: &'static str,
        all: impl IntoIterator<Item = T>,
        between: &str,
    ) -> Self {
        let all: Vec<T> = all.into_iter().collect();
        let all: Vec<&str> = all.iter().map(AsRef::as_ref).collect();
        self.with(key, all.join(between))
    }

    /// The etcdctl of this version, and what it shows and trusts.
    #[must_use]
    pub(crate) fn with_etcdctl(self, layout: &Layout, version: EtcdVersion) -> Self {
        let [etcdctl, cacert, cert, key] = credentials(layout, version);
        self.with("etcdctl", etcdctl).with("cacert", cacert).with("cert", cert).with("key", key)
    }

    /// All of both.
    #[must_use]
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// As they are sent.
    pub(crate) fn into_words(self) -> Vec<String> {
        self.0
    }
}

/// A call of `script` for a step, with its guard.
pub(crate) fn guarded(
    step: &Step,
    script: &'static str,
    arguments: Arguments,
) -> Result<Call, Failure> {
    let all = guard::arguments(step, None)?.and(arguments);
    Ok(patient(call(script, all, Payload::new()), guard::patience(step)))
}

/// A call that may take as long as its script says that it waits, and works.
pub(crate) fn call(script: &'static str, arguments: Arguments, payload: Payload) -> Call {
    let deadline = WORK + super::waits(script);
    Call { script, args: arguments.into_words(), payload, deadline, max_reply: MAX_REPLY }
}

/// The same for a script that is also told how long to wait: so many seconds.
pub(crate) fn patient(call: Call, seconds: u64) -> Call {
    Call { deadline: call.deadline + Duration::from_secs(seconds), ..call }
}
