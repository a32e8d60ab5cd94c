//! A plan as text. The same plan gives the same text, and without colour nothing is lost: symbols
//! and words stand for themselves.

mod age;
mod blocked;
mod describe;
mod diff;
mod graph;
mod narrowed;
mod now;
mod plan;
mod since;
mod steps;

pub use age::age;
pub use blocked::blocked;
pub use describe::describe;
use describe::describe_many;
pub use diff::files;
pub use graph::{dot, mermaid};
pub use now::{cluster as cluster_now, late, leader};
pub(crate) use plan::counted;
pub use plan::{findings, plan};
pub use since::moved;

/// How a plan is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Whether it is coloured.
    pub style: Style,
    /// Whether equal hosts share lines.
    pub hosts: Hosts,
    /// The columns of the terminal; `None` where it is no terminal, and everything is shown.
    pub width: Option<usize>,
}

impl Page {
    /// For files and pipes.
    pub const PLAIN: Self = Self { style: Style::Plain, hosts: Hosts::Folded, width: None };
}

/// Whether hosts on which the same is done share lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hosts {
    /// They do.
    #[default]
    Folded,
    /// Each host has its own.
    Expanded,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Nothing but text.
    Plain,
    /// With ANSI colours.
    Colour,
}

/// The colours of plans, as readers of other plans know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// What is made.
    Green,
    /// What is changed, and warnings.
    Yellow,
    /// What is destroyed, and what is refused.
    Red,
    /// What is only looked at.
    Cyan,
    /// Headings.
    Bold,
    /// What may be skipped when reading.
    Dim,
}

impl Style {
    /// Text in a colour, where colours are wanted.
    pub fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Green => "32",
            Paint::Yellow => "33",
            Paint::Red => "31",
            Paint::Cyan => "36",
            Paint::Bold => "1",
            Paint::Dim => "2",
        };
        match self {
            Style::Plain => text.to_owned(),
            Style::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
