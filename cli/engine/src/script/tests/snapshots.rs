//! A snapshot goes through a pipe, and what carries it ends however etcdctl or its reader does.

use std::time::{Duration, Instant};

use super::bench::{Bench, Run, on_each_shell};
use crate::script::STREAM_SNAPSHOT;
use remote::Reply;
use test_kit::executable::executable;

/// Writes a megabyte to NAME.part as the real one does, and ends as that does on a pipe.
const ETCDCTL: &str = r#"#!/bin/sh
for path; do :; done
[ -p "$path.part" ] || { echo "not a pipe" >&2; exit 64; }
timeout 60 head -c 1000000 /dev/zero >"$path.part" || exit 9
echo "$*"
flock -n key true && echo "nobody holds the lock"
env | grep -v -e '^PWD=' -e '^_=' -e '^SHLVL=' -e '^OLDPWD='
echo "Error: could not fsync snapshot: sync $path.part: invalid argument" >&2
exit 5
"#;

/// What runs before the script, to say where its file descriptor 3 leads.
fn save(bench: &Bench, before: &str) -> Reply {
    let script = STREAM_SNAPSHOT.replace("/run/", &format!("{}/", bench.arg("")));
    let script = format!("{before}\n{script}");
    let etcdctl = bench.arg("etcdctl");
    bench.write("key", "");
    let args = [etcdctl.as_str(), "ca", "cert", "key", "https://127.0.0.1:2379"];
    let started = Instant::now();
    let reply = bench.run(&Run::unguarded(&script, &args));
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    let left = bench.entries().into_iter().find(|name| name.contains("quorate-snapshot"));
    assert_eq!(left, None, "left behind");
    reply
}

fn said(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.stdout).into_owned()
}

#[test]
fn all_of_it_arrives_and_nothing_stays() {
    on_each_shell(|bench| {
        executable(&bench.path("etcdctl"), ETCDCTL);
        let reply = save(bench, "export ETCDCTL_ENDPOINTS=http://127.0.0.1:1; exec 3>stream");
        assert_eq!(reply.status, 0, "{}", reply.stderr);
        let said = said(&reply);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((lines[0], lines.last()), ("status 5", Some(&"already")), "{said}");
        assert!(lines[1].contains("--endpoints=https://127.0.0.1:2379"), "{said}");
        assert!(lines[1].contains(" snapshot save "), "{said}");
        assert!(lines[2].starts_with("Error: could not fsync snapshot"), "{said}");
        assert_eq!(std::fs::read(bench.path("stream")).unwrap(), vec![0; 1_000_000]);
        assert!(!said.contains("nobody holds the lock"), "{said}");
    });
}

#[test]
fn an_etcdctl_that_never_opens_the_pipe_ends_the_stream() {
    on_each_shell(|bench| {
        let reply = save(bench, "exec 3>stream");
        assert!(said(&reply).starts_with("status 127\n"), "{}", said(&reply));
        executable(&bench.path("etcdctl"), "#!/bin/sh\necho 'Error: refused' >&2; exit 1\n");
        let reply = save(bench, "exec 3>stream");
        assert!(said(&reply).starts_with("status 1\nError: refused\n"), "{}", said(&reply));
        assert_eq!(bench.read("stream"), "");
    });
}

#[test]
fn etcdctl_ends_when_nobody_reads_on() {
    on_each_shell(|bench| {
        executable(&bench.path("etcdctl"), &ETCDCTL.replace("1000000", "100000000"));
        let reply = save(bench, "mkfifo out; head -c 10 <out >taken & exec 3>out");
        assert_ne!(reply.status, 0, "{}", said(&reply));
        assert!(said(&reply).contains("failed the snapshot could not be sent"), "{}", said(&reply));
    });
}
