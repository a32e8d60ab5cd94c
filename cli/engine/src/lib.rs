//! What acts on hosts: the transport, and what is built on it.
//!
//! - [`hosts`]: the one door to the hosts; SSH in production, the strict simulator in tests.
//! - [`execute`]: drives a plan over that door and emits [`event`]s. It prints nothing.
//! - [`observe`]: one look at every host, as facts.
//! - [`pool`]: one connection a host.
//! - [`etcd`]: what `etcdctl` says, parsed.
//! - [`discovery_v2`]: services that make URLs at which members find each other.
//! - [`release`]: release archives on the operator's side.
//! - [`ssh_hosts`]: the door to the hosts that production uses.

pub mod bind;
pub mod discovery_v2;
pub mod etcd;
pub mod event;
pub mod execute;
pub mod hosts;
pub mod http;
pub mod lock;
pub mod observe;
pub mod pool;
pub mod release;
pub mod ssh_hosts;
