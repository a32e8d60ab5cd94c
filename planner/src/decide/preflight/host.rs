//! The machine itself: what it is, what it has, and whose it is.

use inventories::inventory::Runtime;
use templates::Layout;
use templates::layout::SITE_FILE;

use super::{Subject, cluster_of_unit, push_once, unit};
use crate::decide::quota;
use crate::facts::{DataDirectory, Observed};
use crate::policy::{Policy, RELEASE_BYTES, WAL_BYTES};
use crate::report::{Finding, FindingCode, Formation, PlanReport};

/// The oldest systemd that knows every directive of the unit but `PrivateIPC=`, without which the unit does:
/// see [`crate::decide::sandbox`].
const OLDEST_SYSTEMD: u32 = 247;

pub(super) fn check(subject: &Subject<'_>, policy: &Policy, report: &mut PlanReport) {
    machine(subject, report);
    unit::check(subject, report);
    checksum(subject, report);
    clock(subject, policy, report);
    owner(subject, report);
    file_system(subject, report);
    if subject.formation != Formation::Formed || subject.joins {
        size(subject, policy, report);
        room(subject, report);
        neighbours(subject, report);
        foreign_data(subject, report);
    }
}

fn machine(subject: &Subject<'_>, report: &mut PlanReport) {
    let machine = &subject.facts.machine;
    let mut block = |code, message, hint: &str| {
        report.block(subject.host_finding(code, message, hint), [subject.machine()]);
    };
    if let Err(arch) = &machine.arch {
        block(
            FindingCode::Architecture,
            format!("there is no etcd release for processor architecture {arch}"),
            "use a host with amd64, arm64, ppc64le or s390x",
        );
    }
    match machine.systemd {
        None => block(
            FindingCode::NoSystemd,
            "this host does not run systemd".to_owned(),
            "use a host that is booted by systemd",
        ),
        Some(version) if version < OLDEST_SYSTEMD => block(
            FindingCode::OldSystemd,
            format!("systemd {version} is older than {OLDEST_SYSTEMD}"),
            "upgrade the host's distribution",
        ),
        Some(_) => {}
    }
    if !machine.missing_tools.is_empty() {
        let tools: Vec<&str> = machine.missing_tools.iter().map(String::as_str).collect();
        block(
            FindingCode::MissingTools,
            format!("these programs are missing: {}", tools.join(", ")),
            "install coreutils, util-linux, tar, gzip, iproute2, procps and passwd",
        );
    }
}

/// A release that can't be checked is not installed. The inventory lacks it, so no host is named.
fn checksum(subject: &Subject<'_>, report: &mut PlanReport) {
    let (Ok(arch), version) = (&subject.facts.machine.arch, subject.cluster.version) else {
        return;
    };
    // A cluster that has to reach the release that its members run gets no other one installed.
    let stays = subject.cluster.way.first() == Some(&version);
    if stays || subject.spec.release.sha256.contains_key(&(version, *arch)) {
        return;
    }
    let message =
        format!("etcd {version} for {} has no checksum in [release.sha256]", arch.as_str());
    let hint = format!("quorate release pin {version}");
    let finding = subject.host_finding(FindingCode::NoChecksum, message, &hint);
    report.block(Finding { host: None, ..finding }, [subject.settings()]);
}

fn clock(subject: &Subject<'_>, policy: &Policy, report: &mut PlanReport) {
    let machine = &subject.facts.machine;
    let skew = (machine.clock_skew_ms.abs() - machine.clock_error_ms.abs()).max(0);
    let direction = if machine.clock_skew_ms.is_positive() { "ahead of" } else { "behind" };
    let message = format!("the clock is {:.1} s {direction} this machine's", skew as f64 / 1000.0);
    let hint = "let chrony or systemd-timesyncd set both clocks";
    if skew > policy.skew_refuse_ms {
        let message = format!("{message}: too far apart to issue certificates");
        report.block(
            subject.host_finding(FindingCode::ClockSkew, message, hint),
            [subject.machine()],
        );
    } else if skew > policy.skew_warn_ms {
        push_once(
            &mut report.warnings,
            subject.host_finding(FindingCode::ClockSkew, message, hint),
        );
    }
}

