//! What a lab is: its hosts, its subnet, what is broken on purpose. One small file a lab.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process;

use serde::{Deserialize, Serialize};

use crate::address::Subnet;
use crate::cache;
use crate::delay::RoundTrip;
use crate::disk::DiskSize;
use crate::dns::Record;
use crate::error::LabError;
use crate::fault::Faults;
use crate::name::{HostId, LabName};

/// The name of the state file in a lab's folder.
const STATE: &str = "lab.json";

/// What a lab is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabState {
    /// The lab's addresses.
    pub subnet: Subnet,
    /// The root that its plain hosts boot from, also when the recipe has changed since.
    pub image: PathBuf,
    /// Every host of the lab, running or not.
    pub hosts: BTreeMap<HostId, HostState>,
    /// What is broken on purpose.
    pub faults: Faults,
    /// How far apart everybody is.
    pub distance: RoundTrip,
    /// The records of the DNS server that the hosts use, if they use one.
    #[serde(default)]
    pub dns: Option<Vec<Record>>,
    /// The network namespace that the operator's end is in. Labs in different ones may have the same subnet.
    #[serde(default)]
    pub namespace: u64,
    /// The process whose end makes this lab a leftover. `None` for a lab that is up to stay.
    pub owner: Option<Process>,
}

/// What a lab shares with no other of its network namespace.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Place {
    /// The lab's addresses.
    pub(crate) subnet: Subnet,
    /// The network namespace that the operator's end is in.
    #[serde(default)]
    pub(crate) namespace: u64,
}

/// What is particular to one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostState {
    /// The size of its disk.
    pub disk: DiskSize,
    /// The root that it boots from, if it runs pods. A plain host boots from the lab's.
    #[serde(default)]
    pub kubelet_image: Option<PathBuf>,
}

/// A process, told apart from a later one of the same id by when it was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pid: u32,
    /// Clock ticks since the machine's start.
    started: u64,
}

impl Process {
    /// This process.
    pub fn this() -> Option<Self> {
        Self::with_id(process::id())
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        Self::with_id(self.pid).as_ref() == Some(self)
    }

    /// The process that has this id now.
    pub(crate) fn with_id(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self { pid, started: start_time(&stat)? })
    }
}

