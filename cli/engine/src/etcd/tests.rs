//! Against the output of real clusters. Each file in `captured/` is one version of etcd and
//! etcdctl, stdout and stderr as they came, long runs of the same log line left out.

use inventories::Minor;
use planner::facts::{EtcdFacts, ListedMember, Observed};
use proptest::prelude::*;

use super::{EtcdctlError, alarms, member_list, statuses};

const CAPTURED: [(&str, &str); 4] = [
    ("3.4.23", include_str!("captured/3.4.23.txt")),
    ("3.5.35", include_str!("captured/3.5.35.txt")),
    ("3.6.16", include_str!("captured/3.6.16.txt")),
    ("3.7.3", include_str!("captured/3.7.3.txt")),
];

/// Each version's output under a heading.
fn captured(heading: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let heading = format!("## {heading}\n");
    CAPTURED.iter().map(move |(version, text)| {
        let (_, rest) = text.split_once(&heading).expect("the heading is in every file");
        (*version, rest.split("\n## ").next().unwrap_or(rest))
    })
}

fn only_status(said: &str) -> EtcdFacts {
    let mut statuses = statuses(said).expect("an answer");
    assert_eq!(statuses.len(), 1);
    statuses.remove(0).facts
}

fn reason<T: std::fmt::Debug>(result: Result<T, EtcdctlError>) -> String {
    result.expect_err("no answer").to_string()
}

#[test]
fn a_healthy_member_tells_all_of_itself() {
    for (version, said) in captured("status") {
        let facts = only_status(said);
        assert_eq!(facts.version, version);
        assert!(facts.leader.is_some() && !facts.learner && facts.errors.is_empty());
        assert!(facts.db_size >= facts.db_in_use && facts.db_in_use > 0);
        assert!(facts.raft_index >= facts.raft_applied && facts.raft_applied > 0);
        assert!(facts.raft_term >= 2);
    }
}

#[test]
fn from_3_6_on_a_member_tells_its_storage_version_and_a_downgrade() {
    for (version, said) in captured("status") {
        let facts = only_status(said);
        let expected = match version {
            "3.6.16" => Observed::Known(Minor::V3_6),
            "3.7.3" => Observed::Known(Minor::V3_7),
            _ => Observed::Absent,
        };
        assert_eq!((facts.storage, facts.downgrade), (expected, Observed::Absent), "{version}");
    }
    let (_, said) = captured("status").last().expect("3.7.3");
    let with = |storage: &str, downgrade: &str| {
        let said = said.replace("\"storageVersion\":\"3.7.0\"", storage);
        let facts = only_status(&said.replace("\"downgradeInfo\":{}", downgrade));
        (facts.storage, facts.downgrade)
    };
    let (storage, downgrade) = with(
        r#""storageVersion":"3.6.0""#,
        r#""downgradeInfo":{"enabled":true,"targetVersion":"3.6.0"}"#,
    );
    assert_eq!((storage, downgrade), (Observed::Known(Minor::V3_6), Observed::Known(Minor::V3_6)));
    let odd = with(r#""storageVersion":"9""#, r#""downgradeInfo":{"enabled":true}"#);
    assert!(matches!(odd, (Observed::Unknown(_), Observed::Unknown(_))), "{odd:?}");
}

#[test]
fn ids_are_hex_as_etcdctl_prints_them() {
    let (_, said) = captured("status").next().expect("3.4.23");
    let facts = only_status(said);
    assert_eq!(facts.cluster_id, format!("{:x}", 7523418999563887519_u64));
    assert_eq!(facts.member_id, format!("{:x}", 6204634734053081327_u64));
}

#[test]
fn a_member_that_knows_no_leader_says_so() {
    for (version, said) in captured("status no-leader") {
        let facts = only_status(said);
        assert_eq!(facts.leader, None, "{version}");
        assert_eq!(facts.errors, ["etcdserver: no leader"], "{version}");
    }
}

#[test]
fn a_learner_is_told_from_a_voter() {
    for (version, said) in captured("status learner") {
        let facts = only_status(said);
        assert!(facts.learner && facts.leader.is_some(), "{version}");
    }
}

#[test]
fn an_alarm_reads_alike_in_every_version() {
    for (version, said) in captured("status alarm") {
        let facts = only_status(said);
        let expected = format!("alarm NOSPACE of member {}", facts.member_id);
        assert_eq!(facts.errors, std::slice::from_ref(&expected), "{version}");
        let (_, listed) = captured("alarms").find(|(v, _)| *v == version).expect("captured");
        let listed = alarms(listed).expect("an answer");
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].to_string(), expected, "{version}");
    }
}

#[test]
fn no_alarm_is_an_answer_and_no_answer_is_not() {
    for (_, said) in captured("alarms none") {
        assert_eq!(alarms(said), Ok(Vec::new()));
    }
    for (version, said) in captured("alarms no-leader") {
        assert!(reason(alarms(said)).contains("deadline exceeded"), "{version}");
    }
    assert_eq!(alarms(""), Err(EtcdctlError::Unreadable));
}

#[test]
fn a_member_that_waits_for_a_quorum_does_not_answer() {
    for (version, said) in captured("status forming") {
        assert!(reason(statuses(said)).contains("deadline exceeded"), "{version}");
    }
    for (version, said) in captured("members forming") {
        assert!(reason(member_list(said)).contains("deadline exceeded"), "{version}");
    }
}

