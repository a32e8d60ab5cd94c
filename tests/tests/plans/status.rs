//! What `status` says: as much as the plan knows, and no worse than it is.

use engine::hosts::Timed;
use planner::SiteSpec;
use planner::facts::{Observed, SiteFacts};
use quorate::exit::ExitCode;
use quorate::report::status::{BackupTime, Detail, METRICS, Status, Thresholds, prometheus, text};
use quorate_tests::seen::{end, host as seen_host, known, member};
use quorate_tests::site::{host, plain};
use quorate_tests::story::formed;
use templates::Layout;
use templates::layout::PkiFile;

use crate::planned;

fn site() -> (SiteSpec, SiteFacts) {
    let (world, spec) = plain(3).world();
    let facts = formed(world, &spec).observe(&spec);
    (spec, facts)
}

fn status(spec: &SiteSpec, facts: &SiteFacts) -> (ExitCode, String) {
    let status = Status::new(spec, facts, &planned(spec, facts).report, Timed::Nothing);
    (status.code(), text(&status, planner::text::Style::Plain, None))
}

/// The exit code and the text after this happened.
fn after(change: impl FnOnce(&mut SiteFacts)) -> (ExitCode, String) {
    let (spec, mut facts) = site();
    change(&mut facts);
    status(&spec, &facts)
}

/// The host that leads in the facts.
fn leader(facts: &mut SiteFacts) -> String {
    let id = known(&mut member(facts, "etcd-1").etcd).leader.clone();
    let names = ["etcd-1", "etcd-2", "etcd-3"];
    let leads = |name: &&str| Some(&known(&mut member(facts, name).etcd).member_id) == id.as_ref();
    names.into_iter().find(leads).unwrap().to_owned()
}

#[test]
fn a_whole_cluster_has_no_problem() {
    let (code, said) = after(|_| ());
    assert_eq!(code, ExitCode::Done, "{said}");
    assert!(!said.contains("problem") && !said.contains("warning"), "{said}");
}

#[test]
fn a_quorum_of_hosts_that_were_not_reached_is_not_known() {
    let unseen = |names: &'static [&str]| {
        after(|facts| {
            for name in names {
                facts.hosts.insert(host(name), Observed::Unknown("timed out".to_owned()));
            }
        })
    };
    let (code, said) = unseen(&["etcd-1", "etcd-3"]);
    assert_eq!(code, ExitCode::Unreachable, "{said}");
    assert!(
        said.contains("quorum not known: 1 of 3 members up, 2 not reached, 2 needed"),
        "{said}"
    );
    assert!(!said.contains("no quorum"), "{said}");
    let (_, said) = after(|facts| {
        facts.hosts.insert(host("etcd-1"), Observed::Unknown("timed out".to_owned()));
        for name in ["etcd-2", "etcd-3"] {
            end(member(facts, name));
        }
    });
    assert!(said.contains("no quorum: 0 of 3 members up, 2 needed"), "{said}");
}

#[test]
fn the_others_name_a_leader_that_could_not_be_asked() {
    let (code, said) = after(|facts| {
        let name = leader(facts);
        facts.hosts.insert(host(&name), Observed::Unknown("timed out".to_owned()));
    });
    assert_eq!(code, ExitCode::Unreachable, "{said}");
    assert!(said.contains("leader etcd-1 (its host was not reached)"), "{said}");
    let (code, said) = after(|facts| {
        let name = leader(facts);
        member(facts, &name).etcd = Observed::Unknown("etcdctl: not found".to_owned());
    });
    assert_eq!(code, ExitCode::Failed, "{said}");
    assert!(said.contains("leader etcd-1 (it did not answer; the others name it)"), "{said}");
}

#[test]
fn nobody_leads_only_where_all_were_asked() {
    let leaderless = |facts: &mut SiteFacts| {
        for name in ["etcd-1", "etcd-2", "etcd-3"] {
            known(&mut member(facts, name).etcd).leader = None;
        }
    };
    let (_, said) = after(leaderless);
    assert!(said.contains("no leader, 2 needed"), "{said}");
    assert!(said.contains("it waits for a quorum of the others"), "{said}");
    let (_, said) = after(|facts| {
        leaderless(facts);
        facts.hosts.insert(host("etcd-2"), Observed::Unknown("timed out".to_owned()));
    });
    assert!(said.contains("leader not known, 2 needed"), "{said}");
    // A leader that ended is none, whatever its followers still believe.
    let (_, said) = after(|facts| {
        let name = leader(facts);
        end(member(facts, &name));
    });
    assert!(said.contains("no leader, 2 needed"), "{said}");
}

