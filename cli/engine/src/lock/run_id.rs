//! The identity of a run: a nonce that says which process of which boot drew it, so that a later run
//! on the same machine can tell that it is over. What can't be told is not over: a lock that is broken
//! under a live run ends it in the middle, and one that is not only costs a minute.

use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// Where a process lives: the boot, the namespaces of its pid and its clock, the pid, and when it
/// started.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    boot: String,
    namespace: String,
    pid: u32,
    started: String,
}

/// What `/proc` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    /// It runs since then.
    Runs(String),
    /// It ended, and its parent has not heard of it yet.
    Ended,
    /// Nothing: there is none, or it may not be looked at (`hidepid`).
    Hidden,
}

/// What the kernel says of a pid, whatever `/proc` hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existence {
    There,
    Gone,
    Unknown,
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
/// and its process is gone. For another machine that can't be known.
pub(super) fn is_over(identity: &str) -> bool {
    let parts: Vec<&str> = identity.split('.').collect();
    let [boot, namespace, pid, started, _random] = parts[..] else { return false };
    let (Some(here), Ok(pid)) = (this_process(), pid.parse()) else { return false };
    here.boot == boot
        && here.namespace == namespace
        && is_gone(existence_of(pid), &look_at(pid), started)
}

/// Whether a process that started then is certainly no more.
fn is_gone(existence: Existence, look: &Look, started: &str) -> bool {
    match (existence, look) {
        (Existence::Gone, _) | (Existence::There, Look::Ended) => true,
        // Its pid may be another's by now.
        (Existence::There, Look::Runs(since)) => since != started,
        (Existence::There, Look::Hidden) | (Existence::Unknown, _) => false,
    }
}

fn existence_of(pid: u32) -> Existence {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Existence::Unknown;
    };
    match test_kill_process(pid) {
        // Another user's process is one as well.
        Ok(()) | Err(Errno::PERM) => Existence::There,
        Err(Errno::SRCH) => Existence::Gone,
        Err(_) => Existence::Unknown,
    }
}

fn this_process() -> Option<Process> {
    let pid = std::process::id();
    // Where `/proc` is of another namespace, its numbers are of other processes.
    if fs::read_link("/proc/self").ok()?.to_str()? != pid.to_string() {
        return None;
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let namespace = |kind: &str| {
        let link = fs::read_link(format!("/proc/self/ns/{kind}"));
        link.map(|link| digits(&link.to_string_lossy()))
    };
    // A namespace of the clock moves the times at which processes started. Old kernels have none.
    let clock = namespace("time").unwrap_or_default();
    let Look::Runs(started) = look_at(pid) else { return None };
    Some(Process {
        boot: boot.trim().to_owned(),
        namespace: format!("{}-{clock}", namespace("pid").ok()?),
        pid,
        started,
    })
}

/// When a process started, in ticks since the boot: the 22nd word of its `stat`, counted behind the
/// program's name, which may hold anything.
fn look_at(pid: u32) -> Look {
    let read = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, behind) = stat.rsplit_once(')')?;
        let mut words = behind.split_whitespace();
        match words.next()? {
            "Z" | "X" => Some(Look::Ended),
            _ => words.nth(18).map(|started| Look::Runs(started.to_owned())),
        }
    };
    read().unwrap_or(Look::Hidden)
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

    /// The identity of a run in this child of ours.
    fn identity_of(pid: u32) -> String {
        let here = this_process().unwrap();
        let Look::Runs(started) = look_at(pid) else { panic!("{pid} can't be looked at") };
        format!("{}.{}.{pid}.{started}.0f", here.boot, here.namespace)
    }

    #[test]
    fn a_process_that_ended_is_over() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let identity = identity_of(child.id());
        assert!(!is_over(&identity));
        child.kill().unwrap();
        // It is a zombie now, or will be one in a moment.
        let status = child.wait().unwrap();
        assert!(!status.success());
        assert!(is_over(&identity));
    }

    #[test]
    fn of_another_machine_namespace_or_clock_nobody_can_tell() {
        let here = this_process().unwrap();
        let (pids, _) = here.namespace.split_once('-').unwrap();
        for identity in [
            "".to_owned(),
            "0f0f".to_owned(),
            format!("another.{}.1.1.0f", here.namespace),
            format!("{}.1.999999.1.0f", here.boot),
            // As an older quorate wrote it, and as another clock's namespace would.
            format!("{}.{pids}.999999.1.0f", here.boot),
            format!("{}.{pids}-1.999999.1.0f", here.boot),
            format!("{}.{}.0.1.0f", here.boot, here.namespace),
            format!("{}.{}.4294967295.1.0f", here.boot, here.namespace),
        ] {
            assert!(!is_over(&identity), "{identity}");
        }
    }

    #[test]
    fn what_is_not_known_to_be_gone_is_there() {
        let runs = |since: &str| Look::Runs(since.to_owned());
        let cases = [
            (Existence::There, runs("7"), false),
            (Existence::There, runs("8"), true),
            (Existence::There, Look::Ended, true),
            (Existence::There, Look::Hidden, false),
            (Existence::Gone, Look::Hidden, true),
            (Existence::Unknown, Look::Hidden, false),
            (Existence::Unknown, runs("8"), false),
        ];
        for (existence, look, gone) in cases {
            assert_eq!(is_gone(existence, &look, "7"), gone, "{existence:?} {look:?}");
        }
    }

    /// Set when this test runs itself as a user who may not see other processes.
    const HIDDEN: &str = "QUORATE_TEST_HIDDEN_RUN";

    #[test]
    fn a_live_run_of_somebody_else_is_not_over_where_proc_hides_it() {
        if let Ok(identity) = std::env::var(HIDDEN) {
            let pid = identity.split('.').nth(2).unwrap().parse().unwrap();
            assert_eq!(look_at(pid), Look::Hidden, "it can be looked at");
            assert!(!is_over(&identity));
            println!("looked");
            return;
        }
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can hide processes");
            return;
        }
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        // Nobody may read the folder that this test's program lies in.
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let program = folder.path().join("test");
        fs::write(&program, "").unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder.path(), open).unwrap();
        let said = Command::new("unshare")
            .args(["--mount", "sh", "-c"])
            .arg(
                "mount --bind \"$1\" \"$2\" && mount -t proc -o hidepid=2 proc /proc && shift &&
                exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"",
            )
            .arg("sh")
            .arg(std::env::current_exe().unwrap())
            .arg(&program)
            .args(["--nocapture", "a_live_run_of_somebody_else_is_not_over_where_proc_hides_it"])
            .env(HIDDEN, identity_of(child.id()))
            .output()
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(text.contains("looked"), "{text}{}", String::from_utf8_lossy(&said.stderr));
    }
}
