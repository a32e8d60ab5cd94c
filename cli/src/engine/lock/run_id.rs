//! The identity of a run: a nonce that says which process of which boot drew it, so that a later run
//! on the same machine can tell that it is over.

use std::fs;

/// Where a process lives: the boot, the pid namespace, the pid, and when it started.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    boot: String,
    namespace: String,
    pid: u32,
    started: String,
}

/// The identity of this run: `BOOT.NAMESPACE.PID.STARTED.RANDOM`, or the random part alone where the
/// system does not say.
pub(super) fn of_this_run() -> Result<String, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let random = format!("{:032x}", u128::from_be_bytes(random));
    Ok(match this_process() {
        Some(Process { boot, namespace, pid, started }) => {
            format!("{boot}.{namespace}.{pid}.{started}.{random}")
        }
        None => random,
    })
}

/// Whether the run of this identity is certainly over: it was on this machine, since its last boot,
/// and its process is gone. Of another machine nobody can tell.
pub(super) fn is_over(identity: &str) -> bool {
    let parts: Vec<&str> = identity.split('.').collect();
    let [boot, namespace, pid, started, _random] = parts[..] else { return false };
    let (Some(here), Ok(pid)) = (this_process(), pid.parse()) else { return false };
    here.boot == boot
        && here.namespace == namespace
        && start_of(pid).is_none_or(|start| start != started)
}

fn this_process() -> Option<Process> {
    let pid = std::process::id();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    Some(Process {
        boot: boot.trim().to_owned(),
        namespace: digits(&namespace.to_string_lossy()),
        pid,
        started: start_of(pid)?,
    })
}

/// When a process started, in ticks since the boot: the 22nd word of its `stat`, counted behind the
/// program's name, which may hold anything.
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind) = stat.rsplit_once(')')?;
    let mut words = behind.split_whitespace();
    // A zombie is over; it only waits for its parent to hear of it.
    let state = words.next().filter(|state| !matches!(*state, "Z" | "X"))?;
    debug_assert_eq!(state.len(), 1, "the word behind the name is the state");
    words.nth(18).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn this_run_is_not_over_and_no_two_are_the_same() {
        let (one, two) = (of_this_run().unwrap(), of_this_run().unwrap());
        assert_ne!(one, two);
        assert!(!is_over(&one));
    }

    #[test]
    fn a_process_that_ended_is_over() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let here = this_process().unwrap();
        let started = start_of(child.id()).unwrap();
        let identity = format!("{}.{}.{}.{started}.0f", here.boot, here.namespace, child.id());
        assert!(!is_over(&identity));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_over(&identity));
    }

    #[test]
    fn of_another_machine_or_namespace_nobody_can_tell() {
        let here = this_process().unwrap();
        for identity in [
            "".to_owned(),
            "0f0f".to_owned(),
            format!("another.{}.1.1.0f", here.namespace),
            format!("{}.1.999999.1.0f", here.boot),
        ] {
            assert!(!is_over(&identity), "{identity}");
        }
    }
}
