//! The `quorate` program.

fn main() -> std::process::ExitCode {
    quorate::core_dumps::forbid();
    quorate::commands::run(std::env::args_os())
}
