//! The `quorate` program.

fn main() -> std::process::ExitCode {
    quorate::commands::run(std::env::args_os())
}
