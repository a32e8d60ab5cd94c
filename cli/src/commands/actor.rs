//! Who runs this program, as hosts note it.

/// Person and machine.
pub(super) fn actor() -> String {
    let named = |key: &str| std::env::var(key).ok().filter(|value| !value.is_empty());
    let user = named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| "root".to_owned());
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    one_line(&format!("{user}@{node}"))
}

/// A host's files have one value a line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