#[test]
fn what_blocks_a_plan_is_a_problem() {
    let (code, said) = after(|facts| {
        known(&mut member(facts, "etcd-3").etcd).cluster_id = "feed".to_owned();
    });
    assert!(code == ExitCode::Failed && said.contains("[two-clusters]"), "{said}");
    let (code, said) = after(|facts| {
        for name in ["etcd-1", "etcd-2", "etcd-3"] {
            let list = known(&mut known(&mut member(facts, name).etcd).members);
            let stray = list[0].clone();
            let (id, name) = ("77".to_owned(), "stray".to_owned());
            list.push(planner::facts::ListedMember { id, name, ..stray });
        }
    });
    assert!(code == ExitCode::Failed && said.contains("stray (77) is a member"), "{said}");
}

#[test]
fn a_member_that_lost_its_log_is_not_just_inactive() {
    let (code, said) = after(|facts| {
        end(member(facts, "etcd-2"));
        known(&mut member(facts, "etcd-2").data).wal = false;
    });
    assert_eq!(code, ExitCode::Failed);
    assert!(said.contains("problem: etcd-2: its write-ahead log is gone; unit inactive"), "{said}");
    assert!(said.contains("[lost-member]"), "{said}");
}

#[test]
fn a_missing_certificate_is_a_problem_and_no_number_of_days() {
    let (code, said) = after(|facts| {
        let path = Layout::new(&"c0".parse().unwrap()).pki_file(PkiFile::ServerCert);
        member(facts, "etcd-2").files.insert(path, Observed::Absent);
    });
    assert_eq!(code, ExitCode::Failed);
    assert!(said.contains("problem: etcd-2: server.crt is missing"), "{said}");
    assert!(said.contains("MISSING"), "{said}");
}

#[test]
fn much_to_catch_up_is_a_problem_and_a_clock_apart_a_warning() {
    let (code, said) = after(|facts| {
        for name in ["etcd-1", "etcd-3"] {
            let etcd = known(&mut member(facts, name).etcd);
            (etcd.raft_index, etcd.raft_applied) = (90_000, 90_000);
        }
        let late = known(&mut member(facts, "etcd-2").etcd);
        (late.raft_index, late.raft_applied) = (100, 100);
    });
    assert_eq!(code, ExitCode::Failed);
    assert!(said.contains("etcd-2: it has applied 100 of 90000 entries of the log"), "{said}");
    let (code, said) = after(|facts| {
        seen_host(facts, "etcd-2").machine.clock_skew_ms = 55_000;
    });
    assert_eq!(code, ExitCode::Done);
    assert!(said.contains("warning: etcd-2: the clock is 55.0 s ahead"), "{said}");
}

const LIMITS: Thresholds = Thresholds {
    days: 30,
    lag: 1000,
    quota_percent: 80,
    free_megabytes: 2000,
    fragmented_percent: 50,
    apply_days: None,
};

fn attended(
    limits: &Thresholds,
    detail: Detail,
    change: impl FnOnce(&mut SiteFacts),
) -> (ExitCode, String) {
    let (spec, mut facts) = site();
    change(&mut facts);
    let report = planned(&spec, &facts).report;
    let status = Status::new(&spec, &facts, &report, Timed::Nothing);
    let status = status.attend((&spec, &facts, &report), limits, detail);
    (status.code(), text(&status, planner::text::Style::Plain, None))
}

