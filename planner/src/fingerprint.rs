//! What decided a plan, as lines that can be compared and explained: a saved plan is refused when
//! one of them moved, and the refusal names it. Measurements are not among them: a plan does not go
//! stale because a disk filled by a megabyte. Leader and membership are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use inventories::ClusterName;
use pki::Sha256Digest;
use templates::pod::Ids;

use crate::decide::preflight::cost;
use crate::facts::{
    Account, DataDirectory, DropIn, EtcdFacts, FileFacts, HostFacts, InstalledRelease,
    KubeletFacts, ListedMember, MemberFacts, Observed, PodProcess, SiteFacts, UnitFacts,
};
use crate::plan::Plan;
use crate::report::Finding;

/// The facts that decided, by name. Values are short: long contents stand as digests.
pub type Fingerprint = BTreeMap<String, String>;

/// The name of a plan: equal for equal steps with equal lasting costs, no matter who plans them and when.
pub fn hash(plan: &Plan) -> String {
    let Plan { site, selection, steps, report } = plan;
    let refused: Vec<&str> = report.refused().map(|finding| finding.code.as_str()).collect();
    // Writing a plan as JSON fails for no plan: its keys are texts, its numbers whole.
    let text = serde_json::to_string(&(site, selection, steps, refused, &report.one_way))
        .unwrap_or_default();
    Sha256Digest::of(text.as_bytes()).to_string()
}

/// The first characters of a plan's hash, for people and for `--expect`.
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// Everything about the hosts that decided a plan.
pub fn of(facts: &SiteFacts, plan: &Plan) -> Fingerprint {
    let mut print = Fingerprint::new();
    for (name, host) in &facts.hosts {
        match host {
            // What a narrowed plan is not about does not make it stale.
            Observed::Known(host) => {
                let judged = |cluster: &ClusterName| plan.report.clusters.contains_key(cluster);
                print.extend(of_host(name.as_str(), host, judged));
            }
            // Why it can't be seen may read differently each time; that it can't is the fact.
            Observed::Absent | Observed::Unknown(_) => {
                print.insert(format!("{name}: seen"), "no".to_owned());
            }
        }
    }
    let report = &plan.report;
    // A disk is timed again in each look: near a threshold its warning comes and goes. It decides
    // only where it refuses.
    let warnings = report.warnings.iter().filter(|warning| !cost::is_timed(warning.code));
    for Finding { code, host, cluster, message: _, hint: _ } in warnings.chain(report.refused()) {
        let mut key = String::from("verdict");
        for part in [host.as_ref().map(|h| h.as_str()), cluster.as_ref().map(|c| c.as_str())] {
            let _ = write!(key, " {}", part.unwrap_or("-"));
        }
        print.insert(format!("{key} {code}"), "found".to_owned());
    }
    print
}

/// What moved between two looks, one line each.
pub fn moved(then: &Fingerprint, now: &Fingerprint) -> Vec<String> {
    let keys: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let show = |value: Option<&String>| value.map_or("nothing", String::as_str).to_owned();
    keys.into_iter()
        .filter(|key| then.get(*key) != now.get(*key))
        .map(|key| format!("{key}: {} -> {}", show(then.get(key)), show(now.get(key))))
        .collect()
}

fn observed<T>(value: &Observed<T>, show: impl FnOnce(&T) -> String) -> String {
    match value {
        Observed::Known(value) => show(value),
        Observed::Absent => "absent".to_owned(),
        Observed::Unknown(_) => "unknown".to_owned(),
    }
}

