//! The command line of the lab.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate_lab::cli::main()
}
