//! The commands, one file each: read arguments, call what does the work, show what came of it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Cli, Command};
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::site::Site;
use crate::terminal::{Terminal, Verbosity, ask_passphrase};
use crate::trace;
use remote::passphrases::Passphrases;

pub mod apply;
pub mod archives;
pub mod client_cert;
pub mod completions;
pub mod defrag;
pub mod destroy;
pub mod dns;
pub mod etcdctl;
pub mod firewall;
pub mod graph;
pub mod history;
pub mod init;
pub mod kubernetes;
pub mod logs;
pub mod man_pages;
pub mod monitoring;
pub mod pki;
pub mod plan;
pub mod recover;
pub mod release;
pub mod remove;
pub mod restore;
pub mod schema;
pub mod show;
pub mod snapshot;
pub mod status;
pub mod support_bundle;
pub mod trust;
pub mod unlock;

mod actor;
mod approval;
mod hosts;
mod maintenance;
mod planning;
mod selection;
mod validate;
mod version;
mod when;

/// What every command works with.
#[derive(Debug)]
pub struct Context {
    /// Where it reads from and writes to.
    pub terminal: Terminal,
    /// The passphrases of the operator's keys.
    pub passphrases: Arc<Passphrases>,
    /// The inventory's path, as the operator gave it.
    pub inventory: PathBuf,
    /// How much is done at once.
    pub parallelism: Parallelism,
}

/// How much is done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parallelism {
    /// Steps that run.
    pub steps: usize,
    /// Logins that are being made. A login waits for the network most of the time, and a look costs
    /// a host little: there may be more of them than of steps, which download and write.
    pub logins: usize,
}

impl Parallelism {
    /// What the operator asks for, for both; else as much as most sites have use for.
    fn new(asked: Option<u16>) -> Self {
        let asked = asked.map(usize::from);
        Self { steps: asked.unwrap_or(10), logins: asked.unwrap_or(64) }
    }
}

/// Runs a command line, program name first, to its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> std::process::ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, _) => Verbosity::Verbose,
    };
    let context = Context {
        terminal: Terminal::new(cli.global.color, verbosity),
        passphrases: Arc::new(Passphrases::asking(ask_passphrase)),
        inventory: cli.global.inventory,
        parallelism: Parallelism::new(cli.global.parallelism),
    };
    let traced = trace::start(cli.global.verbose, cli.global.log_file.as_deref());
    let ended = traced.and_then(|()| dispatch(&context, cli.command));
    finish(&context.terminal, ended).into()
}

impl Context {
    /// The inventory, after its warnings were shown.
    pub fn site(&self) -> Result<Site, CliError> {
        let site = Site::load(&self.inventory)?;
        self.terminal.diagnostics(&site.warnings);
        Ok(site)
    }

    /// Runs what waits for hosts. One thread is enough: each connection has its own.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> Result<T, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CliError::failed(ErrorContext::new("cannot start", error)))?;
        let done = runtime.block_on(work);
        // A thread that still reads stdin must not keep the process.
        runtime.shutdown_background();
        Ok(done)
    }
}

fn dispatch(context: &Context, command: Command) -> Result<u8, CliError> {
    let code = match command {
        Command::Init(arguments) => init::run(context, &arguments)?,
        Command::Trust(arguments) => trust::run(context, &arguments)?,
        Command::Validate => validate::run(context)?,
        Command::Plan(arguments) => plan::run(context, &arguments)?,
        Command::Show(arguments) => show::run(context, &arguments)?,
        Command::Apply(arguments) => apply::run(context, &arguments)?,
        Command::Defrag(arguments) => defrag::run(context, &arguments)?,
        Command::Destroy(arguments) => destroy::run(context, &arguments)?,
        Command::Remove(arguments) => remove::run(context, &arguments)?,
        Command::Recover(arguments) => recover::run(context, &arguments)?,
        Command::Restore(arguments) => restore::run(context, &arguments)?,
        Command::Status(arguments) => status::run(context, &arguments)?,
        Command::Etcdctl(arguments) => return etcdctl::run(context, &arguments),
        Command::ClientCert(arguments) => client_cert::run(context, &arguments)?,
        Command::Dns(arguments) => dns::run(context, &arguments)?,
        Command::Firewall(command) => firewall::run(context, &command)?,
        Command::Kubernetes(command) => kubernetes::run(context, &command)?,
        Command::Pki(command) => pki::run(context, &command)?,
        Command::Release(command) => release::run(context, &command)?,
        Command::Archives(command) => archives::run(context, &command)?,
        Command::Snapshot(command) => snapshot::run(context, &command)?,
        Command::Logs(arguments) => logs::run(context, &arguments)?,
        Command::Monitoring(command) => monitoring::run(context, &command)?,
        Command::SupportBundle(arguments) => support_bundle::run(context, &arguments)?,
        Command::History(arguments) => history::run(context, &arguments)?,
        Command::Unlock(arguments) => unlock::run(context, &arguments)?,
        Command::Graph(arguments) => graph::run(context, &arguments)?,
        Command::Schema(arguments) => schema::run(context, &arguments)?,
        Command::Completions(arguments) => completions::run(context, &arguments),
        Command::ManPages(arguments) => man_pages::run(&arguments)?,
        Command::Version => version::run(context),
    };
    Ok(code.number())
}

fn finish(terminal: &Terminal, ended: Result<u8, CliError>) -> u8 {
    let code = ended.unwrap_or_else(|error| {
        terminal.error(&error);
        error.kind.number()
    });
    match terminal.finish() {
        Some(trouble) => {
            let error = CliError::failed(ErrorContext::new("cannot write the output", trouble));
            terminal.error(&error);
            // What was done counts more than that it could not be said.
            if code == ExitCode::Done.number() { error.kind.number() } else { code }
        }
        None => code,
    }
}

/// `--help` is an answer and goes to stdout; anything else is a usage error.
fn usage(error: &clap::Error) -> u8 {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    // A reader that went away is no error.
    let _ = error.print();
    if asked { ExitCode::Done.number() } else { ExitCode::Usage.number() }
}