/// The lines of one host, and of the clusters on it that are asked for.
pub(crate) fn of_host(
    name: &str,
    host: &HostFacts,
    judged: impl Fn(&ClusterName) -> bool,
) -> Fingerprint {
    let mut print = Fingerprint::new();
    let HostFacts {
        // Measurements decide through verdicts; the rest of the machine does not change a plan.
        machine,
        accounts,
        site,
        listeners: _,
        etcd_processes: _,
        etcd_at_boot: _,
        heavy_services: _,
        kubelet,
        releases,
        passed: _,
        entered: _,
        addresses: _,
        sources: _,
        reach: _,
        round_trips: _,
        disks: _,
        // They decide through verdicts.
        names: _,
        clusters,
        other_clusters,
        // Told, and never asked.
        applied: _,
        holder: _,
    } = host;
    let mut put = |what: &str, value: String| print.insert(format!("{name}: {what}"), value);
    put("architecture", format!("{:?}", machine.arch));
    for (account, seen) in accounts {
        let show = |account: &Account| {
            let Account { login_shell, group, groups: _, ids: Ids { user, group: number } } =
                account;
            format!("{user} {group} {number} {login_shell}")
        };
        put(&format!("account {account}"), observed(seen, show));
    }
    if let Observed::Known(kubelet) = kubelet {
        kubelet_lines(kubelet, &mut put);
    }
    put("site", observed(site, ToString::to_string));
    put("other clusters", other_clusters.iter().cloned().collect::<Vec<_>>().join(" "));
    for (version, release) in releases {
        let show = |InstalledRelease { archive_sha256, damaged }: &InstalledRelease| {
            format!("{} damaged {damaged:?}", short(archive_sha256))
        };
        put(&format!("release {version}"), observed(release, show));
    }
    for (cluster, member) in clusters.iter().filter(|(cluster, _)| judged(cluster)) {
        member_lines(&format!("{name} ({cluster})"), member, &mut print);
    }
    print
}

fn kubelet_lines(kubelet: &KubeletFacts, put: &mut impl FnMut(&str, String) -> Option<String>) {
    let KubeletFacts { program, unit, manifests, drop_in, config } = kubelet;
    put("kubelet", observed(program, String::clone));
    put("kubelet's unit", observed(unit, unit_line));
    put("kubelet's pods", observed(manifests, String::clone));
    put("kubelet's drop-in", observed(drop_in, file_line));
    put("kubelet's configuration", observed(config, file_line));
}

fn file_line(file: &FileFacts) -> String {
    let FileFacts { mode, owner, group, sha256, text: _ } = file;
    format!("{mode:04o} {owner}:{group} {}", short(sha256))
}

fn unit_line(unit: &UnitFacts) -> String {
    let UnitFacts {
        active: _,
        sub: _,
        enabled,
        needs_reload,
        main_pid: _,
        // A process that was replaced by an equal one changes no plan.
        invocation: _,
        restarts: _,
        running_for: _,
    } = unit;
    format!("up {} enabled {enabled} stale {needs_reload}", unit.is_up())
}

fn drop_in_line(file: &DropIn) -> String {
    let DropIn { path, sets } = file;
    let sets = observed(sets, |sets| sets.iter().map(String::as_str).collect::<Vec<_>>().join(","));
    format!("{path} sets {sets};")
}

fn member_lines(name: &str, member: &MemberFacts, print: &mut Fingerprint) {
    let MemberFacts {
        cluster: _,
        marker,
        quorum_seen,
        token,
        files,
        // A generation's name is random; its files are compared.
        pki_generation: _,
        data,
        unit,
        drop_ins,
        folder_replaced,
        pod,
        restart_due,
        running,
        runs_as,
        etcd,
        last_words: _,
    } = member;
    let mut put = |what: &str, value: String| print.insert(format!("{name}: {what}"), value);
    put("marker", observed(marker, |marker| marker.cluster_id.clone()));
    put("restart due", restart_due.to_string());
    put("ever in a quorum", quorum_seen.to_string());
    put("token", observed(token, |token| short(token.as_str()).to_owned()));
    for (path, file) in files {
        put(path, observed(file, file_line));
    }
    // Where data is from decides through verdicts; what was set aside is told, and never asked.
    let show = |data: &DataDirectory| {
        let DataDirectory { mode, owner, group, empty, wal, owners, origin: _, archives: _ } = data;
        let whose = format!("{owner}:{group}");
        // Hosts remember this line from before files were looked at: it is longer only where they differ.
        let others: Vec<&str> =
            owners.iter().filter(|other| **other != whose).map(String::as_str).collect();
        let others =
            if others.is_empty() { String::new() } else { format!(" files {}", others.join(" ")) };
        format!("{mode:04o} {whose} empty {empty} log {wal}{others}")
    };
    put("data directory", observed(data, show));
    put("unit", observed(unit, unit_line));
    put("drop-ins", observed(drop_ins, |files| files.iter().map(drop_in_line).collect()));
    put("folder replaced", folder_replaced.to_string());
    put("pod", observed(pod, |PodProcess { pid: _, manifest }| manifest.clone()));
    let digest = |arguments: &Vec<String>| {
        short(&Sha256Digest::of(arguments.join("\n").as_bytes()).to_string()).to_owned()
    };
    put("running flags", observed(running, digest));
    put("process account", observed(runs_as, u32::to_string));
    etcd_lines(etcd, put);
}

