//! Filling in `~`, `%` tokens and variables.

use super::error::ConfigProblem;

/// What tokens stand for.
pub struct Tokens<'a> {
    /// `%d` and `~`.
    pub home: &'a str,
    /// `%u`.
    pub local_user: &'a str,
    /// `%n`.
    pub original: &'a str,
    /// `%h`.
    pub host: &'a str,
    /// `%p`.
    pub port: u16,
    /// `%r`.
    pub user: &'a str,
    /// `%k`: the alias, or the original name.
    pub key_name: &'a str,
    /// `%l`, and `%L` up to its first dot: this machine's name.
    pub machine: &'a str,
    /// `%i`.
    pub uid: u32,
    /// `${NAME}`.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Tokens<'_> {
    /// A path with everything filled in.
    pub fn path(&self, text: &str) -> Result<String, ConfigProblem> {
        let unknown = |token: String| ConfigProblem::Token { token, value: text.to_owned() };
        let mut path = String::new();
        let mut rest = text;
        if let Some(below) = text.strip_prefix('~') {
            if !below.is_empty() && !below.starts_with('/') {
                return Err(unknown("~ of another user".to_owned()));
            }
            path.push_str(self.home);
            rest = below;
        }
        while let Some(at) = rest.find(['%', '$']) {
            path.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(name) = rest.strip_prefix("${") {
                let (name, after) = name.split_once('}').ok_or_else(|| unknown("${".to_owned()))?;
                let value = (self.variable)(name);
                path.push_str(&value.ok_or_else(|| unknown(format!("${{{name}}}")))?);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('%') {
                let token = after.chars().next().ok_or_else(|| unknown("%".to_owned()))?;
                self.token(token, &mut path).ok_or_else(|| unknown(format!("%{token}")))?;
                rest = &after[token.len_utf8()..];
            } else {
                path.push('$');
                rest = &rest[1..];
            }
        }
        path.push_str(rest);
        Ok(path)
    }

    /// A command for a shell with its tokens filled in. Variables are the shell's. What the inventory can
    /// say must be a plain word: ssh, too, takes no names of hosts and users that a shell would take
    /// apart, and lets fewer characters pass as `$` and `*` here, because inventories come from others.
    pub fn command(&self, text: &str) -> Result<String, ConfigProblem> {
        let mut command = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            command.push_str(before);
            let token = after.chars().next().unwrap_or('%');
            let start = command.len();
            let name = format!("%{token}");
            if after.is_empty() || self.token(token, &mut command).is_none() {
                return Err(ConfigProblem::Token { token: name, value: text.to_owned() });
            }
            let value = &command[start..];
            if matches!(token, 'n' | 'h' | 'r' | 'k') && !is_plain(value) {
                return Err(ConfigProblem::Unsafe { token: name, value: value.to_owned() });
            }
            rest = &after[token.len_utf8()..];
        }
        command.push_str(rest);
        Ok(command)
    }

    fn token(&self, token: char, path: &mut String) -> Option<()> {
        match token {
            '%' => path.push('%'),
            'd' => path.push_str(self.home),
            'u' => path.push_str(self.local_user),
            'n' => path.push_str(self.original),
            'h' => path.push_str(self.host),
            'r' => path.push_str(self.user),
            'k' => path.push_str(self.key_name),
            'p' => path.push_str(&self.port.to_string()),
            'i' => path.push_str(&self.uid.to_string()),
            'l' => path.push_str(self.machine),
            'L' => path.push_str(self.machine.split('.').next().unwrap_or_default()),
            _ => return None,
        }
        Some(())
    }
}

/// Whether no shell sees more in it than one word that is no option.
fn is_plain(value: &str) -> bool {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%' | '@' | '+');
    !value.is_empty() && !value.starts_with('-') && value.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, ConfigProblem> {
        with("web.example.net", "ops").path(text)
    }

    fn with<'a>(host: &'a str, user: &'a str) -> Tokens<'a> {
        Tokens {
            home: "/home/ada",
            local_user: "ada",
            original: "web",
            host,
            port: 2222,
            user,
            key_name: "alias",
            uid: 7,
            machine: "desk.example.net",
            variable: &|name| (name == "KEYS").then(|| "/keys".to_owned()),
        }
    }

    #[test]
    fn a_command_gets_plain_words_and_keeps_what_is_the_shells() {
        for (text, command) in [
            ("nc %h %p", "nc web.example.net 2222"),
            ("a '%r@%n' \"$HOME\" ${X} ~ | b %%h", "a 'ops@web' \"$HOME\" ${X} ~ | b %h"),
            ("%k %u %d %i %l %L", "alias ada /home/ada 7 desk.example.net desk"),
        ] {
            assert_eq!(with("web.example.net", "ops").command(text).as_deref(), Ok(command));
        }
        for text in ["x %C", "x %", "x %é", "%X"] {
            let problem = with("h", "u").command(text).unwrap_err();
            assert!(matches!(problem, ConfigProblem::Token { .. }), "{problem}");
        }
    }

    /// What OpenSSH refuses in names of hosts and users (`valid_hostname`, `valid_ruser`), and what it
    /// lets pass although a shell takes it apart.
    #[test]
    fn no_name_of_a_host_or_a_user_is_more_than_a_word_to_a_shell() {
        for good in ["web1", "10.0.0.1", "fe80::1%eth0", "_x", "ops@example.net", "a+b"] {
            assert_eq!(with(good, good).command("%h %r"), Ok(format!("{good} {good}")));
        }
        let taken_apart = "'`\"$\\;&<>|(){},*?[]~#!^= \t\n\r\u{b}\u{0}\u{7f}é/";
        for bad in
            taken_apart.chars().map(|c| format!("a{c}b")).chain(["-oX".to_owned(), String::new()])
        {
            for (host, user, token) in [(bad.as_str(), "u", "%h"), ("h", bad.as_str(), "%r")] {
                let expected =
                    ConfigProblem::Unsafe { token: token.to_owned(), value: bad.clone() };
                assert_eq!(with(host, user).command(&format!("x {token}")), Err(expected));
            }
        }
    }

    #[test]
    fn tokens_home_and_variables_are_filled_in() {
        for (text, path) in [
            ("~/.ssh/id", "/home/ada/.ssh/id"),
            ("~", "/home/ada"),
            (
                "%d/%u/%n/%h/%p/%r/%k/%i/%%h",
                "/home/ada/ada/web/web.example.net/2222/ops/alias/7/%h",
            ),
            ("${KEYS}/%r~", "/keys/ops~"),
            ("/a$b", "/a$b"),
        ] {
            assert_eq!(fill(text).as_deref(), Ok(path), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_is_named() {
        for (text, token) in [
            ("/x%C", "%C"),
            ("/x%", "%"),
            ("/x%é", "%é"),
            ("${NONE}", "${NONE}"),
            ("${KEYS", "${"),
            ("~bob/id", "~ of another user"),
        ] {
            let expected = ConfigProblem::Token { token: token.to_owned(), value: text.to_owned() };
            assert_eq!(fill(text), Err(expected), "{text}");
        }
    }
}
