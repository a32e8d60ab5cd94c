//! The production hosts of a site, and who logs in to them.

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use inventories::inventory::{Host, Ssh};
use inventories::{HostName, SiteName};

use super::Context;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::keys::OpenAuthorities;
use crate::site::Site;
use crate::terminal::Terminal;
use engine::backups::sftp::LogIn;
use engine::lock::LockError;
use engine::pool::{LoginError, Operator, Pool, target, targets};
use engine::release::Archives;
use engine::ssh_hosts::SshHosts;
use engine::steps::certificates::Issuers;
use remote::{Answers, Counters, Target};
use tokio::task::JoinSet;

/// The way to the hosts of a site: one pool of connections for all that a command does.
#[derive(Debug)]
pub(super) struct HostAccess {
    site: SiteName,
    folder: PathBuf,
    /// The connections.
    pub(super) pool: Arc<Pool>,
}

impl HostAccess {
    /// No connection is made yet.
    pub(super) fn new(context: &Context, site: &Site) -> Result<Self, CliError> {
        let targets = logins(context, &site.inventory.hosts)?;
        Ok(Self {
            site: site.inventory.site.name.clone(),
            folder: site.folder().to_owned(),
            pool: Arc::new(Pool::new(targets, context.parallelism.logins)),
        })
    }

    /// Says what the connections cost so far, for `--verbose`.
    pub(super) async fn say_cost(&self, terminal: &Terminal) {
        let costs = self.pool.counters().await;
        let mean = |of: fn(&Counters) -> u64| {
            let sum: u64 = costs.values().map(of).sum();
            sum as f64 / costs.len() as f64
        };
        if !costs.is_empty() {
            terminal.say_more(&format!(
                "average per host: {:.1} connections, {:.1} commands, {:.1} kB sent, {:.1} kB received",
                mean(|cost| cost.connections),
                mean(|cost| cost.execs),
                mean(|cost| cost.bytes_out) / 1e3,
                mean(|cost| cost.bytes_in) / 1e3,
            ));
        }
    }

    /// Asks these hosts at once: the answers by host, and a warning for each that gave none.
    pub(super) async fn ask_each<'h, T: Send + 'static, F>(
        &self,
        terminal: &Terminal,
        hosts: impl IntoIterator<Item = &'h HostName>,
        ask: impl Fn(Arc<Pool>, HostName) -> F,
    ) -> (Vec<(HostName, T)>, ExitCode)
    where
        F: Future<Output = Result<T, LockError>> + Send + 'static,
    {
        let mut all = JoinSet::new();
        for host in hosts {
            let asked = ask(Arc::clone(&self.pool), host.clone());
            let host = host.clone();
            all.spawn(async move { (host, asked.await) });
        }
        let mut said = all.join_all().await;
        said.sort_by(|a, b| a.0.cmp(&b.0));
        let (mut answers, mut code) = (Vec::new(), ExitCode::Done);
        for (host, answer) in said {
            match answer {
                Ok(answer) => answers.push((host, answer)),
                Err(error) => {
                    terminal.warn(&error.to_string());
                    code = code.first(code_of(&error));
                }
            }
        }
        (answers, code)
    }

    /// The hosts, to be looked at.
    pub(super) fn hosts(&self) -> SshHosts {
        self.with_authorities(BTreeMap::new())
    }

    /// The hosts, for steps that issue certificates.
    pub(super) fn with_authorities(&self, authorities: OpenAuthorities) -> SshHosts {
        let mut issuers = Issuers::default();
        for ((cluster, _), authority) in authorities {
            issuers.insert(cluster, authority);
        }
        let archives = Archives::new(self.folder.clone());
        SshHosts::new(self.site.clone(), Arc::clone(&self.pool), archives, issuers)
    }
}

/// The result of a command whose host did not answer.
pub(super) fn code_of(error: &LockError) -> ExitCode {
    match error {
        LockError::Away { .. } => ExitCode::Unreachable,
        _ => ExitCode::Failed,
    }
}

/// The ways to these hosts, as the inventory and the configuration of ssh have them.
pub(super) fn logins(
    context: &Context,
    hosts: &BTreeMap<HostName, Host>,
) -> Result<BTreeMap<HostName, Target>, CliError> {
    let all: Vec<&Ssh> = hosts.values().map(|host| &host.ssh).collect();
    let found = hosts.keys().zip(targets(&all, &operator()?));
    let named = found.map(|(name, found)| {
        let target = found.map_err(|error| no_login(name, error))?;
        Ok((name.clone(), target.with_passphrases(&context.passphrases)))
    });
    named.collect()
}

/// The way to a machine that holds backups. Nothing is read before it is asked for.
pub(super) fn log_in(context: &Context, ssh: Ssh) -> LogIn {
    let passphrases = Arc::clone(&context.passphrases);
    Arc::new(move || {
        let operator = operator().map_err(|error| io::Error::other(error.source))?;
        let found = target(&ssh, &operator).map_err(io::Error::other)?;
        Ok(found.with_passphrases(&passphrases))
    })
}

fn no_login(name: &HostName, error: LoginError) -> CliError {
    let hint = error.hint();
    let doing = format!("host {name} has no login");
    let error = CliError::new(ExitCode::Inventory, ErrorContext::new(doing, error));
    hint.into_iter().fold(error, CliError::hint)
}

/// Who runs this program.
fn operator() -> Result<Operator, CliError> {
    let named = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let user = named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| "root".to_owned());
    let home = env::home_dir().ok_or_else(|| {
        CliError::failed("there is no home directory to read SSH keys from").hint("set HOME")
    })?;
    Ok(Operator { user, home, answers: Answers::default() })
}
