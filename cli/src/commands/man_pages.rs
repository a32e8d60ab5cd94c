//! `quorate man-pages`, for those who make packages.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use crate::args::Cli;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;

/// Arguments of `quorate man-pages`.
#[derive(Debug, Args)]
pub struct ManPagesArgs {
    /// The folder to write them into
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(arguments: &ManPagesArgs) -> Result<ExitCode, CliError> {
    let out = &arguments.out;
    let written =
        fs::create_dir_all(out).and_then(|()| clap_mangen::generate_to(Cli::command(), out));
    written.map_err(|error| {
        let doing = format!("cannot write the manual pages to {}", out.display());
        CliError::failed(ErrorContext::new(doing, error))
    })?;
    Ok(ExitCode::Done)
}
