//! The command line: each command is a thin wrapper around the library.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};

use crate::control_plane;
use crate::delay::{self, RoundTrip};
use crate::discovery;
use crate::disk::DiskSize;
use crate::dns::Record;
use crate::error::LabError;
use crate::image::{self, Suite};
use crate::kubelet::Kubelet;
use crate::lab::Lab;
use crate::mirror;
use crate::name::{HostId, LabName};
use crate::object_store;
use crate::options::{Note, Options, Stay};
use crate::releases::{self, Version};
use crate::site::{self, Authorities, Delivery, Family, Runtime, SiteOptions};
use crate::ssh::User;
use crate::teardown;

#[derive(Debug, Parser)]
#[command(name = "lab", about = "Real systemd hosts on this machine, to rehearse on")]
struct Cli {
    /// Which lab: labs of different names don't see each other.
    #[arg(long, global = true, default_value_t)]
    name: LabName,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Boots hosts, or adds what the lab lacks if it is up.
    Up(Up),
    /// Lists the hosts.
    Status,
    /// Runs a command on a host, or opens a shell there; ends as the command does.
    Ssh(Ssh),
    /// Cuts a host's power, then boots it again with its disk as it was.
    Reboot(One),
    /// Cuts a host's power. `reboot` or `up` brings it back.
    Kill(One),
    /// Stops all processes of a host where they stand.
    Freeze(One),
    /// Lets a frozen host continue.
    Thaw(One),
    /// Limits a host's disk to this many writes per second; 0 lifts the limit.
    Slow(Slow),
    /// Cuts a host off from all others.
    Cut(One),
    /// Cuts the connection between two hosts.
    Partition(Two),
    /// Drops all packets to one TCP port of a host.
    Silence(Port),
    /// Takes back every cut, partition and silence of a host.
    Heal(One),
    /// Gives the hosts a DNS server with exactly these records.
    Dns(Dns),
    /// Writes a ready site folder for what is up: `quorate.toml` and CAs.
    Inventory(Inventory),
    /// Makes what is made once: the root image, and etcd's release archives for the mirror.
    Prepare(Prepare),
    /// Takes the lab down, with everything that was made for it.
    Down,
    /// The mirror's own process.
    #[command(hide = true)]
    ServeMirror { folder: PathBuf, addresses: Vec<SocketAddr> },
    /// The process that delays frames.
    #[command(hide = true)]
    Delay { distance: RoundTrip, taps: Vec<String> },
}

#[derive(Debug, Args)]
struct Up {
    /// How many hosts the lab is to have at least.
    #[arg(value_parser = clap::value_parser!(u8).range(1..=i64::from(HostId::MAX)))]
    hosts: u8,
    /// The size in MiB of the disks of hosts that are added.
    #[arg(long)]
    disk_mb: Option<u32>,
    /// How far apart everybody is, in milliseconds there and back; 0 ends that.
    #[arg(long)]
    delay_ms: Option<RoundTrip>,
    /// Gives the hosts a DNS server; `lab dns` sets its records.
    #[arg(long)]
    dns: bool,
    /// The distribution that the plain hosts of a new lab run.
    #[arg(long, value_enum, default_value_t)]
    suite: Suite,
    /// Gives hosts that are added a kubelet, which runs pods without an API server.
    #[arg(long)]
    kubelet: bool,
    /// A version of etcd whose image such hosts are to have; may be given more than once.
    #[arg(long, value_name = "VERSION", requires = "kubelet")]
    etcd: Vec<Version>,
}

