//! Stories as text files: commands, and what quorate answers.
//!
//! A scenario is a dialogue. Commands stand above a line `----`, the answer below it,
//! up to the next such line; whatever starts with `#` tells the reader why:
//!
//! ```text
//! # nginx has the client port.
//! site members=3
//! listener etcd-1 2379 nginx
//! plan
//! ----
//! blocked: etcd-1 (c0): client port 2379 is taken by nginx [port-taken]
//! ----
//! ```
//!
//! The commands are those of [`stage::Stage::tell`]. With `REWRITE=1` the answers are rewritten;
//! commit only what you have read and understood.

pub mod file;
pub mod hosts;
pub mod stage;
pub mod twist;

use std::path::Path;

/// Plays one file, and says how the answers differ from those that are written there.
///
/// # Errors
/// The first block whose answer differs, or the line that could not be understood.
pub fn play(path: &Path, rewrite: bool) -> Result<(), String> {
    let shown = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let mut blocks = file::parse(&text).map_err(|error| format!("{shown}: {error}"))?;
    let mut stage = stage::Stage::default();
    for block in &mut blocks {
        let mut answer = String::new();
        for (line, command) in block.commands() {
            let told = stage.tell(command);
            answer += &told.map_err(|error| format!("{shown}:{line}: {command}: {error}"))?;
        }
        if !rewrite && answer != block.answer {
            return Err(format!(
                "{shown}:{}: the answer is another\n\n{}\nREWRITE=1 writes it into the file",
                block.line,
                file::difference(&block.answer, &answer)
            ));
        }
        block.answer = answer;
    }
    if rewrite {
        std::fs::write(path, file::print(&blocks)).map_err(|error| format!("{shown}: {error}"))?;
    }
    Ok(())
}
