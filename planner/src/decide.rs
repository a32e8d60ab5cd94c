//! Every decision, each from values to values. [`planner`] puts them in order; [`assess`], [`preflight`] and
//! [`identity`] judge what was seen; [`form`] and [`converge`] decide which steps there are, with [`roll`], [`trials`]
//! and [`kubelets`] for what goes from member to member.

pub(crate) mod archives;
pub(crate) mod assess;
pub(crate) mod bootstrap;
pub(crate) mod ca_end;
pub(crate) mod certificates;
pub(crate) mod converge;
pub(crate) mod defrag;
pub(crate) mod difference;
pub(crate) mod discovery;
pub(crate) mod down;
pub(crate) mod drop_ins;
pub(crate) mod ensure;
pub(crate) mod form;
pub(crate) mod formed;
pub(crate) mod identity;
pub(crate) mod join;
pub(crate) mod kubelets;
pub(crate) mod leave;
pub(crate) mod leaving;
pub(crate) mod locks;
pub(crate) mod lost;
pub(crate) mod machines;
pub(crate) mod maintenance;
pub(crate) mod member_context;
pub(crate) mod membership;
pub(crate) mod moving;
pub(crate) mod order;
pub(crate) mod origin;
pub(crate) mod planner;
pub(crate) mod preflight;
pub(crate) mod readdress;
pub(crate) mod roll;
pub(crate) mod runtime;
pub(crate) mod sandbox;
pub(crate) mod trials;
pub(crate) mod unknowns;
