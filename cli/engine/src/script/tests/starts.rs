//! The reason that a failed start reports.

use planner::facts::UnitFacts;

use super::bench::{Run, on_each_shell};
use crate::script;

/// systemd's own word comes before etcd's log: where it did not run the program, etcd said nothing.
#[test]
fn a_start_that_systemd_ended_names_its_reason() {
    on_each_shell(|bench| {
        bench.program("sleep", "");
        let first_line = |status: u32, journal: &str| {
            let said = format!(
                "ActiveState=activating\\nSubState=auto-restart\\nMainPID=0\\nNRestarts=1\\n\
                 Result=exit-code\\nExecMainStatus={status}\\n"
            );
            bench.program("systemctl", &format!("[ \"$1\" != show ] || printf '{said}'"));
            bench.program("journalctl", &format!("echo '{journal}'"));
            let nothing = bench.arg("nothing");
            let args = ["etcd-main.service", &nothing, "", &nothing, &nothing, &nothing];
            let reply = bench.run(&Run::unguarded(script::START_MEMBER, &args));
            assert_ne!(reply.status, 0);
            let said = String::from_utf8(reply.stdout).unwrap();
            said.lines().next().unwrap_or_default().to_owned()
        };
        let ended = "failed etcd-main.service ended at once: exit-code, ";
        let exited = "etcd-main.service: Main process exited, code=exited, status=";
        assert_eq!(first_line(200, &format!("{exited}200/CHDIR")), format!("{ended}200/CHDIR"));
        assert_eq!(first_line(217, &format!("{exited}217/USER")), format!("{ended}217/USER"));
        assert_eq!(first_line(226, "nothing of use"), format!("{ended}226"));
        let env = format!("{ended}127, /usr/bin/env could not run etcd");
        assert_eq!(first_line(127, &format!("{exited}127/n/a")), env);
        assert_eq!(first_line(1, "fatal: x"), "failed etcd-main.service ended at once: exit-code");
    });
}

/// What kept members of a new cluster apart may still be in their processes.
#[test]
fn a_member_that_waits_for_the_others_for_long_is_restarted_while_its_cluster_forms() {
    on_each_shell(|bench| {
        bench.program("sleep", "");
        let token = "--initial-cluster-token=0f0f";
        let mut waiting = std::process::Command::new("sh")
            .args(["-c", "while :; do /bin/sleep 1; done", token])
            .spawn()
            .unwrap();
        let pid = waiting.id();
        let outcome = |seconds_ago: u64, records: &str, restarts: u32| {
            let started = (uptime() - seconds_ago) * 1_000_000;
            bench.write("calls", "");
            bench.program(
                "systemctl",
                &format!(
                    "[ \"$1\" = show ] || echo \"$1\" >>calls\n\
                     grep -q start calls && state=active || state=activating\n\
                     echo ActiveState=$state; echo MainPID={pid}; echo SubState=start\n\
                     echo NRestarts={restarts}; echo ExecMainStartTimestampMonotonic={started}"
                ),
            );
            let nothing = bench.arg("nothing");
            let args = ["etcd-main.service", &bench.arg("wal"), "0f0f", records, records, &nothing];
            let said = bench.done(&Run::unguarded(script::START_MEMBER, &args));
            (said, bench.read("calls").contains("stop"))
        };
        let nothing = bench.arg("nothing");
        let settled = UnitFacts::SETTLED.as_secs();
        let young = outcome(settled - 10, &nothing, 0);
        let old = outcome(settled + 10, &nothing, 0);
        bench.write("witness", "");
        let formed = outcome(settled + 10, &bench.arg("witness"), 0);
        let looping = outcome(settled - 10, &bench.arg("witness"), 1);
        let loading = outcome(settled + 10, &bench.arg("witness"), 1);
        waiting.kill().unwrap();
        waiting.wait().unwrap();
        assert_eq!(young, ("already".to_owned(), false));
        assert_eq!(old, ("changed".to_owned(), true));
        assert_eq!(formed, ("already".to_owned(), false), "it was in a quorum");
        assert_eq!(looping, ("changed".to_owned(), true));
        assert_eq!(loading, ("already".to_owned(), false), "it crashed once and loads its log");
    });
}

/// Between two starts of systemd's, a file that is about to be moved may still be in the next one.
#[test]
fn a_note_about_a_member_that_keeps_ending_is_also_about_the_next_start() {
    on_each_shell(|bench| {
        let outcome = |sub: &str| {
            bench.program(
                "systemctl",
                &format!(
                    "case $3 in InvocationID) echo 0f ;; SubState) echo {sub} ;; NRestarts) echo 7 ;; esac"
                ),
            );
            let args = ["etcd-main.service", &bench.arg("restart-due")];
            assert_eq!(bench.done(&Run::unguarded(script::NOTE_RESTART, &args)), "changed");
            bench.read("restart-due")
        };
        assert_eq!(outcome("running"), "0f\n");
        assert_eq!(outcome("auto-restart"), "0f 7\n");
    });
}

/// A process that systemd started before it read what is there now is still to be restarted.
#[test]
fn a_member_that_came_up_by_itself_keeps_its_note_until_it_has_what_is_there_now() {
    on_each_shell(|bench| {
        let is_left = |state: &str, started: u64, read: &str| {
            bench.write("restart-due", "0f 7");
            bench.write("calls", "");
            bench.program(
                "systemctl",
                &format!(
                    "[ \"$1\" = show ] || echo \"$1\" >>calls\n\
                     case $* in *UnitsLoad*) echo {read}; exit ;; esac\n\
                     grep -q start calls && state=active || state={state}\n\
                     echo ActiveState=$state; echo MainPID=1; echo SubState=running; echo NRestarts=8\n\
                     echo ExecMainStartTimestampMonotonic={started}"
                ),
            );
            let nothing = bench.arg("nothing");
            let note = bench.arg("restart-due");
            let args = ["etcd-main.service", &nothing, "", &nothing, &nothing, &note];
            let said = bench.done(&Run::unguarded(script::START_MEMBER, &args));
            (said, bench.path("restart-due").exists())
        };
        let already = "already".to_owned();
        assert_eq!(is_left("active", 50, "40"), (already.clone(), false));
        assert_eq!(is_left("active", 50, "60"), (already.clone(), true));
        assert_eq!(is_left("active", 50, ""), (already, true), "an old systemd does not say it");
        let young = uptime() * 1_000_000;
        assert_eq!(is_left("activating", young, "60"), ("changed".to_owned(), false));
    });
}

/// In seconds since the kernel's boot: when a process that starts now has started.
fn uptime() -> u64 {
    let cut = std::process::Command::new("cut").args(["-d ", "-f22", "/proc/self/stat"]).output();
    let ticks = String::from_utf8(cut.unwrap().stdout).unwrap();
    ticks.trim().parse::<u64>().unwrap() / 100
}
