//! Control groups, one a host: what freezes a host, ends it, and keeps hosts from seeing each other.
//!
//! A group of the same name is made in every hierarchy of the machine before the host's first
//! process starts, so that the host's own view begins there. Version 1 (with the named hierarchies
//! of a hybrid machine) and version 2 differ in what is mounted and in how a group is frozen.
//!
//! Tried on a hybrid machine (Debian 12, kernel 6.18), and there with a version 2 tree mounted over
//! it, which has no controllers then. A machine that boots with version 2 alone was not tried.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::LabError;

/// The variable that names a file for the CPU time of each group that is removed, in milliseconds a line:
/// hosts are nobody's children, so a test learns their time nowhere else.
const USED: &str = "QUORATE_LAB_CPU";

/// Which control groups this machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hierarchies {
    /// One hierarchy a controller, and perhaps a version 2 one beside them.
    V1(Vec<PathBuf>),
    /// A single hierarchy.
    V2(PathBuf),
}

impl Hierarchies {
    /// Reads what is mounted.
    pub fn of_this_machine() -> Result<Self, LabError> {
        let path = Path::new("/proc/self/mountinfo");
        let text = fs::read_to_string(path).map_err(LabError::file("read", path))?;
        Ok(Self::parse(&text))
    }

    /// Reads `/proc/self/mountinfo`. A version 2 tree at `/sys/fs/cgroup` itself is the only one
    /// that counts, as systemd sees it.
    fn parse(mountinfo: &str) -> Self {
        let mut hierarchies = Vec::new();
        for line in mountinfo.lines() {
            let Some((mount, kind)) = line.split_once(" - ") else { continue };
            let Some(point) = mount.split(' ').nth(4).map(PathBuf::from) else { continue };
            let version_2 = kind.starts_with("cgroup2 ");
            if version_2 && point == Path::new("/sys/fs/cgroup") {
                return Hierarchies::V2(point);
            }
            if (version_2 || kind.starts_with("cgroup ")) && point.starts_with("/sys/fs/cgroup") {
                hierarchies.push(point);
            }
        }
        Hierarchies::V1(hierarchies)
    }

    fn roots(&self) -> &[PathBuf] {
        match self {
            Hierarchies::V1(roots) => roots,
            Hierarchies::V2(root) => std::slice::from_ref(root),
        }
    }
}

/// A control group of one name in every hierarchy.
#[derive(Debug, Clone)]
pub struct Cgroup {
    name: String,
    hierarchies: Hierarchies,
}

impl Cgroup {
    /// The group of this name on this machine, whether it is there or not.
    pub fn named(name: &str) -> Result<Self, LabError> {
        Ok(Self { name: name.to_owned(), hierarchies: Hierarchies::of_this_machine()? })
    }

    /// Makes the group in every hierarchy that lacks it.
    pub fn ensure(&self) -> Result<(), LabError> {
        for root in self.hierarchies.roots() {
            let group = root.join(&self.name);
            fs::create_dir_all(&group).map_err(LabError::file("make", &group))?;
            // A cpuset without CPUs and memory nodes takes no process in.
            for setting in ["cpuset.cpus", "cpuset.mems"] {
                if let (Hierarchies::V1(_), Ok(value)) =
                    (&self.hierarchies, fs::read_to_string(root.join(setting)))
                {
                    let path = group.join(setting);
                    fs::write(&path, value.trim()).map_err(LabError::file("write", &path))?;
                }
            }
        }
        if let Hierarchies::V2(root) = &self.hierarchies {
            // Best effort: a controller that somebody else holds is one that hosts can't limit by.
            for controller in ["cpuset", "cpu", "io", "memory", "pids"] {
                let _ = fs::write(root.join("cgroup.subtree_control"), format!("+{controller}"));
            }
        }
        Ok(())
    }

    /// The files that take a process in, by writing its id to each.
    pub fn entrances(&self) -> Vec<PathBuf> {
        self.hierarchies
            .roots()
            .iter()
            .map(|root| root.join(&self.name).join("cgroup.procs"))
            .collect()
    }

    /// Every process in the group and below it.
    pub fn processes(&self) -> BTreeSet<u32> {
        let groups = self.folders();
        let read =
            |group: &PathBuf| fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        let texts: Vec<String> = groups.iter().map(read).collect();
        // In a frozen or nested version 1 group the kernel shows 0 for processes of another
        // namespace; 0 is nobody.
        texts
            .iter()
            .flat_map(|text| text.lines())
            .filter_map(|line| line.parse().ok())
            .filter(|pid| *pid != 0)
            .collect()
    }

    /// The CPU time that its processes used, those that have ended among them.
    pub fn cpu_time(&self) -> Result<Duration, LabError> {
        let path = match &self.hierarchies {
            Hierarchies::V1(roots) => {
                let of = |root: &PathBuf| root.join(&self.name).join("cpuacct.usage");
                roots.iter().map(of).find(|path| path.exists()).unwrap_or_default()
            }
            Hierarchies::V2(root) => root.join(&self.name).join("cpu.stat"),
        };
        let text = fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
        Ok(match &self.hierarchies {
            Hierarchies::V1(_) => Duration::from_nanos(text.trim().parse().unwrap_or_default()),
            Hierarchies::V2(_) => {
                let used = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
                Duration::from_micros(used.and_then(|used| used.parse().ok()).unwrap_or_default())
            }
        })
    }

