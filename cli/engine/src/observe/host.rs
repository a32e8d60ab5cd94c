//! One host's reply as facts.

use std::collections::{BTreeMap, BTreeSet};

use inventories::{AccountName, SiteName};
use planner::facts::{Account, AtBoot, FileFacts, HostFacts, Observed};
use templates::layout::{KUBELET_UNIT, SITE_FILE};
use templates::pod::Ids;

use super::clock::{self, Span};
use super::files::Files;
use super::records::Records;
use super::request::Request;
use super::unread::Unread;
use super::{
    acls, applied, data, kubelet, machine, member, names, network, processes, releases, units,
};
use remote::{Reply, clean};

/// What a reply says of a host.
pub(super) struct Seen {
    pub(super) facts: HostFacts,
    /// Whether files changed meanwhile, so that it should be observed again.
    pub(super) torn: bool,
}

/// Reads a reply. An error is why the host counts as not seen.
pub(super) fn read(request: &Request, reply: &Reply, span: Span) -> Result<Seen, Unread> {
    seen(request, &records(reply)?, span)
}

fn records(reply: &Reply) -> Result<Records, Unread> {
    if reply.status != 0 {
        return Err(Unread::Ended { status: reply.status, stderr: reply.stderr.clone() });
    }
    Ok(Records::parse(&reply.stdout)?)
}

/// Puts the records together.
pub(super) fn seen(request: &Request, records: &Records, span: Span) -> Result<Seen, Unread> {
    let files = Files::read(records)?;
    let skew = clock::skew(records, span)?;
    let room = data::room(records, &files, request)?;
    let machine = machine::read(records, skew, room)?;
    let processes = processes::read(records)?;
    let listeners = if machine.missing_tools.contains("ss") {
        Observed::Absent
    } else {
        network::listeners(records)
    };
    let versions = &request.releases;
    let releases = versions.iter().map(|version| (*version, releases::read(&files, *version)));
    let mut unit_names: Vec<String> =
        request.members.iter().map(|member| member.layout().unit_name()).collect();
    unit_names.extend(request.kubelet.then(|| KUBELET_UNIT.to_owned()));
    let mut units = units::read(records, &unit_names);
    let kubelet = if request.kubelet { units.pop() } else { None };
    let clusters: BTreeMap<_, _> = request
        .members
        .iter()
        .zip(units)
        .map(|(member, unit)| (member.cluster.clone(), member::read(records, &files, member, unit)))
        .collect();
    let facts = HostFacts {
        accounts: request.accounts().into_iter().map(|name| seen_of(records, name)).collect(),
        site: site(&files),
        listeners,
        etcd_processes: processes.etcd,
        etcd_at_boot: at_boot(records),
        heavy_services: processes.heavy,
        apiserver: None,
        kubelet: kubelet.map_or(Observed::Absent, |unit| kubelet::read(records, &files, unit)),
        releases: releases.collect(),
        passed: passed(records, &files),
        entered: acls::entered(records),
        addresses: network::addresses(
            records,
            &request.addresses,
            request.members.iter().map(|member| &member.cluster),
        ),
        sources: network::sources(records, &request.peers),
        callers: network::callers(records, &request.callers),
        reach: BTreeMap::new(),
        round_trips: BTreeMap::new(),
        disks: BTreeMap::new(),
        names: names::read(records, &request.names),
        other_clusters: others(request, records)?,
        applied: applied::last(&files),
        holder: applied::holder(records, &files, &machine.boot_id),
        clusters,
        machine,
    };
    Ok(Seen { facts, torn: files.is_torn() })
}

/// The clusters that are, or may be, formed on a host that no cluster uses.
pub(super) fn traces(request: &Request, reply: &Reply) -> Result<BTreeSet<String>, Unread> {
    others(request, &records(reply)?)
}

fn site(files: &Files) -> Observed<SiteName> {
    match files.text(SITE_FILE) {
        Observed::Known(text) => match text.trim_end().parse() {
            Ok(site) => Observed::Known(site),
            Err(error) => Observed::Unknown(format!("what {SITE_FILE} says {error}")),
        },
        Observed::Absent => Observed::Absent,
        Observed::Unknown(why) => Observed::Unknown(why),
    }
}

fn seen_of(records: &Records, name: AccountName) -> (AccountName, Observed<Account>) {
    let seen = account(records, &name);
    (name, seen)
}

/// `getent` ends with 2 where there is no such account, and with something else where it could not
/// look.
fn account(records: &Records, name: &AccountName) -> Observed<Account> {
    let said = records.text(&format!("account:{name}")).unwrap_or_default();
    match said.split_once(' ') {
        Some(("0", entry)) => {
            let fields: Vec<&str> = entry.trim_end().split(':').collect();
            let group = records.text(&format!("group:{name}")).unwrap_or_default();
            let group = group.split(':').next().unwrap_or_default();
            let all = records.text(&format!("groups:{name}")).unwrap_or_default();
            let groups = all.split_whitespace().map(|group| clean(group.as_bytes())).collect();
            let ids = |user: &str, group: &str| {
                Some(Ids { user: user.parse().ok()?, group: group.parse().ok()? })
            };
            let account = match fields[..] {
                [_, _, user, number, _, _, shell] => ids(user, number).map(|ids| Account {
                    login_shell: clean(shell.as_bytes()),
                    group: clean(group.as_bytes()),
                    groups,
                    ids,
                }),
                _ => None,
            };
            match account {
                Some(account) => Observed::Known(account),
                None => Observed::Unknown("the account can't be read".to_owned()),
            }
        }
        Some(("2", _)) => Observed::Absent,
        Some((status, _)) => Observed::Unknown(format!("getent ended with status {status}")),
        None => Observed::Unknown("the host did not say its accounts".to_owned()),
    }
}

/// The directories that the host found behind symlinks.
fn passed(records: &Records, files: &Files) -> BTreeMap<String, FileFacts> {
    let paths = records.text("passed").unwrap_or_default().split_whitespace();
    let facts = |path: &str| Some((path.to_owned(), files.facts(path).known()?.clone()));
    paths.filter_map(facts).collect()
}

/// A look that did not say it found nothing.
fn at_boot(records: &Records) -> BTreeSet<AtBoot> {
    let said = records.text("at-boot").unwrap_or_default().lines();
    said.filter_map(|line| match line.split_once(' ')? {
        ("unit", name) => Some(AtBoot::Unit(clean(name.as_bytes()))),
        ("started", units) => {
            let (by, unit) = units.split_once(' ')?;
            Some(AtBoot::Started { by: clean(by.as_bytes()), unit: clean(unit.as_bytes()) })
        }
        ("pod", path) => Some(AtBoot::Manifest(clean(path.as_bytes()))),
        _ => None,
    })
    .collect()
}

fn others(request: &Request, records: &Records) -> Result<BTreeSet<String>, Unread> {
    let asked: BTreeSet<&str> =
        request.members.iter().map(|member| member.cluster.as_str()).collect();
    let marked = records.need("marked", "which clusters it carries")?;
    let others = marked.lines().filter(|name| !name.is_empty() && !asked.contains(name));
    Ok(others.map(|name| clean(name.as_bytes())).collect())
}
