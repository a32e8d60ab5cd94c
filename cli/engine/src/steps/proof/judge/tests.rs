use super::*;

const NONCE: &str = "00ff";

fn endpoints() -> BTreeMap<HostName, String> {
    [("a", 1), ("b", 2), ("c", 3)]
        .map(|(name, n)| (name.parse().unwrap(), format!("https://10.0.0.{n}:2379")))
        .into()
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

/// What a healthy cluster of three says.
fn healthy() -> String {
    let rows = |row: &dyn Fn(u8) -> String| [1, 2, 3].map(row).join(",");
    let health = rows(&|n| {
        format!(r#"{{"endpoint":"https://10.0.0.{n}:2379","health":true,"took":"9ms"}}"#)
    });
    let status = rows(&|n| {
        format!(
            r#"{{"Endpoint":"https://10.0.0.{n}:2379","Status":{{"header":{{"cluster_id":14841639068965178418,"member_id":{n},"revision":1,"raft_term":2}},"version":"3.6.16","dbSize":20480,"leader":2,"raftIndex":9,"raftTerm":2}}}}"#
        )
    });
    format!(
        "= health 0\n[{health}]\n= status 0\n[{status}]\n= alarms 0\n\
         {{\"header\":{{\"cluster_id\":1,\"member_id\":1}}}}\n= put 0\nOK\n= get 0\n{NONCE}\n= del 0\n1\n\
         = data 0\nsame"
    )
}

/// What the script says of data that differs: the hash of each member.
fn differing(hashes: [u32; 3]) -> String {
    let rows: Vec<String> = [1, 2, 3]
        .iter()
        .zip(hashes)
        .map(|(n, hash)| {
            format!(
                r#"{{"Endpoint":"https://10.0.0.{n}:2379","HashKV":{{"header":{{"cluster_id":7,"member_id":{n},"revision":9,"raft_term":2}},"hash":{hash},"compact_revision":5}}}}"#
            )
        })
        .collect();
    format!("= data 1\ndiffer: {hashes:?}\n= hashes 0\n[{}]", rows.join(","))
}

fn problems(text: &str) -> Vec<Problem> {
    let endpoints = endpoints();
    let version = "3.6.16".parse().unwrap();
    judge(text, &Expected { endpoints: &endpoints, version, nonce: NONCE })
}

#[test]
fn a_cluster_that_agrees_and_serves_is_proven() {
    assert_eq!(problems(&healthy()), []);
}

#[test]
fn a_member_that_does_not_answer_is_named_with_etcds_reason() {
    let text = healthy().replace(
        r#"{"endpoint":"https://10.0.0.2:2379","health":true,"took":"9ms"}"#,
        r#"{"endpoint":"https://10.0.0.2:2379","health":false,"took":"5s","error":"context deadline exceeded"}"#,
    );
    let text =
        text.replace("= health 0\n", "= health 1\n{\"level\":\"warn\",\"msg\":\"retrying\"}\n");
    let why = "context deadline exceeded".to_owned();
    assert_eq!(problems(&text), [Problem::Unhealthy { host: host("b"), why }]);
}

/// With etcd's authentication on, our client has no user.
#[test]
fn a_write_that_is_forbidden_was_committed_first() {
    let denied = "{\"level\":\"warn\"}\nError: etcdserver: permission denied";
    let hashes = "= data 1\nforbidden: only root may ask";
    let forbidden = format!("= put 1\n{denied}\n= get 1\n{denied}\n= del 1\n{denied}\n{hashes}");
    let (before, _) =
        healthy().split_once("= put").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(problems(&format!("{before}{forbidden}")), []);
    let timed_out = forbidden.replace("permission denied", "request timed out");
    let timed_out = timed_out.replace("forbidden: ", "unknown: ");
    assert_eq!(problems(&format!("{before}{timed_out}")).len(), 2, "neither a write nor a hash");
}

#[test]
fn silence_is_not_health() {
    assert_eq!(problems("").len(), 1);
    let text = healthy().replace("= health 0\n[{", "= health 0\n[]\n[{\"x\":1},{");
    assert_eq!(problems(&text).len(), 3);
}

#[test]
fn two_clusters_are_not_one() {
    let text = healthy().replacen("14841639068965178418", "17", 1);
    assert!(
        matches!(&problems(&text)[..], [Problem::SeveralClusters(ids)] if ids[&host("a")] == "11")
    );
}

#[test]
fn members_must_follow_one_leader() {
    for leader in ["\"leader\":3", "\"leader\":0"] {
        let text = healthy().replacen("\"leader\":2", leader, 1);
        assert!(matches!(problems(&text)[..], [Problem::NoCommonLeader(_)]), "{leader}");
    }
}

#[test]
fn another_version_is_named() {
    let text = healthy().replacen("3.6.16", "3.6.14", 1);
    let version = "3.6.14".to_owned();
    assert_eq!(problems(&text), [Problem::OtherVersion { host: host("a"), version }]);
}

#[test]
fn an_alarm_is_not_health() {
    let alarms = r#""alarms":[{"memberID":10501334649042878790,"alarm":1}]}"#;
    let text = healthy().replace("\"member_id\":1}}\n", &format!("\"member_id\":1}},{alarms}\n"));
    assert!(matches!(&problems(&text)[..], [Problem::Alarm(alarm)] if alarm.contains("NOSPACE")));
}

#[test]
fn a_key_that_is_not_read_back_is_no_proof() {
    let text = healthy().replace(NONCE, "00fe");
    assert!(matches!(problems(&text)[..], [Problem::NotServing(_)]));
    let text = healthy().replace("= put 0\nOK", "= put 1\nError: etcdserver: request timed out");
    let why = "Error: etcdserver: request timed out".to_owned();
    assert_eq!(problems(&text), [Problem::NotServing(why)]);
}

fn with_data(said: &str) -> Vec<Problem> {
    problems(&healthy().replace("= data 0\nsame", said))
}

#[test]
fn a_member_with_other_data_is_named_where_most_have_the_same() {
    let found = with_data(&differing([78, 77, 77]));
    assert_eq!(found, [Problem::OtherData { hosts: [host("a")].into(), of: 3 }]);
    assert_eq!(found[0].to_string(), "the data of a differs from that of the other members");
    let said = with_data(&differing([78, 77, 79]))[0].to_string();
    assert!(said.ends_with("no majority has the same"), "{said}");
}

#[test]
fn only_data_that_was_compared_is_the_same() {
    let not_compared = |said: &str| match &with_data(said)[..] {
        [Problem::NotCompared(why)] => why.clone(),
        other => panic!("{said}: {other:?}"),
    };
    let gone = "Failed to get the hash of endpoint https://10.0.0.1:2379 (etcdserver: mvcc: required revision has been compacted)";
    assert_eq!(not_compared(&format!("= data 1\nunknown: {gone}\n= hashes 0\n")), gone);
    for said in ["", "= data 0", "= data 1\nsame", "= data 0\nsamething"] {
        assert_eq!(not_compared(said), "no answer", "{said:?}");
    }
    not_compared("= data 1\ndiffer: 1 2\n= hashes 0\nnothing");
}
