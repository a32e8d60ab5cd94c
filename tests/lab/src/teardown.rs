//! Removes what a lab created: everything in its ledger, nothing else.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::cache;
use crate::cgroup::Cgroup;
use crate::disk;
use crate::error::LabError;
use crate::host::Host;
use crate::ledger::{Ledger, Resource};
use crate::machine;
use crate::name::LabName;
use crate::network::{self, namespace_path};
use crate::options::{Note, Tell};
use crate::state::{LabState, Process, StateFile, known_labs, unfinished_labs};
use crate::tool;

/// Takes a lab down, whole or half made. Says nothing where there is none.
///
/// What can't be removed stays in the ledger, and everything else goes. Returns the processes
/// that were ended.
pub fn take_down(name: &LabName) -> Result<Ended, LabError> {
    let state = StateFile::for_lab(name);
    let _guard = state.lock()?;
    let ended = Ended::from_ledger(&Ledger::in_folder(state.folder()))?;
    // A state that can't be read, which another version may have written, stands in nobody's way:
    // the ledger names everything there is.
    if let Ok(Some(lab)) = state.read() {
        kill_hosts(name, &lab);
    }
    undo(&Ledger::in_folder(state.folder()))?;
    state.discard()?;
    machine::restore_after_last()?;
    Ok(ended)
}

/// Processes that were ended, and that the machine's first process may not have taken note of.
#[derive(Debug)]
pub struct Ended(Vec<Process>);

impl Ended {
    /// Every process that a ledger's groups hold now.
    fn from_ledger(ledger: &Ledger) -> Result<Self, LabError> {
        let mut processes = Vec::new();
        for resource in ledger.entries()? {
            if let Resource::Cgroup(name) = resource {
                let pids = Cgroup::named(&name)?.processes();
                processes.extend(pids.into_iter().filter_map(Process::with_id));
            }
        }
        Ok(Self(processes))
    }

    /// Waits a little until no process list shows them any more: some machines' first process
    /// looks after the dead only every few seconds. They hold nothing, whether listed or not.
    pub fn wait_until_reaped(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.0.iter().any(Process::is_alive) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Takes down every lab whose maker died before it was done with it.
///
/// One process at a time does this. A lab that resists is reported and left to the next sweep: it is not in the way
/// of other labs.
pub fn sweep(tell: Tell) -> Result<(), LabError> {
    let _alone = cache::lock(&Path::new(cache::RUN).join("sweep.lock"))?;
    for name in known_labs() {
        let state = StateFile::for_lab(&name);
        if is_orphaned(&state) {
            tell(&Note::Sweeping);
            if let Err(error) = take_down(&name) {
                tell(&Note::NotSwept { lab: name, why: error.to_string() });
            }
        }
    }
    for name in unfinished_labs() {
        let state = StateFile::for_lab(&name);
        // The process that makes it now holds the lock, and may have written what it is by then.
        if let Some(_guard) = state.try_lock()?
            && state.read()?.is_none()
        {
            state.discard_unfinished()?;
        }
    }
    Ok(())
}

/// A lab whose state another version wrote is not ours to judge, and stands in nobody's way.
fn is_orphaned(state: &StateFile) -> bool {
    let owner = state.read().ok().flatten().and_then(|lab| lab.owner);
    owner.is_some_and(|owner| !owner.is_alive())
}

/// Ends all hosts at once, each so that its nspawn can clean up after itself. What does not end
/// this way is left to the ledger.
fn kill_hosts(name: &LabName, lab: &LabState) {
    thread::scope(|scope| {
        for id in lab.hosts.keys() {
            scope.spawn(|| Host::new(name, *id, lab.subnet).kill());
        }
    });
}

/// Undoes a ledger, in an order in which nothing is still in use when its turn comes.
///
/// What resists is tried again for a while: a command that a killed maker had started may end only
/// now, and with it make what the ledger names.
pub(crate) fn undo(ledger: &Ledger) -> Result<(), LabError> {
    let mut resources = ledger.entries()?;
    // What was mounted last lies on top.
    resources.reverse();
    resources.sort_by_key(stage);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let leftovers: Vec<String> = resources.iter().filter_map(resistance).collect();
        if leftovers.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(LabError::Leftovers(leftovers));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Removes one thing, and says why that can't be done.
fn resistance(resource: &Resource) -> Option<String> {
    remove(resource).err().map(|error| format!("{resource:?}: {error}"))
}

fn stage(resource: &Resource) -> u8 {
    match resource {
        Resource::Cgroup(_) => 0,
        Resource::Container(_) => 1,
        Resource::Mount(_) => 2,
        Resource::Link(_) => 3,
        Resource::Netns(_) => 4,
        Resource::Folder(_) => 5,
    }
}

/// Removes one thing, if it is there.
fn remove(resource: &Resource) -> Result<(), LabError> {
    match resource {
        Resource::Cgroup(name) => {
            let group = Cgroup::named(name)?;
            group.kill(Duration::from_secs(20))?;
            group.remove()
        }
        Resource::Container(name) => {
            // Left behind where nspawn itself was killed. Later versions mount here.
            for folder in ["propagate", "unix-export"] {
                let path = Path::new("/run/systemd/nspawn").join(folder).join(name);
                disk::unmount(&path)?;
                remove_folder(&path)?;
            }
            Ok(())
        }
        Resource::Mount(point) => disk::unmount(point),
        Resource::Link(name) => {
            // One in another network namespace goes with its other end, in the switch's.
            if !network::has_link(name)? {
                return Ok(());
            }
            tool::run("ip", ["link", "delete", name]).map(drop)
        }
        Resource::Netns(name) => {
            if !namespace_path(name).exists() {
                return Ok(());
            }
            tool::run("ip", ["netns", "delete", name]).map(drop)
        }
        Resource::Folder(path) => remove_folder(path),
    }
}

/// Deletes a folder, unless something is still mounted in it: what would be deleted then is not
/// the lab's.
pub(crate) fn remove_folder(path: &Path) -> Result<(), LabError> {
    if let Some(point) = disk::mount_points()?.into_iter().find(|point| point.starts_with(path)) {
        return Err(LabError::Leftovers(vec![format!("{} is still mounted", point.display())]));
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_end_before_their_mounts_and_mounts_before_their_folders() {
        let mut resources = [
            Resource::Folder("/d".into()),
            Resource::Mount("/d/disk".into()),
            Resource::Mount("/d/disk/root".into()),
            Resource::Netns("n".into()),
            Resource::Cgroup("g".into()),
        ];
        resources.reverse();
        resources.sort_by_key(stage);
        assert_eq!(
            resources,
            [
                Resource::Cgroup("g".into()),
                Resource::Mount("/d/disk/root".into()),
                Resource::Mount("/d/disk".into()),
                Resource::Netns("n".into()),
                Resource::Folder("/d".into()),
            ]
        );
    }
}
