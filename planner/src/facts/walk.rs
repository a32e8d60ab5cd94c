//! One walk over the facts of a host, for the fingerprint of a plan and for the list of what is unknown. It takes the
//! structs apart by name, so a new fact does not compile until its line says what a fingerprint has of it and which
//! steps rely on it.

use inventories::{AccountName, EtcdVersion, Minor};
use pki::Sha256Digest;
use templates::pod::Ids;

use super::{
    Account, ApiServerFacts, ApiServerProcess, DataDirectory, DropIn, EtcdFacts, FileFacts,
    HostFacts, InstalledRelease, KubeadmConfig, KubeadmFacts, KubeletFacts, ListedMember,
    ManifestFacts, MemberFacts, Observed, PodProcess, RestoreRecord, UnitFacts, UsedEtcd,
};
use crate::fingerprint::short;

/// One fact.
pub(crate) struct Fact<'a> {
    /// Its name and value in a fingerprint; `None` for what does not make a plan stale. Hosts and saved plans remember
    /// these lines, so another spelling would look like a change.
    pub(crate) line: Option<(String, String)>,
    /// Which steps rely on it.
    pub(crate) relied_on: ReliedOn<'a>,
    /// Why it is not known, where it is not.
    pub(crate) unknown: Option<&'a str>,
}

/// Which of a host's steps rely on a fact, and what people call it.
#[derive(Clone, Copy)]
pub(crate) enum ReliedOn<'a> {
    /// None, or those that do judge it themselves.
    Nowhere,
    /// Those of the member that it is about; of every member, where it is about the host.
    Always(&'static str),
    /// Those of members with this account.
    Account(&'a AccountName),
    /// Those of members with this release.
    Release(EtcdVersion),
    /// Those of members that use the file at this path.
    File(&'a str),
}

use ReliedOn::{Always, Nowhere};

/// What is known of a host, apart from its members.
pub(crate) fn host(facts: &HostFacts) -> Vec<Fact<'_>> {
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
        apiserver,
        releases,
        passed: _,
        entered: _,
        addresses: _,
        sources: _,
        callers: _,
        reach: _,
        round_trips: _,
        disks: _,
        // They decide through verdicts.
        names: _,
        // Each is a walk of its own.
        clusters: _,
        other_clusters,
        // They are shown and decide nothing.
        applied: _,
        holder: _,
    } = facts;
    let mut walk = Walk(Vec::new());
    walk.plain("architecture", format!("{:?}", machine.arch));
    for (account, seen) in accounts {
        let name = format!("account {account}");
        walk.observed(&name, ReliedOn::Account(account), seen, account_line);
    }
    for (version, release) in releases {
        let name = format!("release {version}");
        // One that no step needs yet does not matter.
        if !release.is_absent() {
            walk.observed(&name, ReliedOn::Release(*version), release, release_line);
        }
    }
    walk.unlisted(Always("the kubelet"), kubelet);
    if let Observed::Known(kubelet) = kubelet {
        walk.kubelet(kubelet);
    }
    if let Some(apiserver) = apiserver {
        walk.apiserver(apiserver);
    }
    walk.observed("site", Nowhere, site, ToString::to_string);
    walk.plain("other clusters", other_clusters.iter().cloned().collect::<Vec<_>>().join(" "));
    walk.0
}

