//! A member's unit, and what changes it.

use std::collections::BTreeSet;

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
    /// Whether systemd has an older text in memory than the file.
    pub needs_reload: bool,
    /// Main process; 0 when none.
    pub main_pid: u32,
    /// systemd's name for the latest start; empty where it never started.
    pub invocation: String,
    /// How often systemd has started it again since somebody started it.
    pub restarts: u32,
}

impl UnitFacts {
    /// Whether a process of it is up or on its way.
    pub fn is_up(&self) -> bool {
        match self.active.as_str() {
            "active" | "reloading" => true,
            "activating" => !self.is_looping(),
            _ => false,
        }
    }

    /// Whether its process ended before it was ready, and systemd starts it again. With `Restart=always` and no
    /// limit, systemd never calls such a unit failed.
    pub fn is_looping(&self) -> bool {
        self.active == "activating" && (self.sub.starts_with("auto-restart") || self.restarts > 0)
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
