//! The script run for real, under the shells that hosts have, and what is made of its reply.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use test_kit::executable::executable;

const SHELLS: [&str; 2] = ["dash", "bash"];

fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap()
}

/// A host's disk, its members, and what runs beside the script.
struct Bench {
    root: tempfile::TempDir,
    members: Vec<(ClusterName, String)>,
    /// A command that starts before and ends after.
    beside: String,
    /// Where its programs are.
    path: String,
}

impl Bench {
    fn new(clusters: &[&str]) -> Self {
        let members = clusters.iter().map(|name| (cluster(name), "http://127.0.0.1:1".to_owned()));
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("lib")).unwrap();
        let (beside, path) = (":".to_owned(), std::env::var("PATH").unwrap());
        Self { root, members: members.collect(), beside, path }
    }

    fn data(&self, cluster: &str) -> String {
        format!("{}/lib/etcd/{cluster}", self.root.path().display())
    }

    /// Something that calls itself etcd and has its data there, as the kernel tells.
    fn run_etcd(&mut self, arguments: &str) {
        let etcd = self.root.path().join("etcd");
        executable(&etcd, "#!/bin/sh\nsleep 60\n");
        self.beside = format!("{} {arguments}", etcd.display());
    }

    /// Takes all programs away but these.
    fn keep_only(&mut self, programs: &[&str]) {
        let folder = self.root.path().join("bin");
        fs::create_dir(&folder).unwrap();
        for program in programs {
            let found = std::env::split_paths(&self.path).map(|folder| folder.join(program));
            let program = found.into_iter().find(|path| path.exists()).unwrap();
            std::os::unix::fs::symlink(&program, folder.join(program.file_name().unwrap()))
                .unwrap();
        }
        self.path = folder.display().to_string();
    }

    /// Everything in the tree.
    fn entries(&self) -> Vec<String> {
        let find = Command::new("find").arg(self.root.path().join("lib")).output().unwrap();
        let mut lines: Vec<String> =
            String::from_utf8(find.stdout).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Asks for every disk, on a host with no other processes.
    fn run(&self, shell: &str) -> Costs {
        // The writes are those of a test: few, and not synced more than needed.
        let mut arguments = vec!["format=1", "writes=3", "bytes=2048", "seconds=5"]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        for (name, url) in &self.members {
            arguments.push(format!("member={name},{},{url}", self.data(name.as_str())));
        }
        arguments.extend(self.members.iter().map(|(name, _)| format!("disk={name}")));
        let host = format!(
            "{} >/dev/null & sleep 0.2; PATH={}; script=$1; shift; {shell} -c \"$script\" sh \"$@\"",
            self.beside, self.path
        );
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["dash", "-c", &host, "sh", SCRIPT])
            .args(&arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let question = Question {
            disks: self.members.iter().map(|(name, _)| name.clone()).collect(),
            peers: BTreeSet::new(),
        };
        read(&question, &Records::parse(&output.stdout).unwrap())
    }
}

fn is_written(time: &DiskTime) -> bool {
    matches!(time, DiskTime::Written { p99, writes: 3 } if *p99 > Duration::ZERO)
}

#[test]
fn a_disk_is_timed_where_the_data_will_be_and_nothing_stays() {
    for shell in SHELLS {
        let bench = Bench::new(&["main", "events"]);
        let before = bench.entries();
        let costs = bench.run(shell);
        assert!(is_written(&costs.disks["main"]), "{costs:?}");
        assert_eq!(costs.disks["events"], costs.disks["main"], "one disk, one timing");
        assert_eq!(bench.entries(), before);
    }
}

#[test]
fn no_file_of_ours_comes_into_a_data_directory() {
    for shell in SHELLS {
        let bench = Bench::new(&["main"]);
        fs::create_dir_all(bench.data("main")).unwrap();
        // What is locked is in use by another run; what is not was left behind by a killed one.
        let beside = format!("{}/lib/etcd/.quorate-disk.", bench.root.path().display());
        let (stale, busy) = (format!("{beside}aaaaaa"), format!("{beside}bbbbbb"));
        fs::write(&stale, "").unwrap();
        let held = fs::File::create(&busy).unwrap();
        held.lock().unwrap();
        let costs = bench.run(shell);
        assert!(is_written(&costs.disks["main"]), "{costs:?}");
        assert!(!Path::new(&stale).exists() && Path::new(&busy).exists());
        assert_eq!(fs::read_dir(bench.data("main")).unwrap().count(), 0);
    }
}