fn owner(subject: &Subject<'_>, report: &mut PlanReport) {
    match &subject.facts.site {
        Observed::Known(site) if *site != subject.spec.site => {
            let message = format!(
                "this host belongs to site {site}, but the inventory is for site {}",
                subject.spec.site
            );
            let hint = "use that site's inventory: a host serves only one site";
            report.block(
                subject.host_finding(FindingCode::OtherSite, message, hint),
                [subject.machine()],
            );
        }
        Observed::Unknown(why) => {
            let message = format!("can't tell which site this host belongs to: {why}");
            let hint = format!("look at {SITE_FILE} on the host");
            report.block(
                subject.host_finding(FindingCode::OtherSite, message, &hint),
                [subject.machine()],
            );
        }
        Observed::Known(_) | Observed::Absent => {}
    }
}

fn size(subject: &Subject<'_>, policy: &Policy, report: &mut PlanReport) {
    let machine = &subject.facts.machine;
    let mut warn = |code, message| {
        push_once(
            &mut report.warnings,
            subject.host_finding(
                code,
                message,
                "see etcd's hardware guide; small is fine for a test",
            ),
        );
    };
    if machine.cores < policy.min_cores {
        warn(
            FindingCode::FewCores,
            format!("processor cores: {}; etcd wants {}", machine.cores, policy.min_cores),
        );
    }
    if machine.memory < policy.min_memory {
        warn(
            FindingCode::LittleMemory,
            format!("{} of memory; etcd wants 8 GB", bytes(machine.memory)),
        );
    }
}

/// File systems whose files are on another machine, or that many machines share: a sync takes the network's time, and
/// another host may hold the lock on the database.
const SHARED: [&str; 11] = [
    "9p",
    "afs",
    "ceph",
    "cifs",
    "fuse.ceph",
    "fuse.glusterfs",
    "fuse.sshfs",
    "lustre",
    "nfs",
    "nfs4",
    "smb3",
];

/// File systems that are gone with the machine's power, or with the container whose layer they are.
const FLEETING: [&str; 4] = ["aufs", "overlay", "ramfs", "tmpfs"];

/// etcd promises that what it acknowledged is on its disk.
fn file_system(subject: &Subject<'_>, report: &mut PlanReport) {
    for kind in &subject.facts.machine.data_systems {
        let why = match kind.as_str() {
            kind if SHARED.contains(&kind) => "a network file system, which stalls etcd's syncs",
            kind if FLEETING.contains(&kind) => "which does not outlive the machine or container",
            _ => continue,
        };
        let message = format!("etcd's data would be on {kind}, {why}");
        let hint = "mount a disk of the host at the data directory, with ext4 or XFS";
        if subject.formation != Formation::Formed || subject.joins {
            let finding = subject.host_finding(FindingCode::FileSystem, message, hint);
            report.block(finding, [subject.forming()]);
        } else {
            let message = format!("etcd's data is on {kind}, {why}");
            let finding = subject.host_finding(FindingCode::FileSystem, message, hint);
            push_once(&mut report.warnings, finding);
        }
    }
}

/// Room for the log and twice the quota: the database itself and a copy while it is defragmented.
/// The clusters of a host share its disk, and what they fill already counts as free.
fn room(subject: &Subject<'_>, report: &mut PlanReport) {
    let machine = &subject.facts.machine;
    let clusters = subject.spec.clusters.values();
    let here = clusters.filter_map(|cluster| cluster.members.get(subject.name));
    let quotas: Vec<u64> = here.map(|member| quota::wanted(&member.member)).collect();
    let needed = quotas.iter().map(|quota| WAL_BYTES + 2 * quota).sum();
    if machine.data_free < needed {
        let quotas: Vec<String> = quotas.into_iter().map(bytes).collect();
        report.block(
            subject.host_finding(
                FindingCode::DiskTooSmall,
                format!(
                    "{} free for data; {} is needed (write-ahead log, and twice the quota of {})",
                    bytes(machine.data_free),
                    bytes(needed),
                    quotas.join(" and ")
                ),
                "give the host a larger disk, or set a smaller quota-backend-bytes",
            ),
            [subject.forming()],
        );
    }
    let installed = subject.facts.releases.get(&subject.cluster.version);
    if !matches!(installed, Some(Observed::Known(_))) && machine.release_free < RELEASE_BYTES {
        report.block(
            subject.host_finding(
                FindingCode::DiskTooSmall,
                format!(
                    "{} free for {}; {} is needed to unpack a release",
                    bytes(machine.release_free),
                    templates::layout::ReleaseLayout::ROOT,
                    bytes(RELEASE_BYTES)
                ),
                "free some space on that file system",
            ),
            [subject.forming()],
        );
    }
}

