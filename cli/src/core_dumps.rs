//! No image of the process is left behind where it crashes: CA keys may be open in its memory.

use rustix::process::{Resource, Rlimit, setrlimit};

/// From now on the kernel writes no core of this process, and hands none to a program of the machine
/// (`core_pattern` with a pipe, which knows no size limit). No other process of the user may read its
/// memory either, unless it is root's.
///
/// Giving up a right of one's own is not refused; if it were, there is no other way to have the same.
pub fn forbid() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
