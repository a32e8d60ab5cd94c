//! What `status` says: as much as the plan knows, and no worse than it is.

use engine::hosts::Timed;
use planner::SiteSpec;
use planner::facts::{Observed, SiteFacts};
use quorate::exit::ExitCode;
use quorate::report::status::{Status, text};
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
    let status = Status::of(spec, facts, &planned(spec, facts).report, Timed::Nothing);
    (status.code(), text(&status, planner::text::Style::Plain))
}

/// The code and what is said after this happened.
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
        let path = Layout::of(&"c0".parse().unwrap()).pki_file(PkiFile::ServerCert);
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
