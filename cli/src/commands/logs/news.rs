//! What members wrote since they were asked last. They are asked from the newest line on that each has shown: no
//! clock of ours takes part, and no line is shown twice or left out unsaid.

use std::collections::BTreeMap;
use std::mem;

use time::OffsetDateTime;

use super::{Answers, MOST_NEW, Member};
use engine::lock::LockError;
use engine::sessions::logs::{Line, Logs};

/// What is printed of a member.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// A new line.
    Line(Line),
    /// It wrote more than is read at once.
    LeftOut,
    /// Its host is away; said once.
    Away(String),
    /// Its host refuses logins, and is not read again.
    Refused(String),
}

/// How far each member was read.
#[derive(Debug, Default)]
pub(super) struct News {
    members: BTreeMap<Member, Read>,
}

#[derive(Debug, Default)]
struct Read {
    /// The lines of the newest moment that was shown.
    newest: Vec<Line>,
    away: bool,
}

impl News {
    /// Starts behind what was read first.
    pub(super) fn new(first: &[(Member, Result<Logs, LockError>)]) -> Self {
        let mut news = Self::default();
        for (member, said) in first {
            let read = news.members.entry(member.clone()).or_default();
            match said {
                Ok(logs) => read.up_to(&logs.lines),
                Err(_) => read.away = true,
            }
        }
        news
    }

    /// From when on a member is asked: it may have written more in the moment of its newest line.
    pub(super) fn since(&self, member: &Member) -> Option<OffsetDateTime> {
        Some(self.members.get(member)?.newest.first()?.at)
    }

    /// Whether a member's host was not away before.
    pub(super) fn goes_away(&mut self, member: &Member) -> bool {
        let read = self.members.entry(member.clone()).or_default();
        !mem::replace(&mut read.away, true)
    }

    /// What is new in these answers, by time.
    pub(super) fn take(&mut self, answers: Answers) -> Vec<(Member, Said)> {
        let (mut lines, mut words) = (Vec::new(), Vec::new());
        for (member, said) in answers {
            let read = self.members.entry(member.clone()).or_default();
            match said {
                Ok(logs) => {
                    read.away = false;
                    let most = usize::try_from(MOST_NEW).unwrap_or(usize::MAX);
                    if (logs.cut_off || logs.lines.len() >= most) && !read.reaches(&logs.lines) {
                        words.push((member.clone(), Said::LeftOut));
                    }
                    let new = read.behind(&logs.lines);
                    read.up_to(&logs.lines);
                    lines.extend(new.into_iter().map(|line| (member.clone(), line)));
                }
                Err(error) if !read.away => {
                    read.away = true;
                    words.push((member, Said::Away(error.to_string())));
                }
                Err(_) => {}
            }
        }
        lines.sort_by(|a, b| (a.1.at, &a.0).cmp(&(b.1.at, &b.0)));
        words.extend(lines.into_iter().map(|(member, line)| (member, Said::Line(line))));
        words
    }
}

impl Read {
    /// Whether lines begin no later than what was shown ends.
    fn reaches(&self, lines: &[Line]) -> bool {
        match (self.newest.first(), lines.first()) {
            (Some(shown), Some(first)) => first.at <= shown.at,
            _ => true,
        }
    }

    /// The lines behind what was shown. Several may be of the same moment.
    fn behind(&self, lines: &[Line]) -> Vec<Line> {
        let Some(shown) = self.newest.first() else { return lines.to_vec() };
        let mut left = self.newest.clone();
        let is_new = |line: &&Line| {
            if line.at != shown.at {
                return line.at > shown.at;
            }
            match left.iter().position(|known| known == *line) {
                Some(known) => {
                    left.swap_remove(known);
                    false
                }
                None => true,
            }
        };
        lines.iter().filter(is_new).cloned().collect()
    }

    fn up_to(&mut self, lines: &[Line]) {
        let newest = lines.iter().map(|line| line.at).max();
        if newest >= self.newest.first().map(|line| line.at) {
            let of_it = |line: &&Line| Some(line.at) == newest;
            let newest: Vec<Line> = lines.iter().filter(of_it).cloned().collect();
            if !newest.is_empty() {
                self.newest = newest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Member {
        ("etcd-1".parse().unwrap(), "main".parse().unwrap())
    }

    fn answer(lines: &[(i64, &str)]) -> Answers {
        let line = |(at, text): &(i64, &str)| Line {
            at: OffsetDateTime::from_unix_timestamp(*at).unwrap(),
            text: (*text).to_owned(),
        };
        let lines = lines.iter().map(line).collect();
        vec![(member(), Ok(Logs { lines, ..Logs::default() }))]
    }

    fn texts(said: Vec<(Member, Said)>) -> Vec<String> {
        let text = |(_, said)| match said {
            Said::Line(line) => line.text,
            other => format!("{other:?}"),
        };
        said.into_iter().map(text).collect()
    }

    #[test]
    fn each_line_is_shown_once_even_in_the_same_second() {
        let mut news = News::new(&answer(&[(1, "a"), (2, "b")]));
        assert_eq!(news.since(&member()).unwrap().unix_timestamp(), 2);
        let again = answer(&[(2, "b"), (2, "b"), (2, "c"), (3, "d")]);
        assert_eq!(texts(news.take(again)), ["b", "c", "d"]);
        assert_eq!(texts(news.take(answer(&[(3, "d")]))), [""; 0]);
        assert_eq!(texts(news.take(answer(&[]))), [""; 0]);
        assert_eq!(texts(news.take(answer(&[(3, "d"), (3, "e")]))), ["e"]);
    }

    #[test]
    fn what_came_too_fast_is_said_to_be_left_out() {
        let mut news = News::new(&answer(&[(1, "a")]));
        let many: Vec<(i64, &str)> = (0..i64::from(MOST_NEW)).map(|n| (n + 5, "x")).collect();
        let said = news.take(answer(&many));
        assert_eq!(said.len(), many.len() + 1);
        assert_eq!(said[0].1, Said::LeftOut);

        let mut news = News::new(&answer(&[(1, "a")]));
        let mut few = answer(&[(5, "x")]);
        few[0].1.as_mut().unwrap().cut_off = true;
        assert_eq!(texts(news.take(few)), ["LeftOut", "x"]);
    }

    #[test]
    fn a_host_that_is_away_is_named_once_until_it_is_back() {
        let away = || {
            let why = "reset".to_owned();
            let error = engine::lock::LockError::Away { host: member().0, why };
            vec![(member(), Err(error))]
        };
        let mut news = News::new(&answer(&[(1, "a")]));
        assert_eq!(texts(news.take(away())), ["Away(\"etcd-1: reset\")"]);
        assert_eq!(texts(news.take(away())), [""; 0]);
        assert_eq!(texts(news.take(answer(&[(1, "a"), (2, "b")]))), ["b"]);
        assert_eq!(news.take(away()).len(), 1);
    }
}
