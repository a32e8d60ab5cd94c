//! Whom a block of a configuration file is for.

use super::error::ConfigProblem;
use super::settings::Settings;
use super::{Ask, Commands, Passes, Subject};
use crate::known_hosts::matches_pattern;

/// Whether the lines of a block count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Activity {
    /// They do.
    Active,
    /// They do not.
    Inactive,
    /// Only this criterion, which is not supported, could tell.
    Undecidable(String),
}

impl Activity {
    /// Both must hold.
    pub(super) fn and(&self, other: Activity) -> Activity {
        match (self, other) {
            (Activity::Inactive, _) | (_, Activity::Inactive) => Activity::Inactive,
            (Activity::Undecidable(why), _) => Activity::Undecidable(why.clone()),
            (Activity::Active, other) => other,
        }
    }
}

/// A `Host` line: one pattern must match, and no negated one.
pub(super) fn host(patterns: &[String], name: &str) -> Activity {
    let mut found = Activity::Inactive;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(negated) if matches_pattern(negated, name) => return Activity::Inactive,
            None if matches_pattern(pattern, name) => found = Activity::Active,
            _ => {}
        }
    }
    found
}

/// What a `Match` line is held against.
pub(super) struct Criteria<'a> {
    pub subject: Subject<'a>,
    pub settings: &'a Settings,
    pub passes: Passes,
    pub ask: Ask<'a>,
    pub commands: Commands,
}

impl Criteria<'_> {
    /// Whether the line matches where `within` holds, and what it says about passes. A command is asked
    /// only where its answer matters.
    pub(super) fn check(
        &self,
        words: &[String],
        within: &Activity,
    ) -> Result<(Activity, Passes), ConfigProblem> {
        let mut activity = Activity::Active;
        let mut passes = self.passes;
        let mut words = words.iter().map(String::as_str);
        let mut count = 0;
        while let Some(word) = words.next() {
            // ssh takes `host=name` for `host name` here.
            let (word, mut joined) = match word.split_once('=') {
                Some((criterion, value)) if is_word(criterion) => (criterion, Some(value)),
                _ => (word, None),
            };
            let mut value = || joined.take().or_else(|| words.next());
            let plain = word.strip_prefix('!').unwrap_or(word);
            let negated = plain.len() < word.len();
            let criterion = plain.to_ascii_lowercase();
            let holds = match criterion.as_str() {
                "canonical" | "final" => {
                    if criterion == "final" && passes == Passes::First {
                        passes = Passes::FinalWanted;
                    }
                    self.passes == Passes::Final
                }
                "all" => {
                    if count > 0 || value().is_some() {
                        return Err(ConfigProblem::Match(word.to_owned()));
                    }
                    true
                }
                "exec" => {
                    count += 1;
                    let command = value().ok_or_else(|| ConfigProblem::Match(word.to_owned()))?;
                    if within.and(activity.clone()) != Activity::Active {
                        continue;
                    }
                    self.commands.may_run("Match exec")?;
                    (self.ask)(command, self.settings)?
                }
                "localnetwork" | "command" | "version" => {
                    count += 1;
                    value().ok_or_else(|| ConfigProblem::Match(word.to_owned()))?;
                    activity = activity.and(Activity::Undecidable(criterion));
                    continue;
                }
                _ => {
                    count += 1;
                    let list = value().ok_or_else(|| ConfigProblem::Match(word.to_owned()))?;
                    self.names(&criterion, list)
                        .ok_or_else(|| ConfigProblem::Match(word.to_owned()))?
                }
            };
            if holds == negated {
                activity = Activity::Inactive;
            }
        }
        Ok((activity, passes))
    }

    fn names(&self, criterion: &str, list: &str) -> Option<bool> {
        let original = self.subject.host;
        let local = self.subject.local_user;
        Some(match criterion {
            "host" => {
                let name = self.settings.connect_name(original);
                matches_list(&list.to_ascii_lowercase(), &name.to_ascii_lowercase())
            }
            "originalhost" => {
                matches_list(&list.to_ascii_lowercase(), &original.to_ascii_lowercase())
            }
            "user" => matches_list(list, self.settings.user.as_deref().unwrap_or(local)),
            "localuser" => matches_list(list, local),
            "tagged" => matches_list(list, self.settings.tag.as_deref().unwrap_or_default()),
            // We run commands, and open no shell.
            "sessiontype" => matches_list(&list.to_ascii_lowercase(), "exec"),
            _ => return None,
        })
    }
}

fn is_word(text: &str) -> bool {
    text.trim_start_matches('!').bytes().all(|b| b.is_ascii_alphabetic())
}

/// Patterns with commas between them; none may be negated for this name.
fn matches_list(list: &str, name: &str) -> bool {
    let patterns: Vec<String> = list.split(',').map(str::to_owned).collect();
    host(&patterns, name) == Activity::Active
}