#[test]
fn what_passes_a_threshold_needs_attention_and_has_a_code_where_that_is_asked_for() {
    let (code, said) = attended(&LIMITS, Detail::Attention, |_| ());
    assert_eq!(code, ExitCode::Done, "{said}");
    assert!(!said.contains("attention"), "{said}");
    let full = |facts: &mut SiteFacts| {
        let etcd = known(&mut member(facts, "etcd-2").etcd);
        (etcd.db_size, etcd.db_in_use) = (1_800_000_000, 600_000_000);
        seen_host(facts, "etcd-3").machine.data_free = 1_999_999_999;
    };
    let (code, said) = attended(&LIMITS, Detail::Attention, full);
    assert_eq!(code, ExitCode::Changes, "{said}");
    for line in [
        "attention: etcd-2: the database uses 83 % of its quota of 2.1 GB",
        "attention: etcd-2: 66 % of the database is free pages, 1.2 GB: quorate defrag",
        "attention: etcd-3: 2.0 GB free for data",
        "healthy, needs attention",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(attended(&LIMITS, Detail::Health, full).0, ExitCode::Done);
    let far = Thresholds { days: 5000, apply_days: Some(0), ..LIMITS };
    let (code, said) = attended(&far, Detail::Attention, |_| ());
    assert_eq!(code, ExitCode::Changes, "{said}");
    assert!(said.contains("the peer CA expires in"), "{said}");
    assert!(said.contains("etcd-1: server.crt expires in"), "{said}");
    assert!(said.contains("etcd-1: no apply is recorded"), "{said}");
    // What is wrong counts more.
    let (code, said) = attended(&far, Detail::Attention, |facts| {
        facts.hosts.insert(host("etcd-1"), Observed::Unknown("timed out".to_owned()));
    });
    assert_eq!(code, ExitCode::Unreachable, "{said}");
}

#[test]
fn metrics_have_absolute_times_and_say_nothing_of_what_is_not_known() {
    let (spec, mut facts) = site();
    facts.hosts.insert(host("etcd-3"), Observed::Unknown("timed out".to_owned()));
    let report = planned(&spec, &facts).report;
    let status = Status::new(&spec, &facts, &report, Timed::Nothing);
    let backup = |target: &str, newest, opened| BackupTime {
        cluster: "c0".parse().unwrap(),
        target: target.to_owned(),
        newest,
        opened,
    };
    let day = facts.observed_at - time::Duration::DAY;
    let backups = [backup("file:a", Some(day), None), backup("s3://b", None, Some(day))];
    let said = prometheus(&status, &facts, &backups);
    let site = spec.site.to_string();
    let now = facts.observed_at.unix_timestamp();
    for line in [
        format!("quorate_status_timestamp_seconds{{site=\"{site}\"}} {now}"),
        format!("quorate_member_reachable{{site=\"{site}\",cluster=\"c0\",member=\"etcd-3\"}} 0"),
        format!("quorate_member_up{{site=\"{site}\",cluster=\"c0\",member=\"etcd-1\"}} 1"),
        format!(
            "quorate_backup_newest_timestamp_seconds{{site=\"{site}\",cluster=\"c0\",target=\"file:a\"}} {}",
            now - 86_400
        ),
        format!(
            "quorate_backup_opened_timestamp_seconds{{site=\"{site}\",cluster=\"c0\",target=\"s3://b\"}} {}",
            now - 86_400
        ),
    ] {
        assert!(said.lines().any(|of| of == line), "{line}\n{said}");
    }
    assert!(!said.contains("quorate_member_up{site=\"lab\",cluster=\"c0\",member=\"etcd-3\""));
    assert_eq!(said.matches("quorate_backup_newest_timestamp_seconds{").count(), 1, "{said}");
    let ends = "quorate_certificate_not_after_timestamp_seconds{";
    let end = said.lines().find(|line| line.starts_with(ends)).unwrap();
    let (_, value) = end.rsplit_once(' ').unwrap();
    assert!(value.parse::<i64>().unwrap() > now, "{end}");
    // Each line is a comment, or a name of the list with labels and a number.
    for line in said.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_once('{').unwrap();
        assert!(METRICS.iter().any(|(known, _)| *known == name), "{line}");
        let (labels, value) = rest.rsplit_once("} ").unwrap();
        assert!(labels.starts_with("site=\"") && value.parse::<f64>().is_ok(), "{line}");
    }
}

/// A rule that asks whether the cluster is formed must not be silent in the outage of all of it.
#[test]
fn a_cluster_that_nobody_reaches_is_neither_formed_nor_unformed() {
    let (spec, mut facts) = site();
    let formed = |facts: &SiteFacts| {
        let report = planned(&spec, facts).report;
        let status = Status::new(&spec, facts, &report, Timed::Nothing);
        let said = prometheus(&status, facts, &[]);
        let value = |name: &str| {
            let line = said.lines().find(|line| line.starts_with(&format!("{name}{{")))?;
            line.rsplit_once(' ').map(|(_, value)| value.to_owned())
        };
        (value("quorate_cluster_formed"), value("quorate_cluster_members_up"))
    };
    assert_eq!(formed(&facts).0.as_deref(), Some("1"));
    for seen in facts.hosts.values_mut() {
        *seen = Observed::Unknown("timed out".to_owned());
    }
    let (formed, up) = formed(&facts);
    assert_eq!((formed, up.as_deref()), (None, Some("0")));
}

#[test]
fn a_status_fits_60_columns_and_loses_no_member() {
    let (spec, facts) = site();
    let report = planned(&spec, &facts).report;
    let status = Status::new(&spec, &facts, &report, Timed::Nothing);
    let within = |width| text(&status, planner::text::Style::Plain, width);
    assert_eq!(within(Some(200)), within(None));
    let narrow = within(Some(60));
    for member in ["etcd-1", "etcd-2", "etcd-3"] {
        let row = narrow.lines().find(|line| line.trim_start().starts_with(member)).unwrap();
        assert!(row.chars().count() <= 60 && row.contains("up") && row.contains("days"), "{row}");
    }
    assert!(!narrow.contains("ENDPOINT") && within(None).contains("ENDPOINT"), "{narrow}");
}
