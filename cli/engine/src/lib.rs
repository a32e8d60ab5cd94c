//! What acts on hosts: the transport, and what is built on it.
//!
//! - [`hosts`]: the one interface to the hosts; SSH in production, the strict simulator in tests.
//! - [`execute`]: drives a plan over it and emits [`event`]s. It prints nothing.
//! - [`observe`]: one look at every host, as facts.
//! - [`pool`]: one connection a host.
//! - [`etcd`]: what `etcdctl` says, parsed.
//! - [`script`]: a script on its way to a host and back: arguments, guard, answer, failure; the `.sh` files.
//! - [`lock`]: who may change the hosts, and the locked connections that steps go over.
//! - `steps`: what each kind of step does, one file a subject.
//! - [`sessions`]: what is done on a host and is no step.
//! - [`backups`]: sealed snapshots in folders of the operator's side.
//! - [`discovery_v2`]: services that make URLs at which members find each other.
//! - [`release`]: release archives on the operator's side.
//! - [`ssh_hosts`]: the hosts over SSH: what production runs.

pub mod backups;
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
pub mod script;
pub mod sessions;
pub mod ssh_hosts;
pub mod steps;
