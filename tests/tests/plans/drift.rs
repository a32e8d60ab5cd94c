//! Everything that quorate keeps so on a host: each thing that is not so is in the plan, in words, with
//! the step that repairs it.

use planner::facts::{Account, DropIn, HostFacts, MemberFacts, Observed, SiteFacts, UnitFacts};
use planner::plan::Why;
use planner::report::FindingCode;
use planner::text::{self, Page};
use planner::{Plan, SiteSpec, StepKind};
use quorate_tests::seen::{self, known};
use quorate_tests::site::plain;
use quorate_tests::story::formed;
use templates::Layout;
use templates::layout::PkiFile;

fn site() -> (SiteSpec, SiteFacts) {
    let (world, spec) = plain(3).world();
    let facts = formed(world, &spec).observe(&spec);
    (spec, facts)
}

fn host(facts: &mut SiteFacts) -> &mut HostFacts {
    seen::host(facts, "etcd-2")
}

fn account(facts: &mut SiteFacts) -> &mut Observed<Account> {
    host(facts).accounts.values_mut().next().unwrap()
}

fn member(facts: &mut SiteFacts) -> &mut MemberFacts {
    seen::member(facts, "etcd-2")
}

fn unit(facts: &mut SiteFacts) -> &mut UnitFacts {
    known(&mut member(facts).unit)
}

/// A file in the unit's own folder that sets this.
fn drop_in(facts: &mut SiteFacts, sets: &str) {
    let path = format!("{}/a.conf", layout().drop_in_dir());
    let file = DropIn { path, sets: Observed::Known([sets.to_owned()].into()) };
    known(&mut member(facts).drop_ins).push(file);
}

fn layout() -> Layout {
    Layout::new(&quorate_tests::site::cluster(0))
}

/// The file at a path of the member.
fn file(facts: &mut SiteFacts, path: impl AsRef<str>) -> &mut planner::facts::FileFacts {
    known(member(facts).files.get_mut(path.as_ref()).unwrap())
}

fn planned(change: impl FnOnce(&mut SiteFacts)) -> Plan {
    let (spec, mut facts) = site();
    change(&mut facts);
    crate::planned(&spec, &facts)
}

/// What happened on etcd-2, the verb of the step that repairs it, and a word of its reason.
type Case = (fn(&mut SiteFacts), &'static str, &'static str);

