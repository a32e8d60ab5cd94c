//! Whose commands are run, and with which values.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use inventories::inventory::{Ssh, SshConfig};

use super::many::targets;
use super::tests::{ada, plain};
use super::{LoginError, Operator, target};
use remote::{Answers, ConfigProblem, Target};

/// A home with an empty `.ssh`, and a repository beside it.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["home/.ssh", "site"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, in which `{dir}` is the folder of all.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path(name);
        fs::write(&file, text.replace("{dir}", self.dir.path().to_str().unwrap())).unwrap();
        file
    }

    fn operator(&self) -> Operator {
        ada(&self.path("home"))
    }

    fn login(&self, config: SshConfig) -> Result<Target, LoginError> {
        target(&Ssh { config, ..plain() }, &self.operator())
    }

    fn by(&self, file: &Path) -> Result<Target, LoginError> {
        self.login(SshConfig::File(file.to_owned()))
    }

    fn was_run(&self) -> bool {
        self.path("ran").exists()
    }
}

fn problem(login: Result<Target, LoginError>) -> ConfigProblem {
    match login {
        Err(LoginError::Config(error)) => error.problem,
        other => panic!("{other:?}"),
    }
}

const ASK: &str = "Match exec \"touch {dir}/ran\"\n Port 77\n";
const CARRY: &str = "Host 10.*\n ProxyCommand carry %h %p\n";

#[test]
fn the_operators_own_files_run_their_commands() {
    let desk = Desk::new();
    desk.write("home/.ssh/config", "Include other\nInclude {dir}/site/*.conf\n");
    desk.write("home/.ssh/other", ASK);
    desk.write("site/a.conf", CARRY);
    let target = desk.login(SshConfig::Usual).unwrap();
    assert_eq!(target.proxy_command.as_deref(), Some("carry 10.0.0.1 77"));
    assert!(desk.was_run() && target.port == 77);
}

#[test]
fn a_file_of_the_repository_runs_nothing() {
    let desk = Desk::new();
    for (text, line) in [(ASK, "Match exec"), (CARRY, "ProxyCommand")] {
        let file = desk.write("site/ssh_config", text);
        let link = desk.path("home/.ssh/link");
        let _ = std::os::unix::fs::symlink(&file, &link);
        let around = desk.path("home/.ssh/../../site/ssh_config");
        let includes = desk.write("home/.ssh/includes", "Include {dir}/site/ssh_config\n");
        // A file of the operator's may include what it likes; what it includes is the operator's word.
        assert!(desk.by(&includes).is_ok() || line == "Match exec");
        let _ = fs::remove_file(desk.path("ran"));
        for named in [file, link, around] {
            let found = problem(desk.by(&named));
            assert_eq!(found, ConfigProblem::Foreign(line.to_owned()), "{named:?}");
            assert!(!desk.was_run());
        }
    }
    // Its other lines count, and so do those of the operator's files that it includes.
    let file = desk.write("site/ssh_config", "User ops\nInclude {dir}/home/.ssh/mine\n");
    desk.write("home/.ssh/mine", CARRY);
    let target = desk.by(&file).unwrap();
    assert_eq!(target.user, "ops");
    assert_eq!(target.proxy_command.as_deref(), Some("carry 10.0.0.1 22"));
}

/// A path that can't be used is shown to every reader of a job's log.
#[test]
fn a_file_of_the_repository_reads_no_variable() {
    let desk = Desk::new();
    for line in ["UserKnownHostsFile", "IdentityFile", "CertificateFile", "IdentityAgent"] {
        let line = format!("{line} /dev/null/${{PATH}}\n");
        let found = problem(desk.by(&desk.write("site/ssh_config", &line)));
        assert!(
            matches!(&found, ConfigProblem::Token { token, .. } if token == "${PATH}"),
            "{line}{found}"
        );
        assert!(desk.by(&desk.write("home/.ssh/etcd", &line)).is_ok());
    }
}

#[test]
fn another_file_takes_the_place_of_the_usual_ones_and_none_is_none() {
    let desk = Desk::new();
    desk.write("home/.ssh/config", &format!("{ASK}User wrong\n"));
    let file = desk.write("home/.ssh/etcd", "User ops\n");
    assert_eq!(desk.by(&file).unwrap().user, "ops");
    assert_eq!(desk.login(SshConfig::None).unwrap().user, "ada");
    assert!(!desk.was_run());
    let missing = problem(desk.by(&desk.path("home/.ssh/missing")));
    assert!(matches!(missing, ConfigProblem::Unreadable { .. }), "{missing}");
}

#[test]
fn no_value_of_the_inventory_becomes_part_of_a_shells_command() {
    let desk = Desk::new();
    for config in [
        "Match exec \"test '%r'\"\n Port 7\n",
        "ProxyCommand carry '%r'\n",
        "HostName $(touch\u{a0}{dir}/ran)\nProxyCommand carry %h\n",
        "HostKeyAlias x;y\nProxyCommand carry %k\n",
    ] {
        desk.write("home/.ssh/config", config);
        let ssh = Ssh { user: Some("a';touch${IFS}x;'".to_owned()), ..plain() };
        let found = problem(target(&ssh, &desk.operator()));
        assert!(matches!(found, ConfigProblem::Unsafe { .. }), "{config}: {found}");
    }
    assert!(!desk.was_run());
}

#[test]
fn a_command_that_hangs_holds_up_a_run_once() {
    let desk = Desk::new();
    desk.write("home/.ssh/config", "Match exec \"sleep 60\"\n Port 7\n");
    let answers = Answers::within(Duration::from_millis(200));
    let operator = Operator { answers, ..desk.operator() };
    let started = Instant::now();
    for _ in 0..50 {
        let found = problem(target(&plain(), &operator));
        assert!(matches!(found, ConfigProblem::Command { .. }), "{found}");
    }
    assert!(started.elapsed() < Duration::from_secs(8));
}

/// One after the other they would take as long as all of them together.
#[test]
fn the_commands_of_many_hosts_run_side_by_side() {
    let desk = Desk::new();
    desk.write("home/.ssh/config", "Match exec \"sleep 1; test %h = h7\"\n Port 7\n");
    let hosts: Vec<Ssh> = (0..32).map(|n| Ssh { host: format!("h{n}"), ..plain() }).collect();
    let started = Instant::now();
    let found = targets(&hosts.iter().collect::<Vec<_>>(), &desk.operator());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let ports: Vec<u16> = found.into_iter().map(|target| target.unwrap().port).collect();
    assert_eq!(ports.iter().position(|port| *port == 7), Some(7));
    assert_eq!(ports.iter().filter(|port| **port == 22).count(), 31);
}

#[test]
fn a_command_that_passes_a_connection_is_refused_by_name() {
    let desk = Desk::new();
    desk.write("home/.ssh/config", &format!("{CARRY}ProxyUseFdpass yes\n"));
    let found = problem(desk.login(SshConfig::Usual));
    assert_eq!(found, ConfigProblem::Unsupported("ProxyUseFdpass".to_owned()));
    desk.write("home/.ssh/config", "Host 10.*\n ProxyUseFdpass yes\n ProxyJump gate\n");
    assert!(desk.login(SshConfig::Usual).unwrap().jump.is_some());
}