fn etcd_lines(etcd: &Observed<EtcdFacts>, mut put: impl FnMut(&str, String) -> Option<String>) {
    let Observed::Known(etcd) = etcd else {
        put("answers", "no".to_owned());
        return;
    };
    let EtcdFacts {
        cluster_id,
        member_id,
        leader,
        version,
        db_size: _,
        db_in_use: _,
        raft_index: _,
        raft_applied: _,
        raft_term: _,
        learner,
        errors,
        forbids_us,
        members,
    } = etcd;
    put("cluster id", cluster_id.clone());
    put("member id", member_id.clone());
    put("leader", leader.clone().unwrap_or_default());
    put("version", version.clone());
    put("learner", learner.to_string());
    put("alarms", errors.join(" "));
    put("etcd's own authentication", if *forbids_us { "on" } else { "off" }.to_owned());
    let row = |ListedMember { id, name, peer_urls, client_urls: _, learner }: &ListedMember| {
        format!("{name}={} {id} learner {learner}", peer_urls.join(","))
    };
    let list = |list: &Vec<ListedMember>| list.iter().map(row).collect::<Vec<_>>().join("; ");
    put("members", observed(members, list));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Action, Guard, Launch, Step, StepKind, Why};
    use crate::report::FindingCode;
    use crate::report::{Blocked, PlanReport};
    use crate::selection::Selection;

    fn step() -> Step {
        Step {
            id: "etcd-1/main/start".parse().unwrap(),
            action: Action::Run,
            kind: StepKind::StartMember { by: Launch::Unit },
            guard: Guard::HasLog,
            after: BTreeSet::new(),
            why: Why::Unfinished,
        }
    }

    fn plan(steps: Vec<Step>, report: PlanReport) -> Plan {
        Plan { site: "prod".parse().unwrap(), selection: Selection::default(), steps, report }
    }

    fn finding(code: FindingCode) -> Finding {
        Finding { code, host: None, cluster: None, message: String::new(), hint: None }
    }

    #[test]
    fn every_field_of_a_step_is_in_the_hash() {
        // Taken apart by name, so that a new field does not compile until it has a line below.
        let Step { id, action, kind, guard, after, why } = step();
        let others = [
            Step { id: "etcd-1/main/restart".parse().unwrap(), ..step() },
            Step { id: "etcd-2/main/start".parse().unwrap(), ..step() },
            Step { id: "etcd-1/other/start".parse().unwrap(), ..step() },
            Step { action: Action::Create, ..step() },
            Step { kind: StepKind::RestartMember { by: Launch::Unit }, ..step() },
            Step { guard: Guard::Nothing, ..step() },
            Step { after: BTreeSet::from(["etcd-1/register-host".parse().unwrap()]), ..step() },
            Step { why: Why::Safety { note: "so it must be".to_owned() }, ..step() },
        ];
        let same = Step { id, action, kind, guard, after, why };
        let hash_of = |step: &Step| hash(&plan(vec![step.clone()], PlanReport::default()));
        let mut hashes: BTreeSet<String> = others.iter().map(hash_of).collect();
        assert_eq!(hashes.len(), others.len());
        assert!(hashes.insert(hash_of(&same)));
        assert_eq!(hash_of(&same), hash_of(&step()));
    }

    #[test]
    fn site_selection_and_refusals_are_in_the_hash_and_words_are_not() {
        let empty = plan(Vec::new(), PlanReport::default());
        let blocked = |finding| {
            let blocked = Blocked { finding, stops: BTreeSet::new() };
            PlanReport { blocked: vec![blocked], ..PlanReport::default() }
        };
        let refused = plan(Vec::new(), blocked(finding(FindingCode::NoCa)));
        let worded = Finding { message: "another day".to_owned(), ..finding(FindingCode::NoCa) };
        let held =
            PlanReport { held: vec![finding(FindingCode::RollWaits)], ..PlanReport::default() };
        let elsewhere = Plan { site: "lab".parse().unwrap(), ..empty.clone() };
        let hosts = BTreeSet::from(["etcd-1".parse().unwrap()]);
        let narrowed =
            Plan { selection: Selection { hosts, ..Selection::default() }, ..empty.clone() };
        let hashes = [&empty, &refused, &plan(Vec::new(), held), &elsewhere, &narrowed].map(hash);
        assert_eq!(BTreeSet::from(hashes).len(), 5);
        assert_eq!(hash(&plan(Vec::new(), blocked(worded))), hash(&refused));
    }
}