#[test]
fn a_refused_connection_is_named_instead_of_the_deadline() {
    for (version, said) in captured("status down") {
        let why = reason(statuses(said));
        assert!(why.ends_with("connection refused"), "{version}: {why}");
    }
}

#[test]
fn the_member_list_is_whole() {
    for (version, said) in captured("members learner") {
        let list = member_list(said).expect("an answer");
        assert_eq!(list.len(), 4, "{version}");
        assert!(list.iter().all(|member| member.peer_urls.len() == 1));
        let learners: Vec<&ListedMember> = list.iter().filter(|member| member.learner).collect();
        assert_eq!(learners.len(), 1);
        assert_eq!((learners[0].name.as_str(), learners[0].client_urls.len()), ("m4", 1));
    }
}

#[test]
fn a_member_that_never_started_has_no_name() {
    for (version, said) in captured("members unstarted") {
        let list = member_list(said).expect("an answer");
        let unstarted: Vec<_> = list.iter().filter(|member| member.name.is_empty()).collect();
        assert_eq!(unstarted.len(), 1, "{version}");
        assert!(unstarted[0].learner && unstarted[0].client_urls.is_empty());
    }
}

#[test]
fn a_learner_lists_nobody() {
    for (version, said) in captured("members from-learner") {
        assert_eq!(
            reason(member_list(said)),
            "etcdserver: rpc not supported for learner",
            "{version}"
        );
    }
}

#[test]
fn numbers_may_be_strings() {
    for (version, said) in captured("status") {
        let quoted = regex_free_quote(said);
        assert_ne!(quoted, said);
        assert_eq!(only_status(&quoted), only_status(said), "{version}");
    }
}

/// Puts quotes around every number that follows a colon.
fn regex_free_quote(json: &str) -> String {
    let mut out = String::new();
    let mut rest = json;
    while let Some(at) = rest.find(":").map(|at| at + 1) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && rest[digits..].starts_with([',', '}']) {
            out.push_str(&format!("\"{}\"", &rest[..digits]));
            rest = &rest[digits..];
        }
    }
    out + rest
}

#[test]
fn an_answer_without_ids_is_no_answer() {
    let said = r#"[{"Endpoint":"e","Status":{"header":{},"version":"3.6.16"}}]"#;
    assert!(statuses(said).is_err());
    assert!(member_list(r#"{"header":{"cluster_id":1,"member_id":2}}"#).is_err());
    assert!(member_list(r#"{"members":[]}"#).is_err());
}

#[test]
fn terminal_escapes_in_an_answer_are_stripped() {
    let said = "{\"level\":\"warn\",\"error\":\"desc = \\u001b[31mboo\\u001b[0m\"}\nError: x";
    assert_eq!(reason(statuses(said)), "boo");
    let list = r#"{"header":{"cluster_id":1,"member_id":2},"members":[{"ID":3,"name":"a\u001b]0;x\u0007b"}]}"#;
    assert_eq!(member_list(list).expect("an answer")[0].name, "ab");
}

fn hostile() -> impl Strategy<Value = String> {
    let pieces: Vec<String> =
        CAPTURED.iter().flat_map(|(_, text)| text.lines()).map(str::to_owned).collect();
    let cut = (proptest::sample::select(pieces), any::<(usize, usize)>(), ".{0,20}").prop_map(
        |(line, (from, to), junk)| {
            let from = from % (line.len() + 1);
            let to = to % (line.len() + 1);
            let start = line.get(..from.min(to)).unwrap_or("");
            let end = line.get(from.max(to)..).unwrap_or("");
            format!("{start}{junk}{end}")
        },
    );
    prop_oneof![any::<String>(), cut]
}

fn check(said: &str) {
    let reasons = [statuses(said).err(), member_list(said).err(), alarms(said).err()];
    for reason in reasons.into_iter().flatten() {
        let reason = reason.to_string();
        assert!(reason.chars().count() <= 300, "{reason}");
        assert!(reason.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{reason:?}");
    }
    let named = statuses(said).into_iter().flatten().map(|status| status.facts.version);
    let listed = member_list(said).into_iter().flatten().map(|member| member.name);
    for text in named.chain(listed) {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

#[test]
fn the_corpus_is_read_without_panic() {
    for (name, bytes) in test_kit::hostile::corpus("etcdctl") {
        eprintln!("{name}");
        check(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn no_depth_of_nesting_overflows_the_stack() {
    check(&"[".repeat(1_000_000));
    check(&format!("[{{\"Endpoint\":{}", "{\"a\":".repeat(1_000_000)));
}

/// Each answer of each version on its own.
fn answers() -> Vec<Vec<u8>> {
    let lines = CAPTURED.iter().flat_map(|(_, text)| text.lines());
    lines.filter(|line| line.starts_with(['{', '['])).map(|line| line.as_bytes().to_vec()).collect()
}

proptest! {
    #[test]
    fn garbage_never_panics_and_reasons_are_short(said in hostile()) {
        check(&said);
    }

    #[test]
    fn a_damaged_answer_is_read_without_panic(said in test_kit::hostile::damaged(answers())) {
        check(&String::from_utf8_lossy(&said));
    }
}
