//! Why a text could not be rendered.

use std::error::Error;

use crate::member::Member;

/// A unit or a pod could not be rendered: always a defect of quorate, never of the member.
#[derive(Debug, thiserror::Error)]
#[error("the {what} of member {member} could not be rendered")]
pub struct RenderError {
    what: &'static str,
    member: String,
    source: Box<dyn Error + Send + Sync>,
}

impl RenderError {
    pub(crate) fn of(
        what: &'static str,
        member: &Member,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { what, member: member.name.to_string(), source: source.into() }
    }
}
