//! The flags in the arguments of kube-apiserver.

use std::ops::Range;

use super::pod::Argument;
use super::why::{NotUnderstood, Why};

/// A flag of kube-apiserver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Its name, without dashes in front.
    pub name: String,
    /// Its value; `None` for a switch without one.
    pub value: Option<String>,
    /// The line on which it stands, from 1.
    pub line: usize,
    /// Its arguments, by number: one, or two where the value is an argument of its own.
    pub(super) arguments: Range<usize>,
}

/// Reads the flags as kube-apiserver does.
pub(super) fn read(arguments: &[Argument]) -> Result<Vec<Flag>, NotUnderstood> {
    let mut flags = Vec::new();
    let first = usize::from(arguments.first().is_some_and(|first| !first.text.starts_with("--")));
    let mut number = first;
    while let Some(argument) = arguments.get(number) {
        let next = arguments.get(number + 1).filter(|next| !next.text.starts_with('-'));
        let (name, value) = split(argument)?;
        let (value, length) = match (value, next) {
            (Some(value), _) => (Some(value), 1),
            (None, Some(next)) => (Some(next.text.as_str()), 2),
            (None, None) => (None, 1),
        };
        if value.is_none() && name.starts_with("etcd-") {
            return Err(Why::NoValue(name).at(argument.line));
        }
        flags.push(Flag {
            name,
            // Kubernetes replaces `$(NAME)` in arguments, and reads `$$` as `$`.
            value: value.map(|value| value.replace("$$", "$")),
            line: argument.line,
            arguments: number..number + length,
        });
        number += length;
    }
    Ok(flags)
}

/// The name and the value of `--name=value`.
fn split(argument: &Argument) -> Result<(String, Option<&str>), NotUnderstood> {
    let text = argument.text.as_str();
    if text.starts_with("$(") {
        return Err(Why::Variable.at(argument.line));
    }
    if text == "--" {
        return Err(Why::EndOfFlags.at(argument.line));
    }
    let Some(flag) = text.strip_prefix("--") else {
        return Err(Why::NotAFlag.at(argument.line));
    };
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    if name.contains("$(") {
        return Err(Why::Variable.at(argument.line));
    }
    // kube-apiserver takes both.
    Ok((name.replace('_', "-"), value))
}