#[derive(Debug, Args)]
struct Ssh {
    /// Whom to log in as.
    #[arg(long, value_enum, default_value_t)]
    user: User,
    /// The host: 1, or etcd-1.
    host: HostId,
    /// The command; a shell without one.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

#[derive(Debug, Args)]
struct One {
    /// The host: 1, or etcd-1.
    host: HostId,
}

#[derive(Debug, Args)]
struct Slow {
    /// The host: 1, or etcd-1.
    host: HostId,
    /// Writes a second.
    writes: u32,
}

#[derive(Debug, Args)]
struct Two {
    /// One host: 1, or etcd-1.
    host: HostId,
    /// The other.
    other: HostId,
}

#[derive(Debug, Args)]
struct Port {
    /// The host: 1, or etcd-1.
    host: HostId,
    /// The port that is to be silent.
    port: u16,
}

#[derive(Debug, Args)]
struct Dns {
    /// NAME=ADDRESS, or NAME=TARGET:PORT for a service.
    records: Vec<Record>,
}

#[derive(Debug, Args)]
struct Inventory {
    /// The folder to write into; made if it is missing.
    folder: PathBuf,
    /// The version of the cluster.
    #[arg(long, default_value = "3.6.16")]
    version: Version,
    /// How many hosts are members; all unless given.
    #[arg(long)]
    members: Option<u8>,
    /// What keeps a member running.
    #[arg(long, value_enum, default_value_t)]
    runtime: Runtime,
    /// Whom to log in as.
    #[arg(long, value_enum, default_value_t)]
    user: User,
    /// Which addresses to use.
    #[arg(long, value_enum, default_value_t)]
    family: Family,
    /// Whether hosts download etcd or have it pushed.
    #[arg(long, value_enum, default_value_t)]
    release: Delivery,
}

#[derive(Debug, Args)]
struct Prepare {
    /// Root images of these, too.
    #[arg(long, value_enum)]
    suite: Vec<Suite>,
    /// Also what hosts with a kubelet are made of.
    #[arg(long)]
    kubelet: bool,
    /// Also what a control plane of Kubernetes is made of.
    #[arg(long)]
    kubernetes: bool,
    /// Also what the discovery service of the v2 protocol is made of.
    #[arg(long)]
    discovery: bool,
    /// Also an S3 server.
    #[arg(long)]
    object_store: bool,
    /// Which versions; those that scenarios are run on unless given.
    versions: Vec<Version>,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), LabError> {
    let lab = || Lab::open(&cli.name);
    let host = |id: HostId| lab()?.host(id.number());
    match &cli.command {
        Command::Up(up) => bring_up(&cli.name, up),
        Command::Status => status(&lab()?),
        Command::Ssh(ssh) => {
            let mut command = host(ssh.host)?.ssh_command(ssh.user)?;
            if !ssh.command.is_empty() {
                command.arg("--").args(&ssh.command);
            }
            Err(LabError::ToolMissing { program: "ssh".into(), source: command.exec() })
        }
        Command::Reboot(one) => {
            let began = Instant::now();
            host(one.host)?.reboot()?;
            say(&format!("{} rebooted in {:.1} s", one.host, began.elapsed().as_secs_f32()));
            Ok(())
        }
        Command::Kill(one) => done(host(one.host)?.kill(), one.host, "is off"),
        Command::Freeze(one) => done(host(one.host)?.freeze(), one.host, "stands still"),
        Command::Thaw(one) => done(host(one.host)?.thaw(), one.host, "runs again"),
        Command::Slow(slow) => {
            let limit = (slow.writes > 0).then_some(slow.writes);
            let slowed = host(slow.host)?.limit_writes(limit);
            done(slowed, slow.host, "has the disk that was asked for")
        }
        Command::Cut(one) => done(host(one.host)?.cut(), one.host, "is cut off"),
        Command::Partition(two) => {
            let parted = host(two.host)?.partition(&host(two.other)?);
            done(parted, two.host, &format!("and {} do not reach each other", two.other))
        }
        Command::Silence(silence) => {
            let silenced = host(silence.host)?.silence(silence.port);
            done(silenced, silence.host, &format!("is silent on port {}", silence.port))
        }
        Command::Heal(one) => done(host(one.host)?.heal(), one.host, "is reached by all"),
        Command::Dns(dns) => lab()?.set_dns_records(&dns.records),
        Command::Inventory(inventory) => write_inventory(&lab()?, inventory),
        Command::Prepare(wanted) => prepare(wanted),
        Command::Down => {
            let began = Instant::now();
            teardown::take_down(&cli.name)?.wait_until_reaped();
            say(&format!("lab {} is down ({:.1} s)", cli.name, began.elapsed().as_secs_f32()));
            Ok(())
        }
        Command::ServeMirror { folder, addresses } => mirror::serve(folder, addresses),
        Command::Delay { distance, taps } => delay::run(*distance, taps),
    }
}

fn bring_up(name: &LabName, up: &Up) -> Result<(), LabError> {
    let began = Instant::now();
    let options = Options {
        disk: up.disk_mb.map_or_else(DiskSize::default, DiskSize::megabytes),
        suite: up.suite,
        kubelet: up.kubelet.then(|| Kubelet { etcd: up.etcd.clone() }),
        distance: up.delay_ms,
        stay: Stay::UntilDown,
        tell,
        ..Options::hosts(name.clone(), up.hosts)
    };
    let lab = Lab::up(&options)?;
    if up.dns && lab.state()?.dns.is_none() {
        lab.set_dns_records(&[])?;
    }
    status(&lab)?;
    say(&format!("lab {name} is up ({:.1} s)", began.elapsed().as_secs_f32()));
    Ok(())
}

fn status(lab: &Lab) -> Result<(), LabError> {
    let state = lab.state()?;
    for host in lab.hosts()? {
        let running = if host.is_running()? { "running" } else { "off" };
        let cut = if state.faults.cut.contains(&host.id()) { ", cut off" } else { "" };
        say(&format!(
            "{:<9} {:<12} {:<14} {running}{cut}",
            host.name(),
            host.address(),
            host.address_v6()
        ));
    }
    for (one, other) in &state.faults.partitions {
        say(&format!("{one} and {other} do not reach each other"));
    }
    for (host, port) in &state.faults.silenced {
        say(&format!("{host} is silent on port {port}"));
    }
    if state.distance != RoundTrip::NONE {
        say(&format!("a round trip takes {} ms", state.distance));
    }
    for record in state.dns.iter().flatten() {
        say(&format!("dns       {record}"));
    }
    say(&format!("releases  {}", lab.mirror_url()));
    Ok(())
}

fn write_inventory(lab: &Lab, inventory: &Inventory) -> Result<(), LabError> {
    let options = SiteOptions {
        version: inventory.version,
        members: inventory.members,
        runtime: inventory.runtime,
        user: inventory.user,
        family: inventory.family,
        delivery: inventory.release,
        tell,
    };
    let path = lab.site(&inventory.folder, &options)?;
    say(&format!("wrote {}", path.display()));
    let quorate = site::program();
    let folder = inventory.folder.join("pki");
    match site::ensure_authorities(&path, &quorate)? {
        Authorities::Made => say(&format!("made the CAs in {}", folder.display())),
        Authorities::Kept => say(&format!("kept the CAs in {}", folder.display())),
        Authorities::NoProgram => say(&format!(
            "made no CAs: {} is not built (cargo build --release -p quorate; \
             QUORATE_BIN names another)",
            quorate.display()
        )),
    }
    Ok(())
}

/// Makes all that can be made: one thing that can't be had keeps nobody from the others.
fn prepare(wanted: &Prepare) -> Result<(), LabError> {
    let suites = BTreeSet::from([Suite::default()]).into_iter().chain(wanted.suite.iter().copied());
    let suites: BTreeSet<Suite> = suites.collect();
    let mut made: Vec<_> =
        suites.into_iter().map(|suite| told("root image", image::ensure(suite, tell))).collect();
    if wanted.kubelet {
        made.push(told("with a kubelet", image::ensure_with_kubelet(tell)));
    }
    let versions = if wanted.versions.is_empty() { &releases::TRIED[..] } else { &wanted.versions };
    for version in versions {
        let release = releases::ensure(*version, tell).map(|release| release.archive);
        made.push(told(&format!("etcd {version}"), release));
    }
    if wanted.kubernetes {
        made.push(told("control plane", control_plane::ensure(tell)));
    }
    if wanted.discovery {
        made.push(told("discovery service", discovery::ensure()));
    }
    if wanted.object_store {
        made.push(told("S3 server", object_store::ensure(tell)));
    }
    made.into_iter().collect()
}

/// Says where a thing is, or why it can't be had.
fn told(what: &str, made: Result<PathBuf, LabError>) -> Result<(), LabError> {
    match &made {
        Ok(path) => say(&format!("{what}  {}", path.display())),
        Err(error) => report(error),
    }
    made.map(drop)
}

fn done(result: Result<(), LabError>, host: HostId, what: &str) -> Result<(), LabError> {
    result?;
    say(&format!("{host} {what}"));
    Ok(())
}

fn tell(note: &Note) {
    let _ = writeln!(io::stderr(), "lab: {note}");
}

fn say(line: &str) {
    // The reader that closed the pipe has read enough.
    let _ = writeln!(io::stdout(), "{line}");
}

fn report(error: &LabError) {
    let mut text = format!("lab: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("\n     {hint}"));
    }
    let _ = writeln!(io::stderr(), "{text}");
}
