//! `quorate logs`

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use inventories::{ClusterName, HostName};
use planner::{Selection, SiteSpec};
use time::OffsetDateTime;
use time::macros::format_description;

use super::Context;
use super::hosts::HostAccess;
use super::{selection, when};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::interrupt::Interrupts;
use engine::lock::LockError;
use engine::pool::Pool;
use engine::sessions::logs::{self, Line, Logs};

mod follow;
mod news;

use follow::{Follower, follow};

/// Arguments of `quorate logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Only members of this cluster (may be given again)
    #[arg(long, value_name = "NAME")]
    cluster: Vec<ClusterName>,
    /// Only members on this host (may be given again)
    #[arg(long, value_name = "NAME")]
    host: Vec<HostName>,
    /// How many lines of each member, the newest ones
    #[arg(short = 'n', long, value_name = "LINES", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    lines: u32,
    /// Only lines since then: 15m, 2h or 3d ago, a date, or a time such as 2026-11-29T03:00:00Z
    #[arg(long, value_name = "WHEN", value_parser = when::moment)]
    since: Option<OffsetDateTime>,
    /// Print new lines as they are written, until you press Ctrl-C
    #[arg(short, long)]
    follow: bool,
}

/// A member, by its host and its cluster.
type Member = (HostName, ClusterName);

/// What each asked member gave.
type Answers = Vec<(Member, Result<Logs, LockError>)>;

pub(super) fn run(context: &Context, arguments: &LogsArgs) -> Result<ExitCode, CliError> {
    let site = context.site()?;
    let spec = site.spec()?;
    let (clusters, hosts) = (&arguments.cluster, &arguments.host);
    let selection = Selection {
        clusters: clusters.iter().cloned().collect(),
        hosts: hosts.iter().cloned().collect(),
    };
    selection::of_the_site(&selection, &spec)?;
    let shown = Shown::new(context, members(&spec, &selection));
    context.block_on(async {
        let access = HostAccess::new(context, &site)?;
        let mut interrupts = Interrupts::listen().map_err(CliError::failed)?;
        let asking = async {
            Ok(ask(&access.pool, &shown.members, arguments.lines, |_| arguments.since).await)
        };
        let answers = interrupts.give_way(asking).await?;
        let followers = Follower::for_hosts(&answers);
        let code = shown.print_first(answers);
        if !arguments.follow {
            return Ok(code);
        }
        let print = |batch| shown.print(batch);
        tokio::select! {
            () = follow(&access.pool, followers, arguments.since, print) => Ok(ExitCode::Unreachable),
            () = interrupts.next() => Ok(ExitCode::Interrupted),
        }
    })?
}

/// Shown for a member that sent fewer lines than were asked for and exist.
pub(super) const CUT_OFF: &str = "wrote more than is read at once; the older lines are left out";

/// The most lines of a member that are printed at once while it is followed.
const MOST_NEW: u32 = 2000;

fn members(spec: &SiteSpec, selection: &Selection) -> Vec<Member> {
    let of_cluster = |cluster: &planner::spec::ClusterSpec| {
        let hosts: Vec<HostName> =
            cluster.members.keys().filter(|host| selection.takes_host(host)).cloned().collect();
        let name = cluster.name.clone();
        hosts.into_iter().map(move |host| (host, name.clone()))
    };
    selection.planned_clusters(spec).flat_map(of_cluster).collect()
}

/// Asks all hosts at once.
async fn ask(
    pool: &Arc<Pool>,
    members: &[Member],
    lines: u32,
    since: impl Fn(&Member) -> Option<OffsetDateTime>,
) -> Answers {
    let mut all = tokio::task::JoinSet::new();
    for member in members.iter().cloned() {
        let (pool, since) = (Arc::clone(pool), since(&member));
        all.spawn(async move {
            let said = logs::newest(&pool, &member.0, &member.1, lines, since).await;
            (member, said)
        });
    }
    let mut said = all.join_all().await;
    said.sort_by(|a, b| a.0.cmp(&b.0));
    said
}

