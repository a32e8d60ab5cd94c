//! Ways in which a formed cluster can differ from what was applied to it.

use inventories::{ClusterName, HostName};
use proptest::prelude::*;

use crate::fault::{Fault, faults};
use crate::world::{Until, World, is_pod};

/// What somebody or something did to a host after the last apply.
#[derive(Debug, Clone, Copy)]
pub enum Drift {
    /// Its members were stopped.
    Stopped,
    /// Their units got another line.
    UnitEdited,
    /// They no longer start at boot.
    NotEnabled,
    /// They got a drop-in.
    DropIn,
    /// A generator of the host changes them, as it does every service.
    Generated,
    /// Their units' processes end again and again, and a drop-in is there.
    Loops(Until),
    /// Their certificates were deleted.
    NoCertificates,
    /// Its releases were deleted.
    NoRelease,
    /// The certificates of all hosts are due.
    Due,
    /// Its account was made again, and has another number.
    NewAccount,
    /// Its account is gone.
    NoAccount,
    /// A fault struck.
    Struck(Fault),
}

/// Any drift.
pub fn drifts() -> impl Strategy<Value = Drift> {
    prop_oneof![
        Just(Drift::Stopped),
        Just(Drift::UnitEdited),
        Just(Drift::NotEnabled),
        Just(Drift::DropIn),
        Just(Drift::Generated),
        prop::sample::select(&[Until::Never, Until::DropInsGone, Until::NextStart][..])
            .prop_map(Drift::Loops),
        Just(Drift::NoCertificates),
        Just(Drift::NoRelease),
        Just(Drift::Due),
        Just(Drift::NewAccount),
        Just(Drift::NoAccount),
        faults().prop_map(Drift::Struck),
    ]
}

/// A file in the folder of a unit.
fn own_drop_in(cluster: &ClusterName) -> String {
    format!("/etc/systemd/system/etcd-{cluster}.service.d/a.conf")
}

impl Drift {
    /// Applies it to a host.
    ///
    /// # Panics
    /// Where the host is not in the world, or the world itself breaks an invariant.
    pub fn apply_to(self, world: &mut World, name: &HostName) {
        if let Drift::Struck(fault) = self {
            return world.strike(name, fault).unwrap_or_else(|broken| panic!("{broken}"));
        }
        world.story.push(format!("{name}: {self:?}"));
        if matches!(self, Drift::Due) {
            world.now += time::Duration::days(270);
            return;
        }
        let Some(host) = world.hosts.get_mut(name) else { panic!("there is no host {name}") };
        if matches!(self, Drift::NoRelease) {
            host.releases.clear();
        }
        match self {
            Drift::NewAccount => host.accounts.values_mut().for_each(|number| *number += 1),
            Drift::NoAccount => host.accounts.clear(),
            _ => {}
        }
        for (cluster, member) in &mut host.members {
            match self {
                Drift::Stopped => member.process = None,
                Drift::UnitEdited => {
                    member.unit = member.unit.take().map(|text| text + "Nice=5\n");
                    // The kubelet picks up an edited pod.
                    member.manifest = member.manifest.take().map(|text| text + "status: {}\n");
                    if member.process.as_deref().is_some_and(is_pod) {
                        member.process = member.manifest.clone();
                    }
                }
                Drift::NotEnabled => {
                    member.loaded = member.loaded.take().map(|(text, _)| (text, false));
                }
                Drift::Loops(until) => {
                    if member.loop_until(until, "fatal: bind: address already in use") {
                        member.drop_ins = vec![own_drop_in(cluster)];
                    }
                }
                Drift::DropIn => {
                    member.drop_ins = vec![own_drop_in(cluster)];
                }
                Drift::Generated => {
                    member.generated = vec!["/run/systemd/system/service.d/zzz.conf".to_owned()];
                }
                Drift::NoCertificates => member.generation = None,
                Drift::NoRelease
                | Drift::Due
                | Drift::NewAccount
                | Drift::NoAccount
                | Drift::Struck(_) => {}
            }
        }
        world.settle();
    }
}
