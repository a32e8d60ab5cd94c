//! API servers: the commands `kubernetes …` and `api-server …`.

use std::collections::BTreeMap;

use inventories::inventory::Place;
use inventories::{KeyPrefix, Kubernetes, KubernetesMode, KubernetesName, StoredResource};

use super::{Scene, parsed};
use crate::api_server::SimApiServer;
use crate::site::{cluster, host};
use crate::world::SimHost;

/// Where kubeadm puts it.
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

impl Scene {
    /// What the inventory says of Kubernetes.
    pub(super) fn kubernetes(&mut self, words: &[&str]) -> Result<(), String> {
        let name = KubernetesName::new("prod").map_err(|error| error.to_string())?;
        let known = self.inventory.kubernetes.remove(&name);
        let mut wanted = known.unwrap_or_else(|| Kubernetes {
            apiservers: Vec::new(),
            cluster: cluster(0),
            overrides: BTreeMap::new(),
            prefix: KeyPrefix::default(),
            mode: KubernetesMode::StaticPod { manifest: MANIFEST.to_owned() },
            flags: BTreeMap::new(),
            place: Place { file: "quorate.toml".to_owned(), line: 30 },
            places: BTreeMap::new(),
        });
        match *words {
            ["prefix", prefix] => {
                wanted.prefix = KeyPrefix::new(prefix).map_err(|error| error.to_string())?;
            }
            ["override", what, number] => {
                let what = StoredResource::new(what).map_err(|error| error.to_string())?;
                wanted.overrides.insert(what, cluster(parsed(number)?));
            }
            ["render-only"] => wanted.mode = KubernetesMode::RenderOnly { version: None },
            ref hosts => wanted.apiservers = hosts.iter().map(|name| host(name)).collect(),
        }
        self.inventory.kubernetes.insert(name, wanted);
        Ok(())
    }

    /// The state of a host's API server.
    pub(super) fn api_server(&mut self, name: &str, words: &[&str]) -> Result<(), String> {
        let hosts = &mut self.world.hosts;
        // A host of its own need not be a member's.
        hosts.entry(host(name)).or_insert_with(|| crate::shared::Shared::new(SimHost::empty()));
        let Some(state) = hosts.get_mut(&host(name)) else { return Err(format!("no host {name}")) };
        if let [servers] = *words
            && servers.starts_with("https://")
        {
            state.api_server = Some(SimApiServer::of_kubeadm(servers));
            return Ok(());
        }
        let Some(server) = &mut state.api_server else {
            return Err(format!("{name} has no API server"));
        };
        match *words {
            ["broken"] => server.is_broken = true,
            ["sound"] => {
                server.is_broken = false;
                server.process = Some(server.manifest.clone());
            }
            ["stopped"] => server.process = None,
            ["in-a-shell"] => {
                server.manifest = server.manifest.replace("- kube-apiserver\n", "- sh\n    - -c\n");
            }
            ["edited", from, to] => {
                server.manifest = server.manifest.replace(from, to);
                server.process = Some(server.manifest.clone());
            }
            ["other", id, keys] => server.other = Some((id.to_owned(), parsed(keys)?)),
            _ => return Err("no such command".to_owned()),
        }
        Ok(())
    }
}
