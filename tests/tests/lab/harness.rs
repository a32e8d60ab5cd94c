//! What every scenario stands on: a lab of its own, a site folder, and the program.

mod cluster;
mod digest;
mod follower;
mod formed;
mod run;
mod runtime;
mod seeded;
mod traces;
mod watch;
mod writer;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use quorate_lab::disk::DiskSize;
use quorate_lab::releases::Version;
use quorate_lab::site::{self, Authorities, Runtime};
use quorate_lab::{Host, Kubelet, Lab, LabError, LabName, Options, SiteOptions, Suite};

pub(crate) use cluster::Members;
pub(crate) use digest::Digest;
pub(crate) use follower::{Clients, Follower};
pub(crate) use run::Run;
pub(crate) use runtime::{Scenario, options, serves};
pub(crate) use seeded::Seeded;
pub(crate) use traces::Traces;
pub(crate) use watch::Watch;
pub(crate) use writer::{Writer, Written};

/// The newest patch of each line that can be had, and the last 3.4 that can.
pub(crate) const NEWEST: Version = Version::new(3, 6, 16);

/// A lab, the folder of its operator, and everything that the program said there.
pub(crate) struct Stage {
    pub(crate) lab: Lab,
    folder: PathBuf,
    runtime: Runtime,
    said: RefCell<Vec<String>>,
}

impl Stage {
    /// Hosts, and an operator who has nothing yet. A name has at most 10 letters.
    pub(crate) fn empty(name: &str, hosts: u8) -> Self {
        Self::empty_for(name, hosts, &SiteOptions::default())
    }

    /// The same, for an inventory of these options: hosts whose members are to be pods have a kubelet.
    pub(crate) fn empty_for(name: &str, hosts: u8, options: &SiteOptions) -> Self {
        Self::begin(Suite::default(), name, hosts, options, None).unwrap()
    }

    /// The same, of a distribution, and with disks that were kept.
    fn begin(
        suite: Suite,
        name: &str,
        hosts: u8,
        options: &SiteOptions,
        disks: Option<&Path>,
    ) -> Result<Self, LabError> {
        let pods = options.runtime == Runtime::StaticPod;
        // The same scenario may be played with units at the same time.
        let name = &if pods { format!("{name}-p") } else { name.to_owned() };
        let kubelet = pods.then(|| Kubelet { etcd: vec![options.version] });
        let disks = disks.map(Path::to_owned);
        let lab = Options { suite, kubelet, disks, ..Options::hosts(lab_name(name), hosts) };
        let lab = Lab::up(&lab)?;
        let folder = std::env::temp_dir().join(format!("quorate-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("home")).unwrap();
        Ok(Self { lab, folder, runtime: options.runtime, said: RefCell::default() })
    }

    /// Hosts, and an operator with an inventory of them and CAs.
    pub(crate) fn ready(name: &str, hosts: u8, options: &SiteOptions) -> Self {
        let stage = Self::empty_for(name, hosts, options);
        stage.write_site(options);
        stage
    }

    /// The same on hosts of a distribution.
    pub(crate) fn ready_on(suite: Suite, name: &str, hosts: u8, options: &SiteOptions) -> Self {
        let stage = Self::begin(suite, name, hosts, options, None).unwrap();
        stage.write_site(options);
        stage
    }

    /// Adds hosts whose disk is small.
    pub(crate) fn add_hosts(&self, up_to: u8, disk: DiskSize) {
        let options = Options { disk, ..Options::hosts(self.lab.name().clone(), up_to) };
        // Dropping a lab takes it down, and this one is `self.lab`'s.
        std::mem::forget(Lab::up(&options).unwrap());
    }

    pub(crate) fn write_site(&self, options: &SiteOptions) {
        self.write_site_by(&site::program(), options);
    }

    /// Writes the inventory, and lets this build of the program make the CAs.
    fn write_site_by(&self, program: &Path, options: &SiteOptions) {
        let inventory = self.lab.site(&self.folder, options).unwrap();
        let made = site::ensure_authorities(&inventory, program).unwrap();
        assert_ne!(made, Authorities::NoProgram, "{} is not built", program.display());
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn inventory(&self) -> PathBuf {
        self.folder.join("quorate.toml")
    }

    /// Rewrites the inventory.
    #[track_caller]
    pub(crate) fn edit(&self, change: impl FnOnce(&str) -> String) {
        let before = fs::read_to_string(self.inventory()).unwrap();
        let after = change(&before);
        assert_ne!(before, after, "the edit found nothing to change");
        fs::write(self.inventory(), after).unwrap();
    }

    /// The program with these arguments, in an environment that knows nothing of the machine's.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(&site::program(), arguments)
    }

    /// The same of another build of the program.
    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.folder.join("home"))
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_of(&site::program(), arguments)
    }

    /// The same of another build of the program.
    fn run_of(&self, program: &Path, arguments: &[&str]) -> Run {
        let run = Run::new(self.command_of(program, arguments), arguments);
        self.said.borrow_mut().push(run.text());
        run
    }

    /// Everything that the program printed so far.
    pub(crate) fn said(&self) -> String {
        self.said.borrow().concat()
    }

    pub(crate) fn host(&self, number: u8) -> Host {
        self.lab.host(number).unwrap()
    }

    pub(crate) fn hosts(&self) -> Vec<Host> {
        self.lab.hosts().unwrap()
    }

    /// The plan is empty now, and so says its exit code.
    #[track_caller]
    pub(crate) fn expect_nothing_to_do(&self) -> Run {
        self.run(&["plan", "--detailed-exitcode"]).ends(0).says("No changes")
    }

    /// All hosts reboot, and the cluster is what it was.
    #[track_caller]
    pub(crate) fn survives_reboots(&self, members: &Members) {
        for host in self.hosts() {
            host.reboot().unwrap();
        }
        self.hosts().iter().for_each(serves);
        members.expect_whole(self);
        self.expect_nothing_to_do();
    }

    /// What every host holds that quorate might have made or changed.
    pub(crate) fn traces(&self) -> Traces {
        Traces::collect(&self.hosts())
    }

    /// Refuses for this reason, in `plan` and in `apply`, before anything is changed.
    #[track_caller]
    pub(crate) fn expect_refusal(&self, code: &str, words: &[&str]) -> Run {
        let before = self.traces();
        self.run(&["plan"]).ends(8).says(&format!("[{code}]"));
        let mut apply = self.run(&["apply", "--yes"]).ends(8).says(&format!("[{code}]"));
        for word in words {
            apply = apply.says(word);
        }
        self.traces().expect_same_as(&before);
        apply
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn lab_name(name: &str) -> LabName {
    name.parse().unwrap()
}

/// Waits until something holds: a moment, but for a machine that has too much to do.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "not within two minutes: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// What a command on a host printed; it must have ended well.
#[track_caller]
pub(crate) fn on(host: &Host, command: &str) -> String {
    let output = host.ssh(command).unwrap();
    assert!(
        output.status.success(),
        "{}: {command}\n{}{}",
        host.name(),
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout).trim().to_owned()
}

/// What a command on this machine printed; it must have ended well.
#[track_caller]
pub(crate) fn here(program: &str, arguments: &[&str]) -> String {
    let output = output(program, arguments);
    assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What became of a command on this machine.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
