//! A member's unit, and what changes it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Observed;

/// A systemd unit as the running systemd sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFacts {
    /// `active`, `activating`, `inactive`, `failed`, …
    pub active: String,
    /// `running`, `start`, `auto-restart`, `dead`, …
    pub sub: String,
    /// Whether it starts at boot.
    pub enabled: bool,
    /// Whether systemd has an older version of the unit loaded than the file.
    pub needs_reload: bool,
    /// Main process; 0 when none.
    pub main_pid: u32,
    /// systemd's name for the latest start; empty where it never started.
    pub invocation: String,
    /// How often systemd has restarted it since it was last started explicitly.
    pub restarts: u32,
    /// How long the main process has been running; none where there is none, or the host did not say.
    pub running_for: Option<Duration>,
}

impl UnitFacts {
    /// A process that has run for longer than this does not end soon after its start: it loads its data, or waits
    /// for the others. `start_member.sh` measures by the same time.
    pub const SETTLED: Duration = Duration::from_secs(30);

    /// Whether a process of it is up or on its way.
    pub fn is_up(&self) -> bool {
        match self.active.as_str() {
            "active" | "reloading" => true,
            "activating" => !self.is_looping(),
            _ => false,
        }
    }

    /// Whether its process ended before it was ready, and systemd starts it again. With `Restart=always` and no
    /// limit, systemd never calls such a unit failed. A process that has settled since is not looping: stopping
    /// one that loads a large log makes it load that again. A unit in `start-post` has been ready.
    pub fn is_looping(&self) -> bool {
        let settled = self.running_for.is_some_and(|time| time > Self::SETTLED);
        let again = self.restarts > 0 && !settled && self.sub != "start-post";
        self.active == "activating" && (self.sub.starts_with("auto-restart") || again)
    }
}

/// A file that changes a unit and that quorate did not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// Its path.
    pub path: String,
    /// The names of the directives in it; never their values, which may be secret.
    pub sets: Observed<BTreeSet<String>>,
}

impl DropIn {
    /// Its name without the folder: what an inventory accepts it by.
    pub fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(&self.path, |(_, name)| name)
    }

    /// Whether it is known to set a directive.
    pub fn sets(&self, directive: &str) -> bool {
        self.sets.known().is_some_and(|sets| sets.contains(directive))
    }
}

/// What SELinux does on a host that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selinux {
    /// It refuses what its policy does not allow.
    Enforcing,
    /// It logs that, and allows it.
    Permissive,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_crashed_once_and_has_run_for_long_is_not_looping() {
        let looping = |sub: &str, restarts: u32, running_for: Option<u64>| {
            let unit = UnitFacts {
                active: "activating".to_owned(),
                sub: sub.to_owned(),
                enabled: true,
                needs_reload: false,
                main_pid: 1,
                invocation: String::new(),
                restarts,
                running_for: running_for.map(Duration::from_secs),
            };
            assert_eq!(unit.is_up(), !unit.is_looping());
            unit.is_looping()
        };
        let settled = UnitFacts::SETTLED.as_secs();
        assert!(looping("start", 1, Some(settled)));
        assert!(!looping("start", 1, Some(settled + 1)), "it loads its log");
        assert!(!looping("start", 0, Some(1)), "its first start");
        assert!(looping("start", 1, None), "nothing speaks for it");
        assert!(looping("auto-restart", 0, None));
    }
}