const CASES: &[Case] = &[
    (|f| host(f).site = Observed::Absent, "register-host", "wanted by"),
    (|f| *account(f) = Observed::Absent, "account", "wanted by"),
    (
        |f| known(account(f)).login_shell = "/bin/bash".to_owned(),
        "account",
        "login shell /bin/bash -> /usr/sbin/nologin",
    ),
    (|f| known(account(f)).group = "users".to_owned(), "account", "primary group users -> etcd"),
    (
        |f| host(f).releases.values_mut().for_each(|release| *release = Observed::Absent),
        "install-etcd-3.6.16",
        "wanted by",
    ),
    (
        |f| {
            let release = host(f).releases.values_mut().next().unwrap();
            known(release).damaged.insert("etcdctl".to_owned());
        },
        "install-etcd-3.6.16",
        "etcdctl is not what was installed",
    ),
    (
        |f| {
            let release = host(f).releases.values_mut().next().unwrap();
            known(release).archive_sha256 = "cd".repeat(32);
        },
        "install-etcd-3.6.16",
        "installed from archive cdcd",
    ),
    (|f| file(f, layout().data_dir()).mode = 0o755, "directories", "mode 0755 -> 0700"),
    (
        |f| file(f, layout().data_dir()).owner = "root".to_owned(),
        "directories",
        "owner root:etcd -> etcd:etcd",
    ),
    (
        |f| file(f, layout().pki_dir()).group = "users".to_owned(),
        "directories",
        "owner root:users -> root:etcd",
    ),
    (
        |f| {
            known(&mut member(f).data).owners.insert("997:etcd".to_owned());
        },
        "directories",
        "/var/lib/etcd/c0/member: files of 997:etcd -> etcd:etcd",
    ),
    (|f| file(f, layout().config_dir()).mode = 0o777, "directories", "mode 0777 -> 0755"),
    (|f| file(f, layout().state_dir()).mode = 0o755, "directories", "mode 0755 -> 0700"),
    (
        |f| file(f, layout().pki_file(PkiFile::PeerKey)).mode = 0o644,
        "certificates",
        "peer.key: mode 0644 -> 0600",
    ),
    (
        |f| file(f, layout().pki_file(PkiFile::PeerKey)).sha256 = "0".repeat(64),
        "certificates",
        "peer.key",
    ),
    (
        |f| {
            let path = layout().pki_file(PkiFile::ServerCert);
            member(f).files.insert(path, Observed::Absent);
        },
        "certificates",
        "server.crt",
    ),
    (
        |f| {
            let text = &mut file(f, layout().unit_file()).text;
            *text = text.as_ref().map(|text| text.replace("[Install]", "[Install]\n# by hand"));
        },
        "unit",
        "- # by hand",
    ),
    (|f| file(f, layout().unit_file()).mode = 0o666, "unit", "mode 0666 -> 0644"),
    (
        |f| {
            let text = &mut file(f, layout().unit_file()).text;
            *text = text.as_ref().map(|text| text.replace("LimitNOFILE=", "LimitNOFILE=1"));
        },
        "restart",
        "the unit's settings changed: LimitNOFILE: 165536 -> 65536",
    ),
    (
        |f| host(f).machine.user_namespaces = Observed::Known(0),
        "restart",
        "PrivateUsers: yes -> unset",
    ),
    (|f| host(f).machine.systemd = Some(247), "restart", "PrivateIPC: yes -> unset"),
    (|f| unit(f).enabled = false, "unit", "not enabled"),
    (|f| unit(f).needs_reload = true, "unit", "older version of the unit loaded"),
    (
        |f| {
            member(f).files.insert(layout().unit_file(), Observed::Absent);
            member(f).unit = Observed::Absent;
            member(f).running = Observed::Absent;
            member(f).etcd = Observed::Absent;
        },
        "unit",
        "wanted by",
    ),
    (
        |f| {
            unit(f).active = "inactive".to_owned();
            member(f).running = Observed::Absent;
            member(f).etcd = Observed::Absent;
        },
        "start",
        "does not run",
    ),
    (|f| drop_in(f, "User"), "drop-ins", "a.conf is not in keep-drop-ins of [clusters.c0.systemd]"),
    (|f| drop_in(f, "User"), "restart", "the drop-in /etc/systemd/system/etcd-c0.service.d/a.conf"),
    (|f| member(f).folder_replaced = true, "restart", "/etc/etcd/c0 was replaced"),
    (
        |f| {
            let text = &mut file(f, layout().unit_file()).text;
            let before = |text: &String| {
                let lines = text.lines().filter(|line| {
                    !line.starts_with("TemporaryFileSystem") && !line.starts_with("Bind")
                });
                lines.collect::<Vec<_>>().join("\n") + "\nReadWritePaths=/var/lib/etcd/c0\n"
            };
            *text = text.as_ref().map(before);
        },
        "restart",
        "the unit's settings changed: the unit hides other clusters' folders",
    ),
    (
        |f| {
            let text = &mut file(f, layout().unit_file()).text;
            let env = "/usr/bin/env -i NOTIFY_SOCKET=${NOTIFY_SOCKET} ";
            *text = text.as_ref().map(|text| text.replace(env, ""));
        },
        "restart",
        "the unit's settings changed: the unit keeps the host's environment from etcd",
    ),
    (
        |f| known(&mut member(f).running).push("--quota-backend-bytes=5".to_owned()),
        "restart",
        "--quota-backend-bytes: 5 -> unset",
    ),
    (
        |f| known(&mut member(f).etcd).version = "3.6.14".to_owned(),
        "restart",
        "runs etcd 3.6.14 -> 3.6.16",
    ),
    (|f| member(f).restart_due = true, "restart", "stopped before the restart"),
    (|f| member(f).marker = Observed::Absent, "marker", "wanted by"),
];

#[test]
fn each_thing_that_is_not_so_is_in_the_plan_with_the_step_that_repairs_it() {
    for (number, (change, verb, word)) in CASES.iter().enumerate() {
        let plan = planned(change);
        let text = text::plan(&plan, Page::PLAIN);
        assert!(plan.report.blocked.is_empty() && plan.report.held.is_empty(), "{number}: {text}");
        let step =
            plan.steps.iter().find(|s| s.host().as_str() == "etcd-2" && s.id.verb.name() == *verb);
        let step = step.unwrap_or_else(|| panic!("{number}: no step {verb}: {text}"));
        let said = match &step.why {
            Why::Wanted { place: Some(place) } => format!("wanted by {place}"),
            Why::Drift { changes } => changes.join("\n"),
            why => panic!("{number}: {why:?}"),
        };
        assert!(said.contains(word), "{number}: {said}");
        let elsewhere = plan.steps.iter().find(|step| {
            step.host().as_str() != "etcd-2" && !matches!(step.kind, StepKind::ProveHealthy { .. })
        });
        assert_eq!(elsewhere, None, "{number}");
        assert_eq!(plan.needs_ca_keys(), *verb == "certificates", "{number}");
    }
}

#[test]
fn what_is_lost_is_no_drift_and_is_not_repaired() {
    let losses: [fn(&mut SiteFacts); 2] =
        [|f| member(f).data = Observed::Absent, |f| known(&mut member(f).data).wal = false];
    for loss in losses {
        let plan = planned(|facts| {
            loss(facts);
            unit(facts).active = "failed".to_owned();
            member(facts).running = Observed::Absent;
            member(facts).etcd = Observed::Absent;
        });
        assert!(plan.steps.is_empty());
        assert_eq!(plan.report.blocked[0].finding.code, FindingCode::LostMember);
        assert!(!plan.is_empty());
    }
}
