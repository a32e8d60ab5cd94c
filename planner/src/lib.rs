//! The pure core: what is wanted and what was seen, to a plan. No I/O, no clock, no randomness, no
//! secrets.
//!
//! - [`spec`]: the desired state, expanded from the inventory.
//! - [`facts`]: what was seen, as types; others do the looking.
//! - [`plan()`]: the decision, in stages: assess what was seen, preflight, identity, then form a new
//!   cluster or converge a formed one, and put the steps in order.
//! - [`Plan`] and [`report`]: the decision as a value, and what it says to people.

mod assess;
mod bootstrap;
mod ca_end;
mod certificates;
mod converge;
mod difference;
mod discovery;
mod down;
mod drop_ins;
mod ensure;
pub mod facts;
pub mod fingerprint;
mod form;
mod formed;
pub mod graph;
mod holes;
mod identity;
mod kubelets;
pub mod layout;
mod machines;
mod origin;
pub mod plan;
mod planner;
pub mod policy;
mod preflight;
pub mod progress;
pub mod quorum;
mod readdress;
mod replace;
pub mod report;
mod roll;
mod runtime;
mod sandbox;
pub mod selection;
pub mod since;
pub mod spec;
pub mod stops;
pub mod text;
mod trials;

pub use assess::cluster_now;
pub use ca_end::{CaEnd, HasEnded};
pub use certificates::attributes;
pub use down::{missing_files, why_down};
pub use facts::{HostFacts, Observed, SiteFacts};
pub use formed::{FormedRecord, record_path, records};
pub use plan::{Plan, Step, StepId, StepKind};
pub use planner::{PlanError, plan};
pub use policy::Policy;
pub use preflight::cost;
pub use runtime::MANIFEST_ATTRIBUTES;
pub use selection::Selection;
pub use spec::{SiteSpec, expand};
