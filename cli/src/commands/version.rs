//! `quorate version`

use inventories::Minor;

use super::Context;
use crate::exit::ExitCode;

pub(super) fn run(context: &Context) -> ExitCode {
    let minors: Vec<String> = Minor::ALL.iter().map(Minor::to_string).collect();
    context.terminal.print(&format!(
        "quorate {}\netcd {}",
        env!("CARGO_PKG_VERSION"),
        minors.join(", ")
    ));
    ExitCode::Done
}
