//! What a step's script answered. The convention is written down in `script/sh/preamble.sh`.

use super::failure::Failure;
use crate::hosts::{Done, StepErrorKind};
use remote::{Reply, clean};

/// The guard does not hold.
const REFUSED: i32 = 80;
/// The payload did not arrive whole.
const CUT: i32 = 81;
/// The host could not download an archive.
const UNDOWNLOADED: i32 = 82;
/// What was changed is in its place, and may not last.
const UNSURE: i32 = 83;

/// What a script that did not fail said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What it did.
    pub(crate) done: Done,
    /// What it printed before that word.
    pub(crate) body: String,
}

/// Reads the reply of a script of ours.
pub(crate) fn read(reply: &Reply) -> Result<Answer, Failure> {
    let text = String::from_utf8_lossy(&reply.stdout);
    if reply.status == 0 {
        let text = text.trim_end();
        let (body, word) = text.rsplit_once('\n').unwrap_or(("", text));
        let done = match word {
            "changed" => Done::Changed,
            "already" => Done::Already,
            _ => return Err(Failure::failed("the script ended without its result")),
        };
        return Ok(Answer { done, body: body.to_owned() });
    }
    Err(match reply.status {
        REFUSED => Failure::new(StepErrorKind::Guard(reason(&text, "refused").0))
            .hinted("the host changed since the plan was made: plan again"),
        CUT => Failure::new(StepErrorKind::Unreachable(
            "what was sent did not arrive whole; nothing was changed".to_owned(),
        )),
        UNSURE => Failure::new(StepErrorKind::Unknown(reason(&text, "unsure").0)),
        status => failed(status, &text, &reply.stderr),
    })
}

/// Why the host could not download, if that is how the script ended.
pub(crate) fn undownloaded(reply: &Reply) -> Option<String> {
    let text = String::from_utf8_lossy(&reply.stdout);
    (reply.status == UNDOWNLOADED).then(|| reason(&text, "undownloaded").0)
}

fn failed(status: i32, text: &str, stderr: &str) -> Failure {
    let (why, rest) = reason(text, "failed");
    if why.is_empty() {
        // A command of the script failed; the last thing it said is why.
        let (before, last) = stderr.rsplit_once('\n').unwrap_or(("", stderr));
        let why = match last {
            "" => format!("the script ended with status {status}"),
            last => last.to_owned(),
        };
        return Failure::failed(why).with_words(before.as_bytes());
    }
    Failure::failed(why).with_words(format!("{rest}\n{stderr}").as_bytes())
}

/// What follows a word that begins a line, and everything after that line.
fn reason(text: &str, word: &str) -> (String, String) {
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
    let why = found.map(|why| clean(why.as_bytes())).unwrap_or_default();
    (why, lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: i32, stdout: &str, stderr: &str) -> Reply {
        Reply { status, stdout: stdout.as_bytes().to_vec(), stderr: stderr.to_owned() }
    }

    #[test]
    fn the_last_word_says_what_was_done() {
        let answer = read(&reply(0, "changed\n", "")).unwrap();
        assert_eq!(answer, Answer { done: Done::Changed, body: String::new() });
        let answer = read(&reply(0, "one\ntwo\nalready\n", "")).unwrap();
        assert_eq!(answer, Answer { done: Done::Already, body: "one\ntwo".to_owned() });
        assert!(read(&reply(0, "", "")).is_err());
    }

    #[test]
    fn a_refusal_is_no_failure_of_the_host() {
        let failure = read(&reply(80, "refused the host belongs to site b\n", "")).unwrap_err();
        assert!(matches!(&failure.kind, StepErrorKind::Guard(why) if why.ends_with("site b")));
    }

    /// Then the archive is sent from here.
    #[test]
    fn a_host_that_could_not_download_says_why() {
        let why = undownloaded(&reply(82, "undownloaded curl: (6) no such host\n", ""));
        assert_eq!(why.as_deref(), Some("curl: (6) no such host"));
        assert_eq!(undownloaded(&reply(1, "undownloaded by whom?\n", "")), None);
    }

    #[test]
    fn what_failed_after_the_change_is_not_known_to_have_changed_nothing() {
        let failure = read(&reply(83, "unsure /x is in place\n", "sync: error")).unwrap_err();
        assert!(matches!(&failure.kind, StepErrorKind::Unknown(why) if why == "/x is in place"));
        assert!(!failure.kind.changed_nothing());
    }

    #[test]
    fn a_failure_speaks_in_the_hosts_words() {
        let failure = read(&reply(1, "failed x failed\nline one\n", "")).unwrap_err();
        assert_eq!(failure.kind.to_string(), "x failed");
        assert_eq!(failure.words, ["line one"]);
        let failure = read(&reply(3, "", "a\nchown: invalid user: 'etcd'")).unwrap_err();
        assert_eq!(failure.kind.to_string(), "chown: invalid user: 'etcd'");
        assert_eq!(failure.words, ["a"]);
    }
}
