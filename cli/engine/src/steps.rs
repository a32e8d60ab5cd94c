//! What each kind of step does on its host: one script, or several that belong together. One file a subject.

pub(crate) mod bootstrap;
pub mod certificates;
pub(crate) mod discovery;
pub(crate) mod host;
pub(crate) mod marker;
pub(crate) mod pods;
pub(crate) mod proof;
pub(crate) mod recording;
pub(crate) mod release;
pub(crate) mod roll;
pub(crate) mod trial;
pub(crate) mod unit;
