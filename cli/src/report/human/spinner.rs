//! The one line of a terminal that moves.

use std::time::Instant;

use crate::terminal::Terminal;

const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// Shows that something is running, and for how long. Draws nothing without a terminal.
#[derive(Debug)]
pub struct Spinner<'a> {
    terminal: &'a Terminal,
    started: Instant,
}

impl<'a> Spinner<'a> {
    /// Time counts from now.
    pub fn new(terminal: &'a Terminal) -> Self {
        Self { terminal, started: Instant::now() }
    }

    /// Draws what is running, cut to the terminal's width.
    pub fn draw(&self, what: &str) {
        if !self.terminal.is_live() {
            return;
        }
        let elapsed = self.started.elapsed();
        let frame = FRAMES[elapsed.as_millis() as usize / 100 % FRAMES.len()];
        let line = format!("{frame} {:>3} s  {what}", elapsed.as_secs());
        self.terminal.draw(&fit(&line, self.terminal.width()));
    }
}

/// A line that reaches the last column would wrap on some terminals.
fn fit(line: &str, width: usize) -> String {
    if line.chars().count() < width {
        return line.to_owned();
    }
    line.chars().take(width.saturating_sub(2)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_line_never_wraps() {
        let line = "⠋ ".to_owned() + &"x".repeat(200);
        for width in [20, 80, 203] {
            assert!(fit(&line, width).chars().count() < width);
        }
    }
}
