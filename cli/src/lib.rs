//! Everything of quorate that touches the world: SSH, the terminal, files, exit codes.

pub mod engine;
