//! Data directories, and the room that there is for more.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use planner::facts::{DataDirectory, DataOrigin, Observed};
use templates::Layout;
use templates::layout::ReleaseLayout;

use super::files::{Files, Inode};
use super::records::Records;
use super::request::Request;
use super::unread::Unread;
use super::wal;
use remote::clean;

/// What is in a cluster's data directory, as far as it decides anything.
pub(super) fn directory(
    records: &Records,
    files: &Files,
    layout: &Layout,
    cluster: &str,
) -> Observed<DataDirectory> {
    let path = layout.data_dir();
    let inode = match files.inode(&path) {
        Observed::Known(inode) if inode.is_directory() => inode,
        Observed::Known(_) => return Observed::Unknown(format!("{path} is not a directory")),
        Observed::Absent => return Observed::Absent,
        Observed::Unknown(why) => return Observed::Unknown(why),
    };
    if let Observed::Unknown(why) = files.inode(&layout.wal_dir()) {
        return Observed::Unknown(why);
    }
    let said = records.text(&format!("data:{cluster}")).unwrap_or_default();
    let (empty, wal) = match said.split_once(' ') {
        Some(("yes", "yes")) => (false, true),
        Some(("yes", "no")) => (false, false),
        Some(("no", "no")) => (true, false),
        _ => return Observed::Unknown(format!("{path} can't be listed")),
    };
    let (owner, group) = inode.owner();
    Observed::Known(DataDirectory {
        mode: inode.permissions(),
        owner: owner.to_owned(),
        group: group.to_owned(),
        empty,
        wal,
        owners: owners(files, layout),
        origin: origin(records, files, layout, cluster),
        restored: records.text(&format!("restored:{cluster}")).is_some(),
        archives: archives(records, cluster),
    })
}

/// What tells where the content is from, as far as the host was asked.
fn origin(records: &Records, files: &Files, layout: &Layout, cluster: &str) -> DataOrigin {
    let Some(head) = records.text(&format!("born:{cluster}")) else { return DataOrigin::default() };
    let logs: Vec<&Inode> = files.named(&layout.wal_dir(), ".wal").collect();
    let newest = logs.iter().filter_map(|log| log.written()).max();
    let token = files.inode(&layout.token_file()).known().and_then(Inode::written);
    let snapshots = format!("{}/snap", layout.member_dir());
    let databases = files.named(&snapshots, "db").map(|file| file.size as u64);
    DataOrigin {
        segments: logs.len(),
        snapshots: files.named(&snapshots, ".snap").count(),
        database: databases.max().unwrap_or_default(),
        older_than_token: newest.zip(token).is_some_and(|(log, token)| log < token),
        cluster_id: STANDARD.decode(head.trim()).ok().and_then(|head| wal::cluster_id(&head)),
    }
}

/// What `du` says of what was set aside.
fn archives(records: &Records, cluster: &str) -> BTreeMap<String, u64> {
    let said = records.text(&format!("archived:{cluster}")).unwrap_or_default();
    let entry = |line: &str| {
        let (bytes, path) = line.split_once('\t')?;
        let name = path.rsplit('/').next()?;
        Some((clean(name.as_bytes()), bytes.parse().ok()?))
    };
    said.lines().filter_map(entry).collect()
}

/// Whose the files are that etcd made, its directory among them.
fn owners(files: &Files, layout: &Layout) -> BTreeSet<String> {
    let made = layout.member_dir();
    let itself = files.inode(&made);
    let all = files.below(&made).chain(itself.known());
    all.map(Inode::owner).map(|(owner, group)| format!("{owner}:{group}")).collect()
}

/// Bytes that may still be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Room {
    /// Where the members' data is, for the member that has the least; its own data counts as free.
    pub(super) data: u64,
    /// The kinds of the file systems that it is on.
    pub(super) systems: BTreeSet<String>,
    /// Where releases are.
    pub(super) release: u64,
}

/// Reads how much room there is.
pub(super) fn room(records: &Records, files: &Files, request: &Request) -> Result<Room, Unread> {
    let said = records.need("room", "how much room its disks have")?;
    let disk = |path: &str| {
        disk(said, path).ok_or_else(|| Unread::Silent(format!("how much room {path} has")))
    };
    let (mut data, mut systems) = (u64::MAX, BTreeSet::new());
    for member in &request.members {
        let path = member.layout().data_dir();
        let ours = files
            .below(&path)
            .filter(|inode| !inode.is_directory())
            .map(|inode| inode.allocated)
            .fold(0, u64::saturating_add);
        let (free, system) = disk(&path)?;
        data = data.min(free.saturating_add(ours));
        systems.insert(clean(system.as_bytes()));
    }
    Ok(Room { data, systems, release: disk(ReleaseLayout::ROOT)?.0 })
}

/// The bytes that are free there, and the kind of the file system. The lines of `df --output=avail,fstype,file` are of
/// the nearest directories that are there.
fn disk<'s>(said: &'s str, path: &str) -> Option<(u64, &'s str)> {
    let covers = |above: &str| {
        path.strip_prefix(above)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || above.ends_with('/'))
    };
    said.lines()
        .filter_map(|line| {
            let (free, rest) = line.trim().split_once(' ')?;
            let (system, above) = rest.trim().split_once(' ')?;
            Some((free.parse().ok()?, system, above.trim()))
        })
        .filter(|(_, _, above)| covers(above))
        .max_by_key(|(_, _, above)| above.len())
        .map(|(free, system, _)| (free, system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_directory_tells_the_room() {
        let said = "      Avail Type File\n  100 ext4  /\n   5 nfs4  /var/lib/etcd\n        70 xfs /var/lib/etcd/main\n";
        assert_eq!(disk(said, "/var/lib/etcd/main"), Some((70, "xfs")));
        assert_eq!(disk(said, "/var/lib/etcd/other"), Some((5, "nfs4")));
        assert_eq!(disk(said, "/var/lib/etcdx"), Some((100, "ext4")));
        assert_eq!(disk("", "/var"), None);
    }
}
