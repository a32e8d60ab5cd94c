//! Filling in `~`, `%` tokens and variables.

use super::error::ConfigProblem;

/// What tokens stand for.
pub(crate) struct Tokens<'a> {
    /// `%d` and `~`.
    pub(crate) home: &'a str,
    /// `%u`.
    pub(crate) local_user: &'a str,
    /// `%n`.
    pub(crate) original: &'a str,
    /// `%h`.
    pub(crate) host: &'a str,
    /// `%p`.
    pub(crate) port: u16,
    /// `%r`.
    pub(crate) user: &'a str,
    /// `%k`: the alias, or the original name.
    pub(crate) key_name: &'a str,
    /// `%i`.
    pub(crate) uid: u32,
    /// `${NAME}`.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Tokens<'_> {
    /// A path with everything filled in.
    pub(crate) fn path(&self, text: &str) -> Result<String, ConfigProblem> {
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
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &str) -> Result<String, ConfigProblem> {
        let variable = |name: &str| (name == "KEYS").then(|| "/keys".to_owned());
        Tokens {
            home: "/home/ada",
            local_user: "ada",
            original: "web",
            host: "web.example.net",
            port: 2222,
            user: "ops",
            key_name: "alias",
            uid: 7,
            variable: &variable,
        }
        .path(text)
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
