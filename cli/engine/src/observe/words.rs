//! Why a member that does not serve ended last, in its own words.

use super::records::Records;
use crate::script::{explain, readable};
use remote::clean;

/// The most characters of a line that are shown.
const LONGEST: usize = 240;

/// Shows the journal of a cluster's unit.
const ASK: &str = "journalctl -n 30 -u etcd-";

/// The last line of its journal with which the process ended, or one that is known; and what it means.
pub(super) fn last(records: &Records, cluster: &str) -> Option<String> {
    let said = clean(records.text(&format!("words:{cluster}"))?.as_bytes());
    let lines: Vec<String> = said.lines().map(readable).collect();
    let is_end = |line: &&String| line.starts_with("fatal: ") || line.starts_with("panic: ");
    let known = || lines.iter().rfind(|line| explain(line).is_some());
    let cut = records.text(&format!("words-cut:{cluster}")).is_some();
    let found = lines.iter().rfind(is_end).or_else(known).or_else(|| before_the_end(&lines));
    let Some(line) = found else {
        return cut
            .then(|| format!("nothing that could be read in 2 s: run {ASK}{cluster} on the host"));
    };
    let mut shown: String = line.chars().take(LONGEST).collect();
    if cut {
        shown += " (reading its journal took more than 2 s and was stopped)";
    }
    Some(match explain(line) {
        Some(known) => format!("{shown}; {known}"),
        None => shown,
    })
}

/// What the process wrote before systemd saw it end; how it ended, where it wrote nothing.
fn before_the_end(lines: &[String]) -> Option<&String> {
    let end = lines.iter().rposition(|line| line.contains("exited, code="))?;
    let is_systemd = |line: &String| {
        line.contains(".service: ")
            || ["Start", "Stop", "Failed to start "].iter().any(|verb| line.starts_with(verb))
    };
    lines[..end].iter().next_back().filter(|line| !is_systemd(line)).or(lines.get(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(said: &str) -> Option<String> {
        let reply = format!("words:main {}\n{said}\n", said.len());
        last(&Records::parse(reply.as_bytes()).unwrap(), "main")
    }

    #[test]
    fn the_line_that_ended_it_is_shown_with_what_it_means() {
        let said = "{\"level\":\"warn\",\"msg\":\"x\",\"error\":\"permission denied\"}\n\
            {\"level\":\"fatal\",\"msg\":\"discovery failed\",\"error\":\"listen tcp 10.0.0.1:2380: bind: address already in use\"}\n\
            etcd-main.service: Main process exited, code=exited, status=1/FAILURE\n";
        let shown = words(said).unwrap();
        assert!(shown.starts_with("fatal: discovery failed: listen tcp 10.0.0.1:2380"), "{shown}");
        assert!(shown.contains("another process listens"), "{shown}");
    }

    #[test]
    fn what_systemd_says_counts_where_etcd_said_nothing() {
        let shown = words("etcd-main.service: Main process exited, status=203/EXEC\nScheduled\n");
        assert!(shown.unwrap().contains("could not run etcd's program"));
        assert_eq!(words("all is well\n"), None);
        let end = "etcd-main.service: Main process exited, code=dumped, status=6/ABRT";
        let end = |before: &str| words(&format!("{before}\n{end}\nStarted etcd\n")).unwrap();
        assert_eq!(end("some library: no such thing"), "some library: no such thing");
        assert!(end("Started etcd member etcd-1").contains("status=6/ABRT"));
    }

    #[test]
    fn a_journal_that_was_not_read_to_its_end_is_reported_as_that() {
        let cut = |said: &str| {
            let reply = format!("words-cut:main 3\nyes\nwords:main {}\n{said}\n", said.len());
            last(&Records::parse(reply.as_bytes()).unwrap(), "main").unwrap()
        };
        assert!(cut("").starts_with("nothing that could be read in 2 s: run journalctl"));
        assert!(cut("fatal: x").starts_with("fatal: x (reading its journal took more than 2 s"));
    }

    #[test]
    fn hostile_words_stay_short_and_plain() {
        let shown = words(&format!("panic: \u{1b}[2J{}\n", "x".repeat(5000))).unwrap();
        assert!(shown.len() < 300 && !shown.contains('\u{1b}'), "{shown}");
    }
}
