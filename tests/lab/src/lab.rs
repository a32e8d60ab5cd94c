//! A lab as a whole: brought up, asked for its hosts, taken down.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread;

use crate::address::Subnet;
use crate::cache;
use crate::delay::RoundTrip;
use crate::discovery::{Discovery, Protocol};
use crate::dns::{self, Record};
use crate::error::LabError;
use crate::fault::Faults;
use crate::host::Host;
use crate::image;
use crate::kept;
use crate::ledger::{Ledger, Resource};
use crate::machine;
use crate::mirror;
use crate::name::{HostId, LabName};
use crate::network::{self, Network};
use crate::object_store::ObjectStore;
use crate::options::{Options, Stay, Tell};
use crate::releases::Version;
use crate::site::{self, SiteOptions};
use crate::state::{HostState, LabState, Process, StateFile, known_labs};
use crate::teardown;

/// A lab that is up.
#[derive(Debug)]
pub struct Lab {
    name: LabName,
    subnet: Subnet,
    stay: Stay,
}

impl Lab {
    /// Brings a lab up, and adds what it lacks if it is up already: hosts that were never there,
    /// hosts that were killed, its mirror.
    pub fn up(options: &Options) -> Result<Self, LabError> {
        require_root()?;
        teardown::sweep(options.tell)?;
        let images = Images::ensure(options)?;
        let file = StateFile::for_lab(&options.name);
        let guard = file.lock()?;
        let state = machine::prepared(|| ensure_state(&file, options, &images))?;
        let lab = Self { name: options.name.clone(), subnet: state.subnet, stay: options.stay };
        let filled = lab.fill(&state, options);
        // A lab that could not be filled takes itself down when it is dropped, and takes the lock
        // for that.
        drop(guard);
        filled.map(|()| lab)
    }

    /// Makes and boots what is written down and not there.
    fn fill(&self, state: &LabState, options: &Options) -> Result<(), LabError> {
        let file = self.file();
        let network = self.network();
        network.ensure_switch()?;
        let ids: Vec<HostId> = state.hosts.keys().copied().collect();
        ids.iter().try_for_each(|id| network.ensure_port(*id))?;
        network.link(&ids, state.distance)?;
        network.apply_faults(&state.faults)?;
        mirror::ensure(&self.name, &self.operator(), &self.ledger())?;
        self.serve_dns(state)?;
        let hosts: Vec<Host> = ids.iter().map(|id| self.handle(*id)).collect();
        in_parallel(&hosts, |host| {
            if let Some(kept) = &options.disks {
                kept::give(kept, host.id(), &cache::lab_disks(&self.name).join(host.name()))?;
            }
            host.boot()
        })?;
        let lines: Result<String, LabError> = hosts.iter().map(Host::known_hosts_lines).collect();
        let known_hosts = file.folder().join("known_hosts");
        fs::write(&known_hosts, lines?).map_err(LabError::file("write", &known_hosts))?;
        if let Some(kubelet) = &options.kubelet {
            in_parallel(&hosts, |host| {
                let versions = if host.has_kubelet()? { &kubelet.etcd[..] } else { &[] };
                let import = |version| host.import_etcd_image(version, options.tell).map(drop);
                versions.iter().copied().try_for_each(import)
            })?;
        }
        if options.stay == Stay::UntilDown {
            file.update(|state| state.owner = None, |_| Ok(()))?;
        }
        Ok(())
    }

    /// Does something with every host, all at once, then waits for each.
    pub(crate) fn on_all_hosts(
        &self,
        what: impl Fn(&Host) -> Result<(), LabError> + Sync,
    ) -> Result<(), LabError> {
        in_parallel(&self.hosts()?, what)
    }

    /// The lab of this name, which somebody else has brought up; dropping it leaves it up.
    pub fn open(name: &LabName) -> Result<Self, LabError> {
        let state =
            StateFile::for_lab(name).read()?.ok_or_else(|| LabError::NoLab(name.clone()))?;
        Ok(Self { name: name.clone(), subnet: state.subnet, stay: Stay::UntilDown })
    }

