//! `quorate completions`

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::Context;
use crate::args::Cli;
use crate::exit::ExitCode;
use crate::terminal::AsIs;

/// Arguments of `quorate completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(context: &Context, arguments: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    generate(arguments.shell, &mut Cli::command(), "quorate", &mut script);
    context.terminal.print_bytes(&script, AsIs::Everywhere);
    ExitCode::Done
}