    /// Stops every process of the group, and returns when all stand still.
    pub fn freeze(&self) -> Result<(), LabError> {
        let deadline = Instant::now() + Duration::from_secs(5);
        let (write, read, frozen) = match &self.hierarchies {
            Hierarchies::V1(_) => ("FROZEN", "freezer.state", "FROZEN"),
            Hierarchies::V2(_) => ("1", "cgroup.events", "frozen 1"),
        };
        self.write_freezer(write)?;
        let path = self.freezer_file().with_file_name(read);
        loop {
            let state = fs::read_to_string(&path).map_err(LabError::file("read", &path))?;
            if state.lines().any(|line| line == frozen) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(LabError::Unfreezable(self.name.clone()));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets the processes of a frozen group continue.
    pub fn thaw(&self) -> Result<(), LabError> {
        self.write_freezer(match &self.hierarchies {
            Hierarchies::V1(_) => "THAWED",
            Hierarchies::V2(_) => "0",
        })
    }

    /// Limits the writes per second to a device, `MAJOR:MINOR`; lifts the limit with
    /// `None`. In version 1 a group inside this one, such as that of a unit with a weight, is not
    /// held up.
    pub fn limit_writes(&self, device: &str, per_second: Option<u32>) -> Result<(), LabError> {
        let (path, line) = match &self.hierarchies {
            Hierarchies::V1(_) => (
                Path::new("/sys/fs/cgroup/blkio")
                    .join(&self.name)
                    .join("blkio.throttle.write_iops_device"),
                format!("{device} {}", per_second.unwrap_or(0)),
            ),
            Hierarchies::V2(root) => {
                let limit = per_second.map_or_else(|| "max".to_owned(), |limit| limit.to_string());
                (root.join(&self.name).join("io.max"), format!("{device} wiops={limit}"))
            }
        };
        fs::write(&path, line).map_err(LabError::file("write", &path))
    }

    /// Kills every process of the group, frozen ones too, and waits until none is left.
    pub fn kill(&self, patience: Duration) -> Result<(), LabError> {
        let deadline = Instant::now() + patience;
        loop {
            let processes = self.processes();
            if processes.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let list = processes.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
                return Err(LabError::Leftovers(vec![format!(
                    "processes of {}: {list}",
                    self.name
                )]));
            }
            let pids = processes.iter().map(u32::to_string);
            // Some may have ended since they were listed: what counts is that none is left.
            let _ = crate::tool::succeeds("kill", ["-KILL".to_owned()].into_iter().chain(pids))?;
            // A frozen process takes its death only once it is thawed.
            let _ = self.thaw();
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Removes the group from every hierarchy. Its processes must have ended.
    pub fn remove(&self) -> Result<(), LabError> {
        self.account();
        for group in self.folders() {
            match fs::remove_dir(&group) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(LabError::file("remove", &group)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds the CPU time that its processes used to the file that [`USED`] names.
    fn account(&self) {
        let (Some(path), Ok(used)) = (env::var_os(USED), self.cpu_time()) else { return };
        let line = format!("{}\n", used.as_millis());
        // A figure for people: a lab that can't write it continues without it.
        let file = File::options().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }

    /// The folders of the group in every hierarchy, children before their parents.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for root in self.hierarchies.roots() {
            let group = root.join(&self.name);
            if group.is_dir() {
                collect(&group, &mut folders);
            }
        }
        folders
    }

    fn write_freezer(&self, value: &str) -> Result<(), LabError> {
        let path = self.freezer_file();
        fs::write(&path, value).map_err(LabError::file("write", &path))
    }

    fn freezer_file(&self) -> PathBuf {
        match &self.hierarchies {
            Hierarchies::V1(_) => {
                Path::new("/sys/fs/cgroup/freezer").join(&self.name).join("freezer.state")
            }
            Hierarchies::V2(root) => root.join(&self.name).join("cgroup.freeze"),
        }
    }
}

fn collect(group: &Path, folders: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), folders);
        }
    }
    folders.push(group.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_machine_has_one_tree_a_controller() {
        let mountinfo = "\
20 1 0:5 / /proc rw - proc proc rw
30 29 0:26 / /sys/fs/cgroup rw,nosuid shared:5 - tmpfs cgroup rw,mode=755
31 30 0:27 / /sys/fs/cgroup/systemd rw shared:6 - cgroup cgroup rw,name=systemd
32 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
33 30 0:29 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
";
        let expected =
            ["systemd", "unified", "freezer"].map(|name| Path::new("/sys/fs/cgroup").join(name));
        assert_eq!(Hierarchies::parse(mountinfo), Hierarchies::V1(expected.to_vec()));
    }

    #[test]
    fn a_unified_machine_has_one_tree() {
        let mountinfo =
            "30 29 0:26 / /sys/fs/cgroup rw,nosuid shared:5 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(Hierarchies::parse(mountinfo), Hierarchies::V2("/sys/fs/cgroup".into()));
    }
}
