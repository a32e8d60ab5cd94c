//! The last gate before a terminal or a CI log: whatever a host or a file said, it is only text.

use std::env;
use std::sync::LazyLock;

use planner::text::Style;

/// A reader of a log that may take its lines for commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runner {
    /// Nobody.
    None,
    /// Buildkite, for which a line that begins like a difference of files is a heading.
    Buildkite,
    /// Any other CI system.
    Other,
}

static RUNNER: LazyLock<Runner> = LazyLock::new(|| {
    let set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    // GitHub, GitLab and most others; Azure Pipelines, TeamCity, Jenkins.
    let others =
        ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD", "TEAMCITY_VERSION", "JENKINS_URL"];
    match set(&"BUILDKITE") {
        true => Runner::Buildkite,
        false if others.iter().any(set) => Runner::Other,
        false => Runner::None,
    }
});

/// Takes out control characters other than newline and tab, and what turns the direction of
/// writing around. Colours survive where colours are wanted. In CI, what a runner would take for a command
/// is kept from being one.
pub fn safe(text: &str, style: Style) -> String {
    let text = visible(text, style);
    match *RUNNER {
        Runner::None => text,
        runner => no_commands(&text, runner),
    }
}

/// The reader of this process's output.
pub(super) fn runner() -> Runner {
    *RUNNER
}

fn visible(text: &str, style: Style) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let sequence = if c == '\u{1b}' { colour_sequence(rest) } else { None };
        match sequence {
            Some(sequence) => {
                if style == Style::Colour {
                    out.push_str(sequence);
                }
                rest = &rest[sequence.len()..];
            }
            None => {
                if c == '\n' || c == '\t' || !(c.is_control() || is_deceptive(c)) {
                    out.push(c);
                }
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// `ESC [ digits ; digits m` at the beginning of a text.
fn colour_sequence(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[end..].starts_with('m').then(|| &text[..2 + end + 1])
}

/// Bidirectional controls, zero-width characters and line separators.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{feff}' | '\u{61c}')
}

/// What a line begins with that is a heading for Buildkite.
const HEADINGS: [&str; 4] = ["--- ", "+++ ", "~~~ ", "^^^ "];

/// Keeps CI runners from obeying: lines that begin with `::`, leading blanks left out of account; `##[`,
/// `##vso[` and `##teamcity[` wherever they stand; sections of GitLab and Travis, which need control
/// characters as well; headings.
fn no_commands(text: &str, runner: Runner) -> String {
    let is_heading = |line: &str| {
        runner == Runner::Buildkite && HEADINGS.iter().any(|heading| line.starts_with(heading))
    };
    let defused = |line: &str| match line.trim_start().starts_with("::") || is_heading(line) {
        true => format!("| {line}"),
        false => line.to_owned(),
    };
    let text = ["section_start:", "section_end:", "travis_fold:"]
        .iter()
        .fold(no_bracketed(text), |text, word| text.replace(word, &word.replace(':', " :")));
    text.split_inclusive('\n').map(defused).collect()
}

/// `##WORD[` gets a blank.
fn no_bracketed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("##") {
        let (before, behind) = rest.split_at(at + 1);
        out.push_str(before);
        rest = behind;
        if let Some(word) = behind.strip_prefix('#')
            && word.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).starts_with('[')
        {
            out.push_str("# ");
            rest = word;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_colour_reaches_the_terminal() {
        let hostile = "\u{1b}[31mred\u{1b}[0m\u{1b}[2J\u{1b}]0;t\u{7} a\u{202e}b\r\n\tend\u{9b}5m";
        assert_eq!(visible(hostile, Style::Plain), "red[2J]0;t ab\n\tend5m");
        assert_eq!(visible(hostile, Style::Colour), "\u{1b}[31mred\u{1b}[0m[2J]0;t ab\n\tend5m");
    }

    #[test]
    fn a_difference_of_files_is_no_heading_for_others() {
        let said = "--- a\n+++ b\n";
        assert_eq!(no_commands(said, Runner::Other), said);
    }

    #[test]
    fn a_host_gives_no_commands_to_a_ci_runner() {
        for (said, defused) in [
            ("ok\n  ::set-env name=PATH::x\n", "ok\n|   ::set-env name=PATH::x\n"),
            ("##[group]x\nfd00::1\n", "## [group]x\nfd00::1\n"),
            ("it said: ##[add-mask]x", "it said: ## [add-mask]x"),
            ("##vso[task.setvariable variable=a]b", "## vso[task.setvariable variable=a]b"),
            ("###teamcity[buildStop]", "### teamcity[buildStop]"),
            ("####[x]", "#### [x]"),
            ("## heading [x]", "## heading [x]"),
            ("section_start:1:x", "section_start :1:x"),
            (
                "--- a\n+++ b\n~~~ c\n^^^ +++\n ---- \n",
                "| --- a\n| +++ b\n| ~~~ c\n| ^^^ +++\n ---- \n",
            ),
        ] {
            assert_eq!(no_commands(said, Runner::Buildkite), defused);
            assert_eq!(no_commands(defused, Runner::Buildkite), defused);
        }
    }
}