/// How lines are shown.
struct Shown<'a> {
    context: &'a Context,
    members: Vec<Member>,
    /// As wide as the longest name.
    width: usize,
    several: bool,
}

impl<'a> Shown<'a> {
    fn new(context: &'a Context, members: Vec<Member>) -> Self {
        let mut shown = Self { context, members, width: 0, several: false };
        let clusters: BTreeMap<&ClusterName, ()> =
            shown.members.iter().map(|(_, cluster)| (cluster, ())).collect();
        shown.several = clusters.len() > 1;
        let widths = shown.members.iter().map(|member| shown.name(member).chars().count());
        shown.width = widths.max().unwrap_or_default();
        shown
    }

    /// A host runs a member of each of its clusters.
    fn name(&self, (host, cluster): &Member) -> String {
        if self.several { format!("{host}/{cluster}") } else { host.to_string() }
    }

    /// Prints what all members gave, in one row by time, and says who gave nothing.
    fn print_first(&self, answers: Answers) -> ExitCode {
        let terminal = &self.context.terminal;
        let mut code = ExitCode::Done;
        let mut lines = Vec::new();
        for (member, said) in answers {
            let name = self.name(&member);
            match said {
                Ok(logs) => {
                    for complaint in &logs.complaints {
                        terminal.warn(&format!("{name}: {}", escaped(complaint)));
                    }
                    if logs.cut_off {
                        terminal.warn(&format!("{name}: {CUT_OFF}"));
                    }
                    if logs.lines.is_empty() {
                        terminal.say(&format!(
                            "{name}: no lines in the journal of etcd-{}.service, nor in the logs of its pod",
                            member.1
                        ));
                    }
                    lines.extend(logs.lines.into_iter().map(|line| (member.clone(), line)));
                }
                Err(error) => {
                    terminal.warn(&error.to_string());
                    code = code.first(super::hosts::code_of(&error));
                }
            }
        }
        lines.sort_by(|a, b| (a.1.at, &a.0).cmp(&(b.1.at, &b.0)));
        self.print(lines.into_iter().map(|(member, line)| (member, news::Said::Line(line))));
        code
    }

    fn print(&self, said: impl IntoIterator<Item = (Member, news::Said)>) {
        for (member, said) in said {
            match said {
                news::Said::Line(line) => {
                    let text = line_of(&self.name(&member), self.width, &line);
                    self.context.terminal.print(&text);
                }
                news::Said::LeftOut => self.context.terminal.warn(&format!(
                    "{}: wrote more at once than is read; the older lines are left out",
                    self.name(&member)
                )),
                news::Said::Refused(why) => {
                    self.context.terminal.warn(&format!("{why}; quorate stops reading it"));
                }
                news::Said::Away(why) => {
                    self.context.terminal.warn(&format!("{why}; trying again"));
                }
            }
        }
    }
}

/// The log of a member as a text, a line each.
pub(super) fn text_of(name: &str, logs: &Logs) -> String {
    logs.lines.iter().map(|line| line_of(name, 0, line)).collect()
}

/// A line of a host as a line of ours: what it wrote must not look like two.
fn line_of(name: &str, width: usize, line: &Line) -> String {
    let format =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let at = line.at.format(&format).unwrap_or_default();
    format!("{at}  {name:<width$}  {}\n", escaped(&line.text))
}

/// Control characters as Rust and most shells write them.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\t' => out.push(' '),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_line_of_a_member_stays_one_line_and_orders_nothing() {
        let text = "a\n2026-11-29T03:00:00.000Z  etcd-2  b\r\u{1b}[2J\u{85}".to_owned();
        let line = Line { at: datetime!(2026-11-29 3:00:00.0625 UTC), text };
        let said = line_of("etcd-1", 8, &line);
        let shown = "2026-11-29T03:00:00.062Z  etcd-1    a\\n2026-11-29T03:00:00.000Z  etcd-2  b\\r\\u{1b}[2J\n";
        assert_eq!(said, shown);
    }
}
