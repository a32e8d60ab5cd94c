//! `quorate recover`

use std::fmt::Write as _;

use clap::Args;
use engine::backups::Sidecar;
use engine::hosts::Timed;
use inventories::inventory::Runtime;
use inventories::{ClusterName, HostName};
use planner::recovery::{Left, Reached, Recovery, State, Way, recovery};
use planner::text::age;
use time::OffsetDateTime;

use super::planning::{Asked, PolicyArgs};
use super::restore::known::Known;
use super::{Context, plan};
use crate::error::CliError;
use crate::exit::ExitCode;
use crate::keys::IdentityArgs;
use crate::report::columns::table;
use crate::report::json;
use crate::site::clusters_of;

mod check;
pub(super) mod document;

/// Arguments of `quorate recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The cluster
    #[arg(long, value_name = "NAME")]
    cluster: ClusterName,
    /// Check whether the newest backup could be restored now, and exit with 2 if anything is missing
    ///
    /// Opens the newest backup, and asks every host what a restore would ask: room, the tool of its minor version, the cluster's addresses. For a CI job that has the key of a disaster.
    #[arg(long)]
    check: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// What opens the backup.
    #[command(flatten)]
    identity: IdentityArgs,
}

pub(super) fn run(context: &Context, arguments: &RecoverArgs) -> Result<ExitCode, CliError> {
    look(context, arguments).inspect_err(|error| {
        if arguments.json {
            json::print_error(&context.terminal, error);
        }
    })
}

fn look(context: &Context, arguments: &RecoverArgs) -> Result<ExitCode, CliError> {
    let name = &arguments.cluster;
    let site = context.site()?;
    if !site.inventory.clusters.contains_key(name) {
        let message = format!("--cluster {name}: the inventory has no such cluster");
        return Err(CliError::new(ExitCode::Usage, message).hint(clusters_of(&site.spec()?)));
    }
    let now = OffsetDateTime::now_utc();
    let known = Known::read(context, &site, name, now);
    let (planned, missing) = match arguments.check {
        true => check::check(context, &site, (name, &known), &arguments.identity)
            .map(|(planned, missing)| (planned, Some(missing)))?,
        false => {
            let only = PolicyArgs::of_clusters(std::slice::from_ref(name));
            (plan::connect_and_plan(context, &Asked::Inventory(&only), Timed::Nothing)?, None)
        }
    };
    let Some(cluster) = planned.spec.clusters.get(name) else { return Ok(ExitCode::Failed) };
    let found = recovery(cluster, &planned.facts);
    let code = match &missing {
        Some(missing) if missing.is_empty() => ExitCode::Done,
        Some(_) => ExitCode::Changes,
        None if found.ways == [Way::Quorum] => ExitCode::Done,
        None => ExitCode::Failed,
    };
    if arguments.json {
        let document = document::document(name, &found, &known, (missing, code));
        json::print_document(&context.terminal, &document)?;
        return Ok(code);
    }
    context.terminal.print(&match missing {
        Some(missing) => checked(name, &known, &missing, now),
        None => text(name, &found, &known, now),
    });
    Ok(code)
}

/// What a check found.
fn checked(name: &ClusterName, known: &Known, missing: &[String], now: OffsetDateTime) -> String {
    let mut text = backup(known.newest(), None, now);
    if missing.is_empty() {
        let _ = writeln!(text, "Cluster {name} could be restored from it now.");
    }
    for missing in missing {
        let _ = writeln!(text, "missing: {missing}");
    }
    text
}

fn text(name: &ClusterName, found: &Recovery, known: &Known, now: OffsetDateTime) -> String {
    let newest = known.newest();
    let mut text =
        format!("Cluster {name}: a quorum is {} of {} members.\n\n", found.needed, found.voters);
    let head = ["MEMBER", "REVISION", "APPLIED", "TERM", "STATE"].map(str::to_owned);
    let rows: Vec<[String; 5]> = [head].into_iter().chain(found.members.iter().map(row)).collect();
    for line in table(&rows) {
        let _ = writeln!(text, "{line}");
    }
    text.push('\n');
    let survivor = found.members.iter().find_map(|left| reached(&left.state));
    text += &backup(newest, survivor, now);
    if newest.is_none() && known.doubts.is_empty() {
        text += "No target has a good backup.\n";
    }
    for doubt in &known.doubts {
        let _ = writeln!(text, "Warning: {doubt}.");
    }
    for (index, way) in found.ways.iter().enumerate() {
        let head = if index == 0 { "Next" } else { "If that is impossible" };
        let _ = write!(text, "\n{head}: {}", advice(name, found, way, newest));
    }
    text
}

fn reached(state: &State) -> Option<Reached> {
    match state {
        State::Serves(reached) | State::Alone(reached) => Some(*reached),
        State::Learner | State::Silent | State::Unseen(_) | State::Empty => None,
    }
}

