//! The pure core: what is wanted and what was seen, to a plan. No I/O, no clock, no randomness, no
//! secrets.
//!
//! - [`spec`]: the desired state, expanded from the inventory.
//! - [`facts`]: what was seen, as types; others do the looking.
//! - [`plan()`]: the decision, in stages: assess what was seen, preflight, identity, then form a new
//!   cluster or converge a formed one, and put the steps in order.
//! - [`Plan`] and [`report`]: the decision as a value, and what it says to people.

mod decide;
pub mod facts;
pub mod fingerprint;
pub mod graph;
pub mod layout;
mod named;
pub mod plan;
pub mod policy;
pub mod progress;
pub mod quorum;
pub mod recovery;
pub mod report;
pub mod selection;
pub mod since;
pub mod spec;
pub mod stops;
pub mod text;

pub use decide::apiservers::{api_server_attributes, api_server_changes, may_be_another};
pub use decide::assess::cluster_now;
pub use decide::ca_end::{CaEnd, HasEnded};
pub use decide::certificates::attributes;
pub use decide::down::{missing_files, why_down};
pub use decide::firewall::{HostFirewall, firewalls};
pub use decide::formed::{FormedRecord, record_path, records};
pub use decide::locks::{TooFewToLock, hosts_to_lock};
pub use decide::planner::{PlanError, plan};
pub use decide::preflight::cost;
pub use decide::restore::restore_token;
pub use decide::runtime::MANIFEST_ATTRIBUTES;
pub use decide::upgrade::not_announced;
pub use facts::{HostFacts, Observed, SiteFacts};
pub use plan::{Plan, Step, StepId, StepKind};
pub use policy::Policy;
pub use selection::Selection;
pub use spec::{SiteSpec, expand};