    /// Takes the lab down: every host with its disk, and everything that was made for them.
    pub fn down(mut self) -> Result<(), LabError> {
        self.stay = Stay::UntilDown;
        teardown::take_down(&self.name)?.wait_until_reaped();
        Ok(())
    }

    /// Its name.
    pub fn name(&self) -> &LabName {
        &self.name
    }

    /// Its addresses.
    pub fn subnet(&self) -> Subnet {
        self.subnet
    }

    /// A host of the lab by its number from 1.
    pub fn host(&self, number: u8) -> Result<Host, LabError> {
        let id = HostId::new(number).map_err(|_| LabError::NoSuchNumber(number))?;
        if self.state()?.hosts.contains_key(&id) {
            return Ok(self.handle(id));
        }
        Err(LabError::NoHost { lab: self.name.clone(), host: id })
    }

    /// Every host of the lab, in order.
    pub fn hosts(&self) -> Result<Vec<Host>, LabError> {
        Ok(self.state()?.hosts.keys().map(|id| self.handle(*id)).collect())
    }

    /// What the lab is now.
    pub fn state(&self) -> Result<LabState, LabError> {
        self.file().read()?.ok_or_else(|| LabError::NoLab(self.name.clone()))
    }

    /// Moves everybody so far apart, or together again.
    pub fn set_distance(&self, distance: RoundTrip) -> Result<(), LabError> {
        let network = self.network();
        let link = |state: &LabState| {
            let ids: Vec<HostId> = state.hosts.keys().copied().collect();
            network.link(&ids, state.distance)
        };
        self.file().update(|state| state.distance = distance, link)?;
        Ok(())
    }

    /// Gives every host the image of a version of etcd. All of them must run pods.
    pub fn import_etcd_image(&self, version: Version, tell: Tell) -> Result<(), LabError> {
        in_parallel(&self.hosts()?, |host| host.import_etcd_image(version, tell).map(drop))
    }

    /// Starts a discovery service without any record, which goes with the lab. One of the same
    /// protocol that runs already goes, with what it knew.
    pub fn discovery(&self, protocol: Protocol, tell: Tell) -> Result<Discovery, LabError> {
        Discovery::begin(&self.name, protocol, self.subnet.operator_v4(), self.ledger(), tell)
    }

    /// Starts an S3 server without buckets, which goes with the lab. One that runs already goes, with what it had.
    pub fn object_store(&self, tell: Tell) -> Result<ObjectStore, LabError> {
        ObjectStore::begin(&self.name, self.subnet.operator_v4(), self.ledger(), tell)
    }

    /// Where the mirror serves etcd's releases, without a slash at the end.
    pub fn mirror_url(&self) -> String {
        format!("http://{}:{}/etcd", self.subnet.operator_v4(), mirror::PORT)
    }

    /// Writes an inventory of the lab into a folder, which is made if it is missing, and returns
    /// the path of the file.
    pub fn site(&self, folder: &Path, options: &SiteOptions) -> Result<PathBuf, LabError> {
        site::write(self, folder, options)
    }

    /// Gives the hosts a DNS server with exactly these records.
    pub fn set_dns_records(&self, records: &[Record]) -> Result<(), LabError> {
        let change = |state: &mut LabState| state.dns = Some(records.to_vec());
        self.file().update(change, |state| self.serve_dns(state))?;
        Ok(())
    }

    /// Starts the DNS server that the state asks for, and lets every host use it that is there.
    fn serve_dns(&self, state: &LabState) -> Result<(), LabError> {
        let Some(records) = &state.dns else { return Ok(()) };
        dns::serve(&self.name, &self.operator(), records, &self.ledger())?;
        state.hosts.keys().try_for_each(|id| self.handle(*id).ask_for_names(state))
    }

    /// The addresses of the operator's machine.
    fn operator(&self) -> [IpAddr; 2] {
        [self.subnet.operator_v4().into(), self.subnet.operator_v6().into()]
    }

