//! The template of the unit, and the one struct that fills it.

use std::sync::OnceLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde::Serialize;

const NAME: &str = "etcd.service";
const SOURCE: &str = include_str!("../../files/etcd.service.j2");

/// What the template may use; nothing else is defined in it.
#[derive(Debug, Serialize)]
pub(super) struct Variables {
    /// Quoted for systemd.
    pub(super) arguments: Vec<String>,
    pub(super) cluster: String,
    pub(super) config_dir: String,
    pub(super) config_root: &'static str,
    pub(super) data_dir: String,
    pub(super) data_root: &'static str,
    /// Whether it may start without a log: its cluster is not formed yet, or it joins one.
    pub(super) forming: bool,
    /// Whole lines of comment.
    pub(super) head: String,
    pub(super) member: String,
    /// Empty where there is none.
    pub(super) password_file: String,
    /// With what runs it in an environment of its own.
    pub(super) program: String,
    pub(super) quorum_witness: String,
    /// Whole lines, such as `Nice=-5`.
    pub(super) resources: Vec<String>,
    /// More paths that the operator's flags name, of those that the unit would hide.
    pub(super) shown: Vec<String>,
    pub(super) state_dir: String,
    /// The variables that systemd removes where it must give etcd a password; empty elsewhere.
    pub(super) unset: String,
    pub(super) user: String,
    pub(super) wal_glob: String,
}

impl Variables {
    pub(super) fn render(&self) -> Result<String, Error> {
        environment()?.get_template(NAME)?.render(Serde(self))
    }
}

/// The template, compiled once: a site of thousands of members renders each of their units.
fn environment() -> Result<&'static Environment<'static>, Error> {
    static COMPILED: OnceLock<Environment<'static>> = OnceLock::new();
    match COMPILED.get() {
        Some(compiled) => Ok(compiled),
        None => compiled().map(|compiled| COMPILED.get_or_init(|| compiled)),
    }
}

fn compiled() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
    environment.set_formatter(only_text);
    environment.add_template(NAME, SOURCE)?;
    Ok(environment)
}

/// minijinja prints `True`, `None` and `['a']` as Python does, which means nothing to systemd.
fn only_text(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number => write!(out, "{value}").map_err(Error::from),
        kind => {
            Err(Error::new(ErrorKind::BadSerialization, format!("a {kind} has no place in a unit")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_template_uses_every_variable_and_no_other() {
        let environment = compiled().unwrap();
        let used: BTreeSet<String> = environment
            .get_template(NAME)
            .unwrap()
            .undeclared_variables(true)
            .into_iter()
            .collect();
        let variables = Value::from(Serde(Variables {
            arguments: Vec::new(),
            cluster: String::new(),
            config_dir: String::new(),
            config_root: "",
            data_dir: String::new(),
            data_root: "",
            forming: true,
            head: String::new(),
            member: String::new(),
            password_file: String::new(),
            program: String::new(),
            quorum_witness: String::new(),
            resources: Vec::new(),
            shown: Vec::new(),
            state_dir: String::new(),
            unset: String::new(),
            user: String::new(),
            wal_glob: String::new(),
        }));
        let given = variables.try_iter().unwrap().map(|key| key.to_string());
        assert_eq!(used, given.collect());
    }

    #[test]
    fn only_text_is_ever_printed() {
        let mut environment = compiled().unwrap();
        for wrong in ["{{ true }}", "{{ none }}", "{{ ['a'] }}", "{{ missing }}"] {
            environment.add_template("wrong", wrong).unwrap();
            let rendered = environment.get_template("wrong").unwrap().render(());
            assert!(rendered.is_err(), "{wrong}: {rendered:?}");
        }
    }
}
