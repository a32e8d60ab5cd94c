//! The hosts that are measured on: a lab of its own, and clusters of five on it.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use quorate_lab::delay::RoundTrip;
use quorate_lab::site::{ensure_authorities, program};
use quorate_lab::ssh::User;
use quorate_lab::{Host, Lab, Options, SiteOptions};

use crate::Failure;

/// How many members a cluster has, where there are so many hosts.
const MEMBERS: usize = 5;

/// A lab, and the folder of its operator. Both go when it is dropped.
pub(crate) struct Site {
    lab: Lab,
    folder: tempfile::TempDir,
    clusters: Vec<String>,
}

impl Site {
    /// This many empty hosts, and an inventory of them.
    pub(crate) fn new(hosts: u8) -> Result<Self, Failure> {
        let lab = Lab::up(&Options::hosts("bench".parse()?, hosts))?;
        let folder = tempfile::tempdir()?;
        let inventory = lab.site(folder.path(), &SiteOptions::default())?;
        let text = fs::read_to_string(&inventory)?;
        fs::write(&inventory, in_clusters(&text, hosts)?)?;
        ensure_authorities(&inventory, &program())?;
        let clusters = (0..usize::from(hosts).div_ceil(MEMBERS)).map(cluster_name).collect();
        Ok(Self { lab, folder, clusters })
    }

    /// Moves everybody so far apart.
    pub(crate) fn set_distance(&self, milliseconds: u16) -> Result<(), Failure> {
        Ok(self.lab.set_distance(RoundTrip::milliseconds(milliseconds)?)?)
    }

    pub(crate) fn hosts(&self) -> Result<Vec<Host>, Failure> {
        Ok(self.lab.hosts()?)
    }

    /// The CPU time that all hosts used since they were booted.
    pub(crate) fn cpu_time(&self) -> Result<Duration, Failure> {
        let mut sum = Duration::ZERO;
        for host in self.hosts()? {
            sum += host.cpu_time()?;
        }
        Ok(sum)
    }

    /// The inventory's file.
    pub(crate) fn inventory(&self) -> PathBuf {
        self.folder.path().join("quorate.toml")
    }

    /// The program, with these arguments.
    pub(crate) fn quorate(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("-i").arg(self.inventory()).args(arguments);
        command
    }

    /// An apply. All hosts time the same disk at once here, which says nothing about either.
    pub(crate) fn apply(&self) -> Command {
        let mut apply = self.quorate(&["-q", "apply", "--yes"]);
        for cluster in &self.clusters {
            apply.args(["--allow-slow-disk", cluster]);
        }
        apply
    }

    /// A plan, where nothing may be left to do.
    pub(crate) fn plan(&self) -> Command {
        self.quorate(&["plan", "--detailed-exitcode"])
    }

    /// The same command on every host, over a login of its own each.
    pub(crate) fn ssh_each(&self, remote: &str) -> Result<Vec<Command>, Failure> {
        let mut commands = Vec::new();
        for host in self.hosts()? {
            let mut command = host.ssh_command(User::Root)?;
            command.arg("--").arg(remote);
            commands.push(command);
        }
        Ok(commands)
    }
}

/// The lab's inventory has one cluster of all hosts: it is taken apart into clusters of five.
fn in_clusters(text: &str, hosts: u8) -> Result<String, Failure> {
    let (head, rest) = text.split_once("[clusters.main]\n").ok_or("no cluster main")?;
    let (cluster, tail) = rest.split_once("\n\n").ok_or("the cluster does not end")?;
    let settings: Vec<&str> = cluster.lines().filter(|line| !line.starts_with("members")).collect();
    let names: Vec<String> = (1..=hosts).map(|number| format!("\"etcd-{number}\"")).collect();
    let mut clusters = String::new();
    for (number, members) in names.chunks(MEMBERS).enumerate() {
        let name = cluster_name(number);
        let members = members.join(", ");
        writeln!(clusters, "[clusters.{name}]\nmembers = [{members}]\n{}\n", settings.join("\n"))?;
    }
    Ok(format!("{head}{clusters}{tail}"))
}

fn cluster_name(number: usize) -> String {
    if number == 0 { "main".to_owned() } else { format!("c{number}") }
}

/// Runs a command to its end, which must be a good one.
pub(crate) fn run(mut command: Command) -> Result<String, Failure> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let words = [output.stdout, output.stderr].concat();
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&words)).into())
}
