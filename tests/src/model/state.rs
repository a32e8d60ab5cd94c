//! The parts of a world that a walk keeps, each different one once.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use inventories::{ClusterName, HostName, Minor};
use templates::BootstrapToken;

use crate::roster::Listed;
use crate::shared::Shared;
use crate::world::SimHost;

/// A world, by the numbers of its parts.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct WorldState {
    pub(super) hosts: Vec<u32>,
    pub(super) clusters: u32,
}

/// What holds between hosts.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ClusterState {
    pub(super) formed: BTreeMap<ClusterName, String>,
    pub(super) leaders: BTreeMap<ClusterName, HostName>,
    pub(super) published: BTreeMap<(String, String), String>,
    pub(super) lists: BTreeMap<String, Vec<Listed>>,
    pub(super) added: u64,
    pub(super) revisions: BTreeMap<String, u64>,
    pub(super) versions: BTreeMap<String, Minor>,
    pub(super) downgrades: BTreeMap<String, Minor>,
}

/// One host.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HostState(pub(super) Shared<SimHost>);

impl Hash for HostState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let SimHost {
            on,
            reachable,
            addresses,
            slow,
            site,
            accounts,
            kubelet,
            images,
            room: _,
            standalone,
            releases,
            api_server,
            members,
        } = &*self.0;
        (on, reachable, slow, site.is_some(), accounts, kubelet, images, releases.len())
            .hash(state);
        (addresses, standalone).hash(state);
        let api_server = api_server.as_ref();
        api_server
            .map(|server| (&server.manifest, &server.process, server.files.len()))
            .hash(state);
        for member in members.values() {
            (member.directories, member.generation.is_some(), member.quorum_seen).hash(state);
            (&member.unit, member.process.is_some(), member.marker.is_some()).hash(state);
            (member.loaded.is_some(), &member.manifest, member.drop_ins.len()).hash(state);
            member.token.as_ref().map(BootstrapToken::as_str).hash(state);
            member.log.as_ref().map(|log| (&log.token, log.member_id())).hash(state);
            (member.archived.len(), member.staged.is_some(), member.oldest).hash(state);
            (&member.process, member.behind).hash(state);
        }
    }
}
