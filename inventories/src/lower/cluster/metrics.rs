//! Where members serve their metrics.

use crate::defaults;
use crate::escape::escape;
use crate::inventory::MetricsListener;
use crate::report::{At, Finding, Report};
use crate::schema::Loc;
use crate::suggest::closest;

/// The choice that is written, or `None` where that was a mistake.
pub(super) fn read(raw: Option<&Loc<String>>, report: &mut Report<'_>) -> Option<MetricsListener> {
    let Some(raw) = raw else { return Some(defaults::METRICS) };
    let text = raw.value();
    if let Some(known) = MetricsListener::ALL.into_iter().find(|one| one.as_str() == text) {
        return Some(known);
    }
    let shown = escape(&text.chars().take(80).collect::<String>());
    let hint = match closest(text, MetricsListener::ALL.map(MetricsListener::as_str)) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => {
            "write: metrics = \"client\" or \"peer\", for the host's address of that kind; or leave it out"
                .to_owned()
        }
    };
    let message = format!("metrics can't be served at \"{shown}\"");
    report.add(Finding::error("metrics", &At::new(0, raw.span()), message).hint(hint));
    None
}