#[test]
fn a_disk_that_can_not_be_written_says_why() {
    for shell in SHELLS {
        let bench = Bench::new(&["main"]);
        fs::remove_dir(bench.root.path().join("lib")).unwrap();
        std::os::unix::fs::symlink("/proc", bench.root.path().join("lib")).unwrap();
        let costs = bench.run(shell);
        let DiskTime::Unmeasured(why) = &costs.disks["main"] else { panic!("{costs:?}") };
        assert!(why.starts_with("mktemp: "), "{why}");
    }
}

#[test]
fn a_member_that_nobody_can_ask_is_still_not_disturbed() {
    for shell in SHELLS {
        let mut bench = Bench::new(&["main"]);
        fs::create_dir_all(bench.data("main")).unwrap();
        bench.run_etcd(&format!("--data-dir={}", bench.data("main")));
        let before = bench.entries();
        let costs = bench.run(shell);
        let DiskTime::Unmeasured(why) = &costs.disks["main"] else { panic!("{costs:?}") };
        assert!(why.contains("metrics could not be read"), "{why}");
        assert_eq!(bench.entries(), before);
    }
}

/// Answers one request as a member's metrics listener does.
fn metrics() -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"GET /metrics HTTP/1."));
        let page = concat!("go_threads 9\n", include_str!("../captured/fsyncs.txt"), "up 1\n");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
        stream.write_all((head + page).as_bytes()).unwrap();
    });
    (url, answer)
}

#[test]
fn a_disk_with_a_running_member_is_not_written_to() {
    const BARE: [&str; 4] = ["dash", "bash", "tr", "stat"];
    for (shell, downloader) in [("dash", "curl"), ("bash", "wget"), ("dash", "timeout")] {
        let mut bench = Bench::new(&["main", "events"]);
        fs::create_dir_all(bench.data("main")).unwrap();
        let programs = [&BARE[..], &["cat", downloader]].concat();
        bench.keep_only(&programs);
        bench.run_etcd(&format!("--name=x --data-dir={}", bench.data("main")));
        let (url, answered) = metrics();
        bench.members[0].1 = url;
        let before = bench.entries();
        let costs = bench.run(shell);
        answered.join().unwrap();
        for name in ["main", "events"] {
            let DiskTime::Member { cluster: owner, fsyncs, .. } = &costs.disks[name] else {
                panic!("{costs:?}");
            };
            assert_eq!((owner.as_str(), *fsyncs), ("main", 16), "{name}");
        }
        assert_eq!(bench.entries(), before);
    }
}

#[test]
fn a_disk_is_not_written_to_where_any_etcd_may_have_its_data() {
    for shell in SHELLS {
        for arguments in ["", "--data-dir=default.etcd", "--data-dir=LIB/other", "--config-file=x"]
        {
            let mut bench = Bench::new(&["main"]);
            let lib = format!("{}/lib", bench.root.path().display());
            bench.run_etcd(&arguments.replace("LIB", &lib));
            let costs = bench.run(shell);
            let why = &costs.disks["main"];
            assert!(
                matches!(why, DiskTime::Unmeasured(why) if why.contains("does not know")),
                "{arguments}: {costs:?}"
            );
        }
        let mut bench = Bench::new(&["main"]);
        bench.run_etcd("--version");
        assert!(is_written(&bench.run(shell).disks["main"]), "who says its version has no data");
        bench.run_etcd("--data-dir=/dev/shm/etcd");
        assert!(is_written(&bench.run(shell).disks["main"]), "on a disk of its own");
    }
}

#[test]
fn what_a_host_leaves_out_is_not_known() {
    let question = Question { disks: [cluster("main")].into(), peers: BTreeSet::new() };
    for reply in ["", "disk:main 2\nas\n", "disk:main 5\nas x!\n", "disk:main 0\n\n"] {
        let costs = read(&question, &Records::parse(reply.as_bytes()).unwrap());
        assert!(matches!(costs.disks["main"], DiskTime::Unmeasured(_)), "{reply:?}");
    }
}

#[test]
fn the_script_passes_the_linter_and_both_shells() {
    let opinion = |program: &str, arguments: &[&str]| {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(SCRIPT.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert_eq!(opinion("shellcheck", &["--shell=sh", "-"]), "");
    for shell in SHELLS {
        assert_eq!(opinion(shell, &["-n", "/dev/stdin"]), "");
    }
}