    fn handle(&self, id: HostId) -> Host {
        Host::new(&self.name, id, self.subnet)
    }

    fn file(&self) -> StateFile {
        StateFile::for_lab(&self.name)
    }

    fn ledger(&self) -> Ledger {
        Ledger::in_folder(self.file().folder())
    }

    fn network(&self) -> Network {
        Network::for_lab(&self.name, self.subnet, self.ledger())
    }
}

impl Drop for Lab {
    /// Takes the lab down if it goes with this process. What then can't be removed stays
    /// written down, and the next lab that is brought up tries again.
    fn drop(&mut self) {
        if self.stay == Stay::WhileOwned {
            let _ = teardown::take_down(&self.name);
        }
    }
}

/// Does something with every host, all at once, then waits for each.
fn in_parallel(
    hosts: &[Host],
    what: impl Fn(&Host) -> Result<(), LabError> + Sync,
) -> Result<(), LabError> {
    thread::scope(|scope| {
        let runs: Vec<_> = hosts.iter().map(|host| scope.spawn(|| what(host))).collect();
        runs.into_iter().try_for_each(|run| match run.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// The roots that the hosts of a lab boot from.
struct Images {
    plain: PathBuf,
    kubelet: Option<PathBuf>,
}

impl Images {
    fn ensure(options: &Options) -> Result<Self, LabError> {
        let kubelet = match options.kubelet {
            Some(_) => Some(image::ensure_with_kubelet(options.tell)?),
            None => None,
        };
        Ok(Self { plain: image::ensure(options.suite, options.tell)?, kubelet })
    }
}

/// The lab's state with all the hosts that are asked for, made if the lab is new.
fn ensure_state(
    file: &StateFile,
    options: &Options,
    images: &Images,
) -> Result<LabState, LabError> {
    let adjust = |state: &mut LabState| {
        let host = HostState { disk: options.disk, kubelet_image: images.kubelet.clone() };
        for id in HostId::first(options.hosts) {
            state.hosts.entry(id).or_insert_with(|| host.clone());
        }
        state.distance = options.distance.unwrap_or(state.distance);
        if options.dns.is_some() {
            state.dns.clone_from(&options.dns);
        }
    };
    if let Some(state) = file.update(adjust, |_| Ok(()))? {
        return Ok(state);
    }
    // Two labs that are new at the same time must not choose the same subnet.
    let _guard = cache::lock(&Path::new(cache::RUN).join("subnets.lock"))?;
    let namespace = network::this_namespace()?;
    let mut taken = Vec::new();
    for name in known_labs() {
        let place = StateFile::for_lab(&name).place().filter(|place| place.namespace == namespace);
        taken.extend(place.map(|place| place.subnet));
    }
    let free = Subnet::lowest_free(&taken).ok_or(LabError::NoSubnet)?;
    let subnet = options.disks.as_deref().map_or(Ok(free), kept::subnet)?;
    if taken.contains(&subnet) {
        return Err(LabError::SubnetTaken(subnet.operator_v4()));
    }
    let mut state = LabState {
        subnet,
        image: images.plain.clone(),
        hosts: BTreeMap::new(),
        faults: Faults::default(),
        distance: RoundTrip::NONE,
        dns: None,
        namespace,
        owner: Process::this(),
    };
    adjust(&mut state);
    let ledger = Ledger::in_folder(file.folder());
    teardown::undo(&ledger)?;
    let disks = cache::lab_disks(&options.name);
    // A machine that went down with the lab forgot the ledger, and kept the disks.
    teardown::remove_folder(&disks)?;
    ledger.record(&Resource::Folder(disks))?;
    file.write(&state)?;
    Ok(state)
}

fn require_root() -> Result<(), LabError> {
    let path = Path::new("/proc/self/status");
    let status = fs::read_to_string(path).map_err(LabError::file("read", path))?;
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    let effective = uids.split_whitespace().nth(1);
    if effective == Some("0") { Ok(()) } else { Err(LabError::NotRoot) }
}
