//! The scripts of the steps, run for real by dash and bash in a scratch folder.

mod archive;
mod arguments;
pub(crate) mod bench;
mod certificates;
mod defrag;
mod discovery;
mod files;
mod guards;
mod kubelet;
mod lint;
mod list_by_address;
mod locks;
mod machine;
mod membership;
mod move_leader;
mod pods;
mod recording;
mod release;
mod silence;
mod starts;
mod waits;
