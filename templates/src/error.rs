//! Why a text could not be rendered.

use std::error::Error;

use inventories::KubernetesName;

use crate::member::Member;

/// A text could not be rendered: always a defect of quorate, never of what it is about.
#[derive(Debug, thiserror::Error)]
#[error("the {what} of {whose} could not be rendered")]
pub struct RenderError {
    what: &'static str,
    whose: String,
    source: Box<dyn Error + Send + Sync>,
}

impl RenderError {
    pub(crate) fn new(
        what: &'static str,
        member: &Member,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { what, whose: format!("member {}", member.name), source: source.into() }
    }

    pub(crate) fn of_kubernetes(
        what: &'static str,
        name: &KubernetesName,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self { what, whose: format!("Kubernetes cluster {name}"), source: source.into() }
    }
}