/// What is known of one member.
pub(crate) fn member(facts: &MemberFacts) -> Vec<Fact<'_>> {
    let MemberFacts {
        cluster: _,
        marker,
        quorum_seen,
        token,
        restore,
        files,
        pki_generation,
        data,
        unit,
        drop_ins,
        folder_replaced,
        pod,
        restart_due,
        proof_due,
        running,
        runs_as,
        etcd,
        last_words: _,
    } = facts;
    let mut walk = Walk(Vec::new());
    walk.observed("marker", Nowhere, marker, |marker| marker.cluster_id.clone());
    walk.plain("restart due", restart_due.to_string());
    walk.observed("proof due", Nowhere, proof_due, ToString::to_string);
    walk.plain("ever in a quorum", quorum_seen.to_string());
    let digest = |token: &templates::BootstrapToken| short(token.as_str()).to_owned();
    walk.observed("token", Always("the bootstrap's token"), token, digest);
    let record = Always("the record of a restore");
    if restore.is_absent() {
        walk.unlisted(record, restore);
    } else {
        walk.observed("restore", record, restore, restore_line);
    }
    // A generation's name is random; its files are compared.
    walk.unlisted(Always("the certificates in use"), pki_generation);
    walk.observed("data directory", Always("the data directory"), data, data_line);
    walk.observed("unit", Always("the unit's state"), unit, unit_line);
    let all = |files: &Vec<DropIn>| files.iter().map(drop_in_line).collect();
    walk.observed("drop-ins", Always("the unit's drop-ins"), drop_ins, all);
    walk.plain("folder replaced", folder_replaced.to_string());
    let manifest = |PodProcess { pid: _, manifest, settings: _ }: &PodProcess| manifest.clone();
    walk.observed("pod", Always("its processes"), pod, manifest);
    let flags = Always("the arguments of its process");
    walk.observed("running flags", flags, running, |arguments| {
        short(&Sha256Digest::hash(arguments.join("\n").as_bytes()).to_string()).to_owned()
    });
    walk.observed("process account", Always("the account of its process"), runs_as, u32::to_string);
    for (path, file) in files {
        walk.observed(path, ReliedOn::File(path), file, file_line);
    }
    match etcd {
        Observed::Known(etcd) => walk.etcd(etcd),
        Observed::Absent | Observed::Unknown(_) => walk.plain("answers", "no".to_owned()),
    }
    walk.0
}

struct Walk<'a>(Vec<Fact<'a>>);

impl<'a> Walk<'a> {
    fn observed<T>(
        &mut self,
        name: &str,
        relied_on: ReliedOn<'a>,
        observed: &'a Observed<T>,
        show: impl FnOnce(&T) -> String,
    ) {
        let value = match observed {
            Observed::Known(value) => show(value),
            Observed::Absent => "absent".to_owned(),
            Observed::Unknown(_) => "unknown".to_owned(),
        };
        let line = Some((name.to_owned(), value));
        self.0.push(Fact { line, relied_on, unknown: why_unknown(observed) });
    }

    /// What no fingerprint has.
    fn unlisted<T>(&mut self, relied_on: ReliedOn<'a>, observed: &'a Observed<T>) {
        self.0.push(Fact { line: None, relied_on, unknown: why_unknown(observed) });
    }

    /// What is always known.
    fn plain(&mut self, name: &str, value: String) {
        let line = Some((name.to_owned(), value));
        self.0.push(Fact { line, relied_on: Nowhere, unknown: None });
    }

    fn kubelet(&mut self, kubelet: &'a KubeletFacts) {
        let KubeletFacts { program, unit, manifests, drop_in, config } = kubelet;
        self.observed("kubelet", Always("the kubelet's program"), program, String::clone);
        self.observed("kubelet's unit", Always("the kubelet's unit"), unit, unit_line);
        self.observed("kubelet's pods", Nowhere, manifests, String::clone);
        self.observed("kubelet's drop-in", Always("the kubelet's drop-in"), drop_in, file_line);
        let configuration = Always("the kubelet's configuration");
        self.observed("kubelet's configuration", configuration, config, file_line);
    }

    /// Its steps judge what is unknown themselves.
    fn apiserver(&mut self, apiserver: &'a ApiServerFacts) {
        let ApiServerFacts { manifest, files, installed: _, process, uses, speaks_https, kubeadm } =
            apiserver;
        self.observed("API server's manifest", Nowhere, manifest, manifest_line);
        for (file, seen) in files {
            self.observed(&format!("API server's {}", file.name()), Nowhere, seen, file_line);
        }
        self.observed("API server", Nowhere, process, apiserver_line);
        let ids = |used: &UsedEtcd| used.cluster_ids.iter().cloned().collect::<Vec<_>>().join(" ");
        self.observed("API server's etcd", Nowhere, uses, ids);
        self.plain("speaks HTTPS", speaks_https.to_string());
        if let Some(KubeadmFacts { lacks, config }) = kubeadm {
            self.plain("lacks for kubeadm", format!("{lacks:?}"));
            self.observed("kubeadm's ConfigMap", Nowhere, config, kubeadm_line);
        }
    }

