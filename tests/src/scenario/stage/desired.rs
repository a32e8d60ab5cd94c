//! Changes of the inventory: the commands `inventory …`.

use inventories::SiteName;
use inventories::inventory::{Arch, Bootstrap, Flag, FlagValue, Place, ReleaseSource, Runtime};
use inventories::{ClusterName, Firewall, HostName};

use super::{CaFiles, Scene, parsed};
use crate::site::{authorities, host};

impl Scene {
    pub(super) fn change_inventory(&mut self, words: &[&str]) -> Result<(), String> {
        let inventory = &mut self.inventory;
        match *words {
            ["version", version] => {
                let version = parsed(version)?;
                let pins = &mut inventory.release.sha256;
                let all: Vec<_> =
                    pins.iter().map(|((_, arch), sum)| (*arch, sum.clone())).collect();
                pins.extend(all.into_iter().map(|(arch, sum)| ((version, arch), sum)));
                inventory.clusters.values_mut().for_each(|cluster| cluster.version = version);
            }
            ["pin", ref versions @ ..] => {
                for version in versions {
                    let pins = &mut inventory.release.sha256;
                    pins.insert((parsed(version)?, Arch::Amd64), "ab".repeat(32));
                }
            }
            ["members", ref names @ ..] => {
                let names: Vec<HostName> = names.iter().map(|name| host(name)).collect();
                for cluster in inventory.clusters.values_mut() {
                    cluster.members.clone_from(&names);
                }
            }
            ["members-of", cluster, ref names @ ..] => {
                let Some(cluster) = inventory.clusters.get_mut(&cluster_name(cluster)?) else {
                    return Err(format!("the inventory has no cluster {cluster}"));
                };
                cluster.members = names.iter().map(|name| host(name)).collect();
            }
            ["address", name, address] => {
                let address = parsed(address)?;
                let Some(host) = inventory.hosts.get_mut(&host(name)) else {
                    return Err(format!("the inventory has no host {name}"));
                };
                (host.address, host.peer_address) = (address, address);
                (host.listen_address, host.peer_listen_address) = (address, address);
            }
            ["listen-address", name, address] => {
                let address = parsed(address)?;
                let Some(host) = inventory.hosts.get_mut(&host(name)) else {
                    return Err(format!("the inventory has no host {name}"));
                };
                (host.listen_address, host.peer_listen_address) = (address, address);
            }
            ["peer-address", name, address] => {
                let address = parsed(address)?;
                let Some(host) = inventory.hosts.get_mut(&host(name)) else {
                    return Err(format!("the inventory has no host {name}"));
                };
                (host.peer_address, host.peer_listen_address) = (address, address);
            }
            ["peer-port", port] => {
                let port = parsed(port)?;
                inventory.clusters.values_mut().for_each(|cluster| cluster.ports.peer = port);
            }
            ["client-port", port] => {
                let port = parsed(port)?;
                inventory.clusters.values_mut().for_each(|cluster| cluster.ports.client = port);
            }
            ["flag", name, number] => {
                let value = FlagValue::Int(parsed(number)?);
                let flag = Flag { value, place: Place::default() };
                for cluster in inventory.clusters.values_mut() {
                    cluster.flags.insert(name.to_owned(), flag.clone());
                }
            }
            ["runtime", runtime] => {
                let all = [Runtime::Systemd, Runtime::StaticPod];
                let wanted = all.into_iter().find(|known| known.as_str() == runtime);
                let Some(wanted) = wanted else { return Err(format!("no runtime {runtime}")) };
                inventory.clusters.values_mut().for_each(|cluster| cluster.runtime = wanted);
            }
            ["static"] => {
                let clusters = inventory.clusters.values_mut();
                clusters.for_each(|cluster| cluster.bootstrap = Bootstrap::Static);
            }
            ["order", ref names @ ..] => {
                let order: Result<Vec<_>, _> =
                    names.iter().map(|name| cluster_name(name)).collect();
                inventory.site.order = order?;
            }
            ["name", name] => {
                inventory.site.name = SiteName::new(name).map_err(|error| error.to_string())?;
            }
            ["no-ca", name] => {
                self.at_hand.insert(cluster_name(name)?, CaFiles::Missing);
            }
            ["new-ca"] => self.world.authorities = authorities(self.world.authorities.len()),
            ["no-checksum"] => inventory.release.sha256.clear(),
            ["without", name] => {
                let name = cluster_name(name)?;
                self.forgotten.extend(inventory.clusters.remove(&name).map(|one| (name, one)));
            }
            // The same machine.
            ["rename", from, to] => {
                let (from, to) = (host(from), host(to));
                let (known, seen) = (inventory.hosts.remove(&from), self.world.hosts.remove(&from));
                let (Some(known), Some(seen)) = (known, seen) else {
                    return Err(format!("there is no host {from}"));
                };
                inventory.hosts.insert(to.clone(), known);
                self.world.hosts.insert(to.clone(), seen);
                let members = inventory.clusters.values_mut().flat_map(|one| &mut one.members);
                members.filter(|name| **name == from).for_each(|name| name.clone_from(&to));
            }
            ["without-host", name] => {
                inventory.hosts.remove(&host(name));
            }
            ["no-record", name] => {
                self.records.remove(&cluster_name(name)?);
            }
            ["from-file"] => {
                let path = "artifacts/etcd-v{version}-linux-{arch}.tar.gz".to_owned();
                inventory.release.source = ReleaseSource::Path(path);
            }
            ["no-firewall"] => inventory.firewall = None,
            ["clients", ref networks @ ..] => {
                let clients: Result<Vec<_>, _> =
                    networks.iter().map(|network| parsed(network)).collect();
                let (admin, monitoring) = (Vec::new(), Vec::new());
                inventory.firewall = Some(Firewall { admin, clients: clients?, monitoring });
            }
            ["proxy", proxy] => inventory.release.proxy = Some((*proxy).to_owned()),
            _ => return Err("no such change of an inventory".to_owned()),
        }
        Ok(())
    }
}

pub(super) fn cluster_name(text: &str) -> Result<ClusterName, String> {
    ClusterName::new(text).map_err(|error| error.to_string())
}
