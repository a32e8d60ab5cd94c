//! What a start that fails is said to fail of.

use super::super::script;
use super::bench::{Run, on_each_shell};

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
            let args = ["etcd-main.service", &nothing, "", &nothing, &nothing];
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
