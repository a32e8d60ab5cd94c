//! `CanonicalizeHostname`: whether ssh would look a name up and continue with another one.
//!
//! It needs DNS, so quorate does not follow it. Where ssh would leave the name as it is, it only reads the
//! files again, and that we do.

use super::error::ConfigProblem;
use super::line::Line;
use super::settings::{first, is_none, yes_or_no};

/// What the lines about it say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Canonicalize {
    when: Option<When>,
    /// Whether domains are named that a name may be completed with.
    domains: Option<Named>,
    /// Whether aliases of a name may take its place.
    aliases: Option<Named>,
    /// A name with more dots is whole.
    dots: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Never,
    /// Unless something else makes the connection.
    Direct,
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    None,
    Some,
}

/// Who makes the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// We do.
    Direct,
    /// A jump host or a command.
    Through,
}

/// What ssh does with a name before it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Untouched,
    /// It is kept, and the files are read again.
    ReadAgain,
    /// It may become another one.
    Changed,
}

impl Canonicalize {
    /// Takes one of its lines; `None` where it is not one.
    pub fn set(&mut self, line: &Line) -> Option<Result<(), ConfigProblem>> {
        let wrong =
            || ConfigProblem::Value { keyword: line.spelling.clone(), value: line.words.join(" ") };
        let Some(value) = line.words.first() else { return Some(Err(wrong())) };
        let named = if is_none(value) { Named::None } else { Named::Some };
        match line.keyword.as_str() {
            "canonicalizehostname" => {
                let when = match yes_or_no(value) {
                    Some(true) => When::Direct,
                    Some(false) => When::Never,
                    None if value.eq_ignore_ascii_case("always") => When::Always,
                    None => return Some(Err(wrong())),
                };
                first(&mut self.when, when);
            }
            "canonicaldomains" => first(&mut self.domains, named),
            "canonicalizepermittedcnames" => first(&mut self.aliases, named),
            "canonicalizemaxdots" => match value.parse() {
                Ok(dots) => first(&mut self.dots, dots),
                Err(_) => return Some(Err(wrong())),
            },
            _ => return None,
        }
        Some(Ok(()))
    }

    /// Whether a name is canonicalized at all, if ssh can.
    pub fn is_wanted(&self) -> bool {
        !matches!(self.when, None | Some(When::Never))
    }

    /// What becomes of this name.
    pub fn fate(&self, name: &str, way: Way) -> Fate {
        if !self.is_wanted() {
            return Fate::Untouched;
        }
        let is_address = name.contains(':') || name.parse::<std::net::IpAddr>().is_ok();
        let looked_up = way == Way::Direct || self.when == Some(When::Always);
        let completed = self.domains == Some(Named::Some)
            && name.matches('.').count() <= self.dots.unwrap_or(1);
        let replaced = self.aliases == Some(Named::Some);
        if !is_address && looked_up && (completed || replaced) {
            Fate::Changed
        } else {
            Fate::ReadAgain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(text: &str, name: &str, way: Way) -> Fate {
        let mut found = Canonicalize::default();
        for line in text.lines() {
            found.set(&Line::parse(line).unwrap().unwrap()).unwrap().unwrap();
        }
        found.fate(name, way)
    }

    #[test]
    fn only_a_name_that_may_become_another_one_is_refused() {
        let yes = "CanonicalizeHostname yes\n";
        let domains = "CanonicalizeHostname yes\nCanonicalDomains example.net\n";
        let aliases = "CanonicalizeHostname yes\nCanonicalizePermittedCNAMEs a:b\n";
        let always = "CanonicalizeHostname always\nCanonicalDomains example.net\n";
        for (text, name, way, expected) in [
            ("CanonicalizeHostname no\nCanonicalDomains x\n", "h1", Way::Direct, Fate::Untouched),
            ("CanonicalDomains x\n", "h1", Way::Direct, Fate::Untouched),
            (yes, "h1", Way::Direct, Fate::ReadAgain),
            (domains, "10.0.0.1", Way::Direct, Fate::ReadAgain),
            (domains, "fe80::1%eth0", Way::Direct, Fate::ReadAgain),
            (domains, "h1.prod.example.net", Way::Direct, Fate::ReadAgain),
            (domains, "h1", Way::Through, Fate::ReadAgain),
            (domains, "h1", Way::Direct, Fate::Changed),
            (domains, "h1.prod", Way::Direct, Fate::Changed),
            (always, "h1", Way::Through, Fate::Changed),
            (aliases, "h1.prod.example.net", Way::Direct, Fate::Changed),
            (aliases, "10.0.0.1", Way::Direct, Fate::ReadAgain),
        ] {
            assert_eq!(fate(text, name, way), expected, "{text}{name}");
        }
    }
}