/// The 22nd field of `/proc/PID/stat`. The second, the command's name in parentheses, may hold
/// anything, also spaces and parentheses.
fn start_time(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

/// The state file of one lab.
#[derive(Debug, Clone)]
pub struct StateFile {
    folder: PathBuf,
}

impl StateFile {
    /// The state of the lab of this name, whether it is there or not.
    pub fn for_lab(name: &LabName) -> Self {
        Self { folder: cache::lab_state(name) }
    }

    /// The folder that holds the state, and whatever else belongs to the running lab.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the state; `None` where there is no such lab.
    pub fn read(&self) -> Result<Option<LabState>, LabError> {
        let path = self.path();
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(|source| LabError::State { path, source }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LabError::file("read", &path)(source)),
        }
    }

    /// Where the lab is, also if another version wrote the rest of the state.
    pub(crate) fn place(&self) -> Option<Place> {
        serde_json::from_str(&fs::read_to_string(self.path()).ok()?).ok()
    }

    /// Replaces the state.
    pub fn write(&self, state: &LabState) -> Result<(), LabError> {
        cache::ensure_folder(&self.folder)?;
        let path = self.path();
        let text = serde_json::to_string_pretty(state)
            .map_err(|source| LabError::State { path: path.clone(), source })?;
        let partial = path.with_extension("partial");
        fs::write(&partial, text).map_err(LabError::file("write", &partial))?;
        fs::rename(&partial, &path).map_err(LabError::file("write", &path))
    }

    /// Changes the state while nobody else does, and brings the machine in line with it before
    /// anybody else may. Returns the state as it is then; `None` where there is no such lab.
    pub fn update(
        &self,
        change: impl FnOnce(&mut LabState),
        realize: impl FnOnce(&LabState) -> Result<(), LabError>,
    ) -> Result<Option<LabState>, LabError> {
        if !self.folder.is_dir() {
            return Ok(None);
        }
        let _guard = cache::lock(&self.folder.join("state.lock"))?;
        let Some(mut state) = self.read()? else { return Ok(None) };
        change(&mut state);
        self.write(&state)?;
        realize(&state)?;
        Ok(Some(state))
    }

    /// Takes the lock of a lab that nobody makes or takes down now.
    pub(crate) fn try_lock(&self) -> Result<Option<File>, LabError> {
        let path = self.folder.join("lock");
        let Some(file) = cache::try_lock(&path)? else { return Ok(None) };
        Ok(is_at(&file, &path)?.then_some(file))
    }

    /// Removes the folder of a lab that was taken down. The holder of its lock calls this. Somebody who waits to make
    /// a lab of this name may put a lock there meanwhile, which stays.
    pub(crate) fn discard(&self) -> Result<(), LabError> {
        gone(fs::remove_dir_all(&self.folder), &self.folder)
    }

    /// Removes the folder of a lab that was started and never written, and nothing in it that a lab
    /// does not write by then.
    pub(crate) fn discard_unfinished(&self) -> Result<(), LabError> {
        for file in ["ledger", "state.lock", "lab.partial", "lock"] {
            let path = self.folder.join(file);
            gone(fs::remove_file(&path), &path)?;
        }
        gone(fs::remove_dir(&self.folder), &self.folder)
    }

    /// Waits until nobody else makes or takes down this lab.
    pub fn lock(&self) -> Result<File, LabError> {
        let path = self.folder.join("lock");
        loop {
            let file = cache::lock(&path)?;
            if is_at(&file, &path)? {
                return Ok(file);
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(STATE)
    }
}

/// What somebody else removed first, or put something into, is no failure.
fn gone(removed: io::Result<()>, path: &Path) -> Result<(), LabError> {
    match removed {
        Err(error)
            if !matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) =>
        {
            Err(LabError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Whether an open lock is still the one at this path: its holder may have taken the lab down, and the
/// file with it.
fn is_at(lock: &File, path: &Path) -> Result<bool, LabError> {
    let inode = lock.metadata().map_err(LabError::file("read", path))?.ino();
    Ok(fs::metadata(path).is_ok_and(|there| there.ino() == inode))
}

/// The names of all labs that are up, or were when their maker died.
pub fn known_labs() -> Vec<LabName> {
    folders().filter(|(folder, _)| folder.join(STATE).is_file()).map(|(_, name)| name).collect()
}

/// The names of labs of which nothing is written but that somebody began to make them.
pub(crate) fn unfinished_labs() -> Vec<LabName> {
    folders().filter(|(folder, _)| !folder.join(STATE).is_file()).map(|(_, name)| name).collect()
}

/// The folders of labs, in the order of their names.
fn folders() -> impl Iterator<Item = (PathBuf, LabName)> {
    let entries = fs::read_dir(cache::RUN).into_iter().flatten().flatten();
    let mut folders: Vec<(PathBuf, LabName)> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .filter_map(|path| Some((path.clone(), path.file_name()?.to_str()?.parse().ok()?)))
        .collect();
    folders.sort();
    folders.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_and_not_by_its_id_alone() {
        let this = Process::this().unwrap();
        assert!(this.is_alive());
        let earlier = Process { started: this.started - 1, ..this };
        assert!(!earlier.is_alive());
    }

    #[test]
    fn a_hostile_command_name_does_not_hide_the_start_time() {
        let fields = (3..=52).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(start_time(&format!("17 (a) S 1 (b)) {fields}")), Some(22));
        assert_eq!(start_time("17 (a"), None);
    }

    #[test]
    fn a_lab_s_state_survives_being_written() {
        let host = HostState { disk: DiskSize::megabytes(64), kubelet_image: Some("/pods".into()) };
        let state = LabState {
            subnet: Subnet::lowest_free(&[]).unwrap(),
            image: "/image".into(),
            hosts: [(HostId::new(2).unwrap(), host)].into(),
            faults: Faults::default(),
            distance: RoundTrip::NONE,
            dns: Some(vec![Record::service("_a._tcp.test", "b.test", 1)]),
            namespace: 4_026_531_840,
            owner: Process::this(),
        };
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<LabState>(&text).unwrap(), state);
    }
}