/// A state, for people.
fn why(state: &State) -> String {
    match state {
        State::Serves(_) => "answers, and has a leader".to_owned(),
        State::Alone(_) => "answers, but has no leader".to_owned(),
        State::Learner => "a learner: it has no vote".to_owned(),
        State::Silent => "does not answer; its data is there".to_owned(),
        State::Unseen(why) => format!("unknown: {why}"),
        State::Empty => "its data is gone".to_owned(),
    }
}

fn row(left: &Left) -> [String; 5] {
    let state = why(&left.state);
    let number = |of: fn(Reached) -> u64| {
        reached(&left.state).map_or("-".to_owned(), |reached| of(reached).to_string())
    };
    [
        left.host.to_string(),
        number(|r| r.revision),
        number(|r| r.applied),
        number(|r| r.term),
        state,
    ]
}

fn backup(newest: Option<&Sidecar>, survivor: Option<Reached>, now: OffsetDateTime) -> String {
    let Some(newest) = newest else { return String::new() };
    let age = newest.taken().map(|taken| age(now - taken)).unwrap_or_default();
    let behind = match survivor {
        Some(at) if at.revision > newest.revision => {
            format!(
                ", {} revisions behind the newest member that answers",
                at.revision - newest.revision
            )
        }
        _ => String::new(),
    };
    format!("Newest good backup: {}, {age} old, revision {}{behind}\n", newest.id, newest.revision)
}

fn advice(name: &ClusterName, found: &Recovery, way: &Way, newest: Option<&Sidecar>) -> String {
    let names =
        |hosts: &[HostName]| hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
    let restore = |from: &str| {
        format!(
            "  quorate restore --cluster {name} --from {from} --clients-stopped {name}{}\n",
            gone(found)
        )
    };
    match way {
        Way::Quorum => {
            "the cluster has a quorum: no data is lost, and no restore is needed.\n  quorate plan\n".to_owned()
        }
        Way::Led(hosts) => format!(
            "some member follows a leader, so the cluster still serves. A restore now would make a second cluster.{}\n  quorate status\n",
            match hosts.is_empty() {
                true => String::new(),
                false => format!(" Make these hosts reachable: {}.", names(hosts)),
            }
        ),
        Way::Finish(sha256) => format!(
            "a restore was started but not finished. Run the same command again. If its snapshot was a file, name the file.\n  \
             quorate restore --cluster {name} --from sha256:{sha256} --clients-stopped {name}\n  quorate plan --cluster {name}\n"
        ),
        Way::Start(hosts) if hosts.is_empty() => {
            "enough members answer, so no data is lost. They elect a leader once they can reach each other. Check the network between them.\n  quorate status\n".to_owned()
        }
        Way::Start(hosts) => format!(
            "start these members: {}. Enough members still have their data: if they start, nothing is lost.\n  quorate apply --cluster {name}\n",
            names(hosts)
        ),
        Way::Reach(hosts) => format!(
            "bring these hosts back: {}. If enough of them still have their data, nothing is lost.\n  quorate status\n",
            names(hosts)
        ),
        Way::Survivor(host) => format!(
            "create a new cluster from the data of {host}. Writes that only the other members had are lost; their number is unknown.\n  \
             quorate snapshot take --cluster {name}\n{}{}",
            without_gone(name, found),
            restore("ID")
        ),
        Way::Revive(host) => format!(
            "{host} has data, but its member does not answer. Start it: it can give a snapshot even without a quorum.\n  \
             {}\n  quorate recover --cluster {name}\n",
            match found.runtime {
                Runtime::Systemd => format!("systemctl start --no-block etcd-{name}      # on {host}"),
                Runtime::StaticPod => {
                    format!("systemctl start --no-block kubelet      # on {host}: it runs the member's pod")
                }
            }
        ),
        Way::Backup => format!(
            "restore a backup. Everything written since it was taken is lost.\n{}{}",
            without_gone(name, found),
            match newest {
                Some(newest) => restore(&newest.id),
                None => format!("  find one: quorate snapshot list --cluster {name}\n"),
            }
        ),
    }
}

/// What to do about hosts that can't get restored data.
fn without_gone(name: &ClusterName, found: &Recovery) -> String {
    if gone(found).is_empty() {
        return String::new();
    }
    format!("  remove the hosts that are gone from `members` of cluster {name}\n")
}

/// Hosts that may be gone; only the operator knows whether they are.
fn gone(found: &Recovery) -> String {
    let unseen = found.members.iter().filter(|left| matches!(left.state, State::Unseen(_)));
    let names: Vec<&str> = unseen.map(|left| left.host.as_str()).collect();
    if names.is_empty() { String::new() } else { format!(" --gone {}", names.join(",")) }
}