    fn etcd(&mut self, etcd: &'a EtcdFacts) {
        let EtcdFacts {
            cluster_id,
            member_id,
            leader,
            version,
            // etcd raises it with the cluster's version: what waits for it is a step.
            storage: _,
            downgrade,
            db_size: _,
            db_in_use: _,
            raft_index: _,
            raft_applied: _,
            raft_term: _,
            revision: _,
            learner,
            errors,
            forbids_us,
            authentication,
            members,
        } = etcd;
        self.plain("cluster id", cluster_id.clone());
        self.plain("member id", member_id.clone());
        self.plain("leader", leader.clone().unwrap_or_default());
        self.plain("version", version.clone());
        // Hosts remember their lines from before this was looked at.
        if downgrade.is_absent() {
            self.unlisted(Nowhere, downgrade);
        } else {
            self.observed("downgrade enabled to", Nowhere, downgrade, Minor::to_string);
        }
        self.plain("learner", learner.to_string());
        self.plain("alarms", errors.join(" "));
        let is_on = *forbids_us || *authentication == Observed::Known(true);
        let authentication = if is_on { "on" } else { "off" };
        self.plain("etcd's own authentication", authentication.to_owned());
        let list = |list: &Vec<ListedMember>| list.iter().map(row).collect::<Vec<_>>().join("; ");
        self.observed("members", Nowhere, members, list);
    }
}

fn why_unknown<T>(observed: &Observed<T>) -> Option<&str> {
    match observed {
        Observed::Unknown(why) => Some(why),
        Observed::Known(_) | Observed::Absent => None,
    }
}

fn account_line(account: &Account) -> String {
    let Account { login_shell, group, groups: _, ids: Ids { user, group: number } } = account;
    format!("{user} {group} {number} {login_shell}")
}

fn release_line(InstalledRelease { archive_sha256, damaged }: &InstalledRelease) -> String {
    format!("{} damaged {damaged:?}", short(archive_sha256))
}

fn manifest_line(ManifestFacts { sha256, wiring }: &ManifestFacts) -> String {
    // The digest stands for the flags.
    let is_whole = wiring.as_ref().is_ok_and(|wiring| wiring.is_whole);
    format!("{} understood {} whole {is_whole}", short(sha256), wiring.is_ok())
}

fn kubeadm_line(KubeadmConfig { sha256, flags }: &KubeadmConfig) -> String {
    format!("{} understood {}", short(sha256), flags.is_ok())
}

fn apiserver_line(process: &ApiServerProcess) -> String {
    let ApiServerProcess { pid: _, flags, version: _, is_ready, wants_login } = process;
    let flags: Vec<String> = flags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let digest = Sha256Digest::hash(flags.join("\n").as_bytes()).to_string();
    format!("ready {is_ready} wants a login {wants_login} flags {}", short(&digest))
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
    let sets = match sets {
        Observed::Known(sets) => sets.iter().map(String::as_str).collect::<Vec<_>>().join(","),
        Observed::Absent => "absent".to_owned(),
        Observed::Unknown(_) => "unknown".to_owned(),
    };
    format!("{path} sets {sets};")
}

fn restore_line(RestoreRecord { token, sha256, members, bump, phase }: &RestoreRecord) -> String {
    let (sha256, token) = (short(sha256), short(token.as_str()));
    format!("{phase:?} of {sha256} token {token} members {members} bump {bump:?}")
}

/// Where data is from decides through verdicts; what was set aside is shown and decides nothing.
fn data_line(data: &DataDirectory) -> String {
    let DataDirectory { mode, owner, group, empty, wal, owners, restored, origin: _, archives: _ } =
        data;
    let whose = format!("{owner}:{group}");
    // Hosts remember this line from before files were looked at: it is longer only where they differ.
    let others: Vec<&str> =
        owners.iter().filter(|other| **other != whose).map(String::as_str).collect();
    let others =
        if others.is_empty() { String::new() } else { format!(" files {}", others.join(" ")) };
    let waits = if *restored { " restored" } else { "" };
    format!("{mode:04o} {whose} empty {empty} log {wal}{others}{waits}")
}

fn row(ListedMember { id, name, peer_urls, client_urls: _, learner }: &ListedMember) -> String {
    format!("{name}={} {id} learner {learner}", peer_urls.join(","))
}