fn neighbours(subject: &Subject<'_>, report: &mut PlanReport) {
    let members = || subject.facts.clusters.values();
    let is_pod = |pid| members().any(|member| member.pod.known().is_some_and(|pod| pod.pid == pid));
    for process in &subject.facts.etcd_processes {
        if process.unit.as_deref().is_some_and(|unit| is_ours(subject, unit)) || is_pod(process.pid)
        {
            continue;
        }
        let of = process.unit.as_ref().map_or(String::new(), |unit| format!(" of {unit}"));
        report.block(
            subject.host_finding(
                FindingCode::ForeignEtcd,
                format!("an etcd that quorate did not start runs here: pid {}{of}", process.pid),
                "move it to another host first: two etcd on one host share disk and fate",
            ),
            [subject.forming()],
        );
    }
    for service in subject.facts.heavy_services.iter().filter(|name| !is_expected(subject, name)) {
        push_once(
            &mut report.warnings,
            subject.host_finding(
                FindingCode::NotDedicated,
                format!("{service} runs here; etcd's disk latency will suffer"),
                "give etcd hosts of its own",
            ),
        );
    }
}

/// Whether the inventory itself puts this service on the host: as what runs the pods there, or as an API server.
fn is_expected(subject: &Subject<'_>, service: &str) -> bool {
    let mut declared = subject.spec.kubernetes.values();
    let has_api_server = declared.any(|one| one.apiservers.contains(subject.name));
    match service {
        "kubelet.service" | "containerd.service" | "crio.service" => {
            has_api_server || subject.cluster.runtime == Runtime::StaticPod
        }
        "kube-apiserver" | "kube-apiserver.service" => has_api_server,
        _ => false,
    }
}

/// Whether quorate made this unit: of a cluster that is here, in the inventory or not.
pub(super) fn is_ours(subject: &Subject<'_>, unit: &str) -> bool {
    let others = &subject.facts.other_clusters;
    cluster_of_unit(unit).is_some_and(|name| subject.spec.clusters.contains_key(&name))
        || others.iter().any(|name| unit == format!("etcd-{name}.service"))
        || subject.spec.clusters.keys().any(|name| unit == Layout::new(name).discovery_unit())
}

fn foreign_data(subject: &Subject<'_>, report: &mut PlanReport) {
    let Some(member) = subject.facts.clusters.get(&subject.cluster.name) else { return };
    let ours = !member.token.is_absent() || member.had_quorum() || !member.restore.is_absent();
    // A learner that was removed before its etcd was ready left nothing but its log.
    let is_of_cluster = |data: &DataDirectory| {
        subject.cluster_id.is_some() && data.origin.cluster_id.as_deref() == subject.cluster_id
    };
    let path = subject.member.member.layout().data_dir();
    match &member.data {
        Observed::Known(data) if !data.empty && !ours && !is_of_cluster(data) => {
            let message = format!("{path} holds data that quorate did not create");
            let hint = "check what it is; move it away if nobody needs it";
            report.block(
                subject.finding(FindingCode::ForeignData, message, hint),
                [subject.forming()],
            );
        }
        Observed::Known(_) | Observed::Absent | Observed::Unknown(_) => {}
    }
}

/// A byte count for people.
pub(crate) fn bytes(count: u64) -> String {
    let mib = count as f64 / (1024.0 * 1024.0);
    if mib < 1024.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}
