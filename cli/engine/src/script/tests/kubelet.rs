//! A kubelet that stands alone runs by the files that are there.

use std::process::{Command, Stdio};

use super::bench::{Bench, Run, on_each_shell};
use crate::script;

/// A unit that keeps its state in files and tells what was done to it. Its process is the test's own, which
/// has the arguments of the file `arguments`.
const SYSTEMCTL: &str = r#"
state=$(cat "$BENCH/state")
case $* in
*ActiveState*) echo "$state" ;;
*MainPID*) echo "$(cat "$BENCH/pid")" ;;
*NeedDaemonReload*) echo no ;;
is-enabled*) cat "$BENCH/enabled" ;;
enable*) echo enabled >"$BENCH/enabled"; echo enable >>"$BENCH/told" ;;
stop*) echo inactive >"$BENCH/state"; echo stop >>"$BENCH/told" ;;
restart*) echo active >"$BENCH/state"; echo restart >>"$BENCH/told" ;;
daemon-reload*) echo reload >>"$BENCH/told" ;;
esac
"#;

fn host(bench: &Bench) {
    let text = SYSTEMCTL.replace("$BENCH", &bench.arg(""));
    bench.program("systemctl", &text);
    bench.program("journalctl", "true");
    bench.program("sleep", "true");
    bench.write("state", "inactive");
    bench.write("enabled", "disabled");
    bench.write("told", "");
    bench.write("pid", &std::process::id().to_string());
}

fn set_up<'a>(bench: &Bench, config: &str) -> Run<'a> {
    let words = ["unit.d/drop-in", "config", "manifests"].map(|name| bench.arg(name));
    let mut args = vec!["kubelet.service".to_owned()];
    args.extend(words);
    Run::unguarded(script::STANDALONE_KUBELET, &args).with(b"[Service]\n").with(config.as_bytes())
}

fn told(bench: &Bench) -> String {
    let told = bench.read("told").replace('\n', " ");
    bench.write("told", "");
    told.trim().to_owned()
}

#[test]
fn a_kubelet_is_down_while_its_files_change() {
    on_each_shell(|bench| {
        host(bench);
        assert_eq!(bench.done(&set_up(bench, "driver: a\n")), "changed");
        assert_eq!(told(bench), "stop reload enable restart");
        assert_eq!(bench.read("config"), "driver: a\n");
        // Killed between the two files, it is seen to be down.
        bench.program("sync", "exit 1");
        assert_ne!(bench.run(&set_up(bench, "driver: b\n")).status, 0);
        assert_eq!(told(bench), "stop");
        assert_eq!(bench.read("state").trim(), "inactive");
        std::fs::remove_file(bench.path("bin/sync")).unwrap();
        assert_eq!(bench.done(&set_up(bench, "driver: b\n")), "changed");
        assert_eq!(bench.read("config"), "driver: b\n");
    });
}

/// The test's own process was not started by the file: so it is started again, each time.
#[test]
fn a_kubelet_that_was_started_otherwise_is_restarted_and_one_that_was_not_is_let_be() {
    on_each_shell(|bench| {
        host(bench);
        assert_eq!(bench.done(&set_up(bench, "")), "changed");
        told(bench);
        assert_eq!(bench.done(&set_up(bench, "")), "changed");
        assert_eq!(told(bench), "restart");
        let config = format!("--config={}", bench.arg("config"));
        let script = ["-c", "read _", "kubelet", &config];
        let mut kubelet = Command::new("sh").args(script).stdin(Stdio::piped()).spawn().unwrap();
        bench.write("pid", &kubelet.id().to_string());
        let done = bench.run(&set_up(bench, ""));
        bench.write("enabled", "disabled");
        let enabled = bench.run(&set_up(bench, ""));
        kubelet.kill().unwrap();
        kubelet.wait().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stdout), "already\n", "{}", done.stderr);
        assert_eq!(String::from_utf8_lossy(&enabled.stdout), "changed\n", "{}", enabled.stderr);
        assert_eq!(told(bench), "enable", "who is only to start at boot is not restarted");
    });
}
