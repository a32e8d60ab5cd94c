//! URLs that are secrets, or hold one.

use super::REMOVED;

/// The line with no login, no query and no webhook in its URLs.
pub(super) fn without_secrets(line: &str) -> String {
    each(line, |url| {
        let path = Url::new(url);
        let is_hook = url.to_ascii_lowercase().contains("hook");
        path.shown(is_hook)
    })
}

/// The line with nothing of its URLs but their hosts.
pub(super) fn only_hosts(line: &str) -> String {
    each(line, |url| Url::new(url).shown(true))
}

/// The line with each URL, from behind its `://` to the next blank or quote, as `shown` has it.
fn each(line: &str, shown: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, behind) = rest.split_at(at + 3);
        out.push_str(before);
        let end = behind
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
            .unwrap_or(behind.len());
        out.push_str(&shown(&behind[..end]));
        rest = &behind[end..];
    }
    out.push_str(rest);
    out
}

/// What is behind a URL's `://`.
struct Url<'a> {
    has_login: bool,
    /// The host and its port.
    host: &'a str,
    path: &'a str,
    has_query: bool,
}

impl<'a> Url<'a> {
    fn new(url: &'a str) -> Self {
        // A password may hold everything that separates elsewhere.
        let (has_login, rest) = match url.rsplit_once('@') {
            Some((_, rest)) => (true, rest),
            None => (false, url),
        };
        let (rest, has_query) = match rest.split_once(['?', '#']) {
            Some((rest, _)) => (rest, true),
            None => (rest, false),
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self { has_login, host, path, has_query }
    }

    fn shown(&self, hides_path: bool) -> String {
        let login = if self.has_login { format!("{REMOVED}@") } else { String::new() };
        let path = match self.path {
            "" | "/" => self.path.to_owned(),
            _ if hides_path => format!("/{REMOVED}"),
            path => path.to_owned(),
        };
        let query = if self.has_query { format!("?{REMOVED}") } else { String::new() };
        format!("{login}{}{path}{query}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_stays_and_what_may_be_a_secret_goes() {
        for (line, said) in [
            ("https://h:1/a/b", "https://h:1/a/b"),
            ("at https://u:p@h/a?q#f now", "at https://[removed]@h/a?[removed] now"),
            ("\"https://u:a@b/c@h\", \"x\"", "\"https://[removed]@h\", \"x\""),
            ("https://chat/hooks/abc", "https://chat/[removed]"),
            ("https://", "https://"),
        ] {
            assert_eq!(without_secrets(line), said);
        }
        assert_eq!(only_hosts("https://h:1/a/b?c x"), "https://h:1/[removed]?[removed] x");
    }
}
