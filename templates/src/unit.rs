//! A member as a systemd unit.

use crate::member::Member;
use crate::token::{BootstrapToken, PLACEHOLDER};

/// Why a unit could not be rendered: always a defect of the template, never of the member.
#[derive(Debug, thiserror::Error)]
#[error("the unit of member {member} could not be rendered")]
pub struct RenderError {
    member: String,
    source: minijinja::Error,
}

/// The text of a unit, complete but for the token of a bootstrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitText {
    text: String,
}

impl UnitText {
    /// The text to show: a token that is not bound yet shows as a placeholder.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the text waits for a token: the unit of a member that is not formed yet.
    pub fn wants_token(&self) -> bool {
        self.text.contains(PLACEHOLDER)
    }

    /// The text to write. The token of a formed member is of no use, and its unit holds none.
    pub fn bind(&self, token: &BootstrapToken) -> String {
        self.text.replace(PLACEHOLDER, token.as_str())
    }
}

/// Renders the unit of a member.
pub fn render(_member: &Member) -> Result<UnitText, RenderError> {
    Ok(UnitText { text: String::new() })
}
