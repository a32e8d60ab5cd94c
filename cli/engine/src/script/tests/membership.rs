//! Members are removed, added, promoted and forgotten by what the others say.

use super::bench::{Bench, Run, on_each_shell};
use crate::script;
use remote::Reply;
use test_kit::executable::executable;

mod decommission;
mod forget;
mod leave;
mod promote;
mod snapshot;
mod update_peer_url;

/// A cluster that keeps its list in the file `list`, seen from its members. Each of them is a file `at-ENDPOINT` of
/// its number and its leader's; one without a file is down. What the next changes get is in `replies`, a line each:
/// `drop`, or the words of a refusal; without one the change is made. Every change that is asked for is in `asked`.
const ETCDCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
format=simple before=
for word; do
    case "$word" in
    --endpoints=*) endpoint=${word#--endpoints=} ;;
    fields) format=fields ;;
    esac
    case "$before" in
    add) name=$word ;;
    remove | promote | update) id=$word ;;
    esac
    case "$word" in --peer-urls=*) url=${word#--peer-urls=} ;; esac
    before=$word
done
if ! [ -e "at-$endpoint" ]; then
    echo '{"level":"warn","msg":"retrying of unary invoker failed"}' >&2
    echo 'Error: context deadline exceeded' >&2
    exit 1
fi
read -r number leader index learner <"at-$endpoint"
case "$*" in
*"endpoint status"*)
    [ "$format" = fields ] || exit 64
    printf '"MemberID" : %s\n"Leader" : %s\n"Version" : "%s"\n' "$number" "$leader" "$(cat version)"
    printf '"RaftIndex" : %s\n"RaftAppliedIndex" : %s\n' "$index" "$index"
    printf '"IsLearner" : %s\n' "${learner:-false}"
    ;;
*"endpoint health"*)
    [ ! -e "old-$endpoint" ] || { echo "$endpoint is unhealthy" >&2; exit 1; }
    ;;
*"member list"*)
    if [ -e "old-$endpoint" ]; then cat "old-$endpoint"; else cat list; fi
    ;;
*" move-leader "*)
    echo "$endpoint move-leader ${*##* move-leader }" >>asked
    [ "$number" = "$leader" ] || { echo 'Error: no leader endpoint found' >&2; exit 1; }
    [ ! -e keeps ] || { echo 'Error: etcdserver: request timed out' >&2; exit 1; }
    for one in at-*; do
        read -r number leader rest <"$one"
        echo "$number $(printf %d "0x${*##* move-leader }") $rest" >"$one"
    done
    ;;
*" member "*)
    echo "$endpoint ${*##* member }" >>asked
    touch replies
    reply=$(head -n 1 replies)
    sed 1d replies >left
    mv left replies
    case "$reply" in
    '') ;;
    drop) exit 0 ;;
    *) echo "Error: $reply" >&2; exit 1 ;;
    esac
    case "$*" in
    *"member remove"*)
        grep -q "^$id, " list || { echo 'Error: etcdserver: member not found' >&2; exit 1; }
        grep -v "^$id, " list >left
        mv left list
        ;;
    *"member add"*" --learner "*)
        ! grep -qF ", $url, " list || { echo 'Error: Peer URLs already exists' >&2; exit 1; }
        echo "d4, unstarted, , $url, , true" >>list
        ;;
    *"member update"*)
        grep -q "^$id, " list || { echo 'Error: etcdserver: member not found' >&2; exit 1; }
        ! grep -qF ", $url, " list || { echo 'Error: Peer URLs already exists' >&2; exit 1; }
        sed -i "/^$id, /s#, https://[^ ]*:2380[^ ]*, #, $url, #" list
        ;;
    *"member promote"*) sed -i "/^$id, /s/true\$/false/" list ;;
    *) exit 64 ;;
    esac
    if [ -e "lost-$endpoint" ]; then
        rm "at-$endpoint"
        echo 'Error: context deadline exceeded' >&2
        exit 1
    fi
    ;;
*) exit 64 ;;
esac
"#;

const LIST: &str = "\
a1, started, etcd-1, https://10.0.0.1:2380, https://10.0.0.1:2379, false
b2, started, etcd-2, https://10.0.0.2:2380, https://10.0.0.2:2379, false
c3, started, etcd-3, https://10.0.0.3:2380, https://10.0.0.3:2379, false
";
const URL: &str = "https://10.0.0.3:2380";

/// Members 1 and 2 are there, and member 2 leads.
fn cluster(bench: &Bench) {
    executable(&bench.path("etcdctl"), ETCDCTL);
    bench.write("list", LIST);
    bench.write("version", "3.6.16");
    bench.write("at-1", "161 178 100");
    bench.write("at-2", "178 178 100");
    // Nothing of it runs here.
    bench.program("systemctl", "echo 0");
    // Time is what the script sleeps.
    bench.write("clock", "1000");
    bench.program(
        "cut",
        "case $* in */proc/uptime) cat clock ;; *) exec /usr/bin/cut \"$@\" ;; esac",
    );
    meanwhile(bench, "");
}

/// Whenever the script sleeps, this happens.
fn meanwhile(bench: &Bench, what: &str) {
    bench.program("sleep", &format!("echo $(($(cat clock) + 1)) >clock\n{what}"));
}

fn without(bench: &Bench, id: &str) {
    let left = bench.read("list");
    let left = left.lines().filter(|line| !line.starts_with(&format!("{id}, ")));
    bench.write("list", &left.map(|line| format!("{line}\n")).collect::<String>());
}

fn silence(bench: &Bench, endpoint: &str) {
    std::fs::remove_file(bench.path(&format!("at-{endpoint}"))).unwrap();
}

fn asked(bench: &Bench) -> Vec<String> {
    let all = std::fs::read_to_string(bench.path("asked")).unwrap_or_default();
    all.lines().map(str::to_owned).collect()
}

fn remove(bench: &Bench) -> Run<'static> {
    let etcdctl = bench.arg("etcdctl");
    Run::unguarded(
        script::REMOVE_MEMBER,
        &[
            etcdctl.as_str(),
            "ca",
            "cert",
            "key",
            "c3",
            "own",
            "etcd-main.service",
            &bench.arg("data"),
            "20",
            "1",
            "2",
        ],
    )
}

fn add(bench: &Bench) -> Run<'static> {
    let etcdctl = bench.arg("etcdctl");
    let args = [etcdctl.as_str(), "ca", "cert", "key", "etcd-3", URL, "20", "1", "2"];
    Run::unguarded(script::ADD_LEARNER, &args)
}

/// This host shows nothing of it: the login may lead to another machine.
#[test]
fn a_member_that_answers_is_not_removed() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("list", &LIST.replace("https://10.0.0.3:2379", "7,3"));
        bench.write("at-3", "195 178 100");
        let reply = bench.run(&remove(bench));
        let said = String::from_utf8_lossy(&reply.stdout).into_owned();
        assert_eq!((reply.status, said.contains("member c3 answers at 3")), (80, true), "{said}");
        assert_eq!(asked(bench), Vec::<String>::new());
        // Another member has the address by now.
        bench.write("at-3", "161 178 100");
        assert_eq!(bench.done(&remove(bench)), "changed");
    });
}

/// It came up since the plan, and does not answer yet. One that systemd starts again and again has failed.
#[test]
fn a_member_that_runs_here_again_is_not_removed() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.program("systemctl", "echo 1234");
        let reply = bench.run(&remove(bench));
        let said = String::from_utf8_lossy(&reply.stdout).into_owned();
        assert_eq!((reply.status, said.contains("runs here again")), (80, true), "{said}");
        assert_eq!(asked(bench), Vec::<String>::new());
        bench.program("systemctl", "cat clock");
        assert_eq!(bench.done(&remove(bench)), "changed");
    });
}

/// The member list is unknown, so it is unknown too whether this member answers at its client URL.
#[test]
fn nobody_is_removed_while_nobody_says_where_the_member_would_answer() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("list", &LIST.replace("https://10.0.0.3:2379", "3"));
        bench.write("at-3", "195 178 100");
        // Both are in an election at first.
        bench.write("at-1", "161 0 100");
        bench.write("at-2", "178 0 100");
        meanwhile(bench, "echo '178 178 100' >at-2");
        assert_eq!(bench.run(&remove(bench)).status, 80);
        assert_eq!(asked(bench), Vec::<String>::new());
    });
}

/// What a script that must not succeed says.
fn fails(reply: &Reply) -> String {
    assert_ne!(reply.status, 0);
    let said = String::from_utf8_lossy(&reply.stdout).into_owned();
    assert!(said.starts_with("failed ") || said.starts_with("refused "), "{said}{}", reply.stderr);
    said
}

#[test]
fn a_member_is_removed_once() {
    on_each_shell(|bench| {
        cluster(bench);
        assert_eq!(bench.done(&remove(bench)), "changed");
        assert!(!bench.read("list").contains("c3, "));
        assert_eq!(bench.done(&remove(bench)), "already");
        assert_eq!(asked(bench), ["1 remove c3"]);
    });
}

#[test]
fn a_learner_is_added_once_and_a_listed_member_stays_what_it_is() {
    on_each_shell(|bench| {
        cluster(bench);
        assert_eq!(bench.done(&add(bench)), "already", "a voter at this peer URL");
        without(bench, "c3");
        assert_eq!(bench.done(&add(bench)), "changed");
        assert!(bench.read("list").ends_with("\nd4, unstarted, , https://10.0.0.3:2380, , true\n"));
        assert_eq!(bench.done(&add(bench)), "already");
        assert_eq!(asked(bench), [format!("1 add etcd-3 --learner --peer-urls={URL}")]);
    });
}

#[test]
fn a_member_with_another_peer_url_beside_ours_is_not_ours() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("list", &LIST.replace(URL, &format!("{URL}1,{URL}")));
        bench.write("replies", "Peer URLs already exists\n");
        let said = fails(&bench.run(&add(bench)));
        assert!(said.contains("Peer URLs already exists"), "{said}");
    });
}

#[test]
fn where_one_of_the_others_is_down_the_next_one_is_asked() {
    on_each_shell(|bench| {
        cluster(bench);
        silence(bench, "1");
        assert_eq!(bench.done(&remove(bench)), "changed");
        assert_eq!(bench.done(&add(bench)), "changed");
        assert_eq!(asked(bench)[0], "2 remove c3");
    });
}

#[test]
fn others_that_are_all_down_are_never_success() {
    on_each_shell(|bench| {
        cluster(bench);
        // By neither list there would be anything to do.
        for (run, list) in [(remove(bench), ""), (add(bench), LIST)] {
            bench.write("list", list);
            for endpoint in ["1", "2"] {
                let _ = std::fs::remove_file(bench.path(&format!("at-{endpoint}")));
            }
            let said = fails(&bench.run(&run));
            assert!(
                said.contains(
                    "no other member says who is a member: 1 does not answer; 2 does not answer"
                ),
                "{said}"
            );
        }
        assert_eq!(asked(bench), [""; 0]);
    });
}

#[test]
fn a_member_without_a_leader_is_not_believed() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("at-1", "161 0 100");
        bench.write("old-1", &LIST.replace("c3", "c2"));
        assert_eq!(bench.done(&remove(bench)), "changed", "member 2 knows better");
        bench.write("at-2", "178 0 100");
        let said = fails(&bench.run(&remove(bench)));
        assert!(said.contains("1 knows no leader; 2 knows no leader"), "{said}");
        assert_eq!(asked(bench), ["2 remove c3"]);
    });
}

/// etcd 3.4 lists what a member has applied, be it old.
#[test]
fn a_member_of_etcd_3_4_that_has_an_old_list_is_not_believed() {
    on_each_shell(|bench| {
        cluster(bench);
        without(bench, "c3");
        bench.write("version", "3.4.23");
        bench.write("old-1", LIST);
        assert_eq!(bench.done(&add(bench)), "changed");
        assert_eq!(asked(bench), [format!("2 add etcd-3 --learner --peer-urls={URL}")]);
    });
}

#[test]
fn a_list_without_the_member_that_tells_it_is_none() {
    on_each_shell(|bench| {
        cluster(bench);
        for list in ["", "b2, started, etcd-2, https://10.0.0.2:2380, https://10.0.0.2:2379, false"]
        {
            bench.write("old-1", list);
            bench.write("old-2", "");
            let said = fails(&bench.run(&remove(bench)));
            assert!(said.contains("1 does not list the members"), "{said}");
        }
        assert_eq!(asked(bench), [""; 0]);
    });
}

#[test]
fn a_change_that_etcd_dropped_is_asked_for_again() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("replies", "drop\ndrop\n");
        assert_eq!(bench.done(&remove(bench)), "changed");
        assert_eq!(asked(bench).len(), 3);
        bench.write("replies", "drop\n");
        assert_eq!(bench.done(&add(bench)), "changed");
        bench.write("replies", &"drop\n".repeat(99));
        let said = fails(&bench.run(&remove(bench).set("id", "a1")));
        let dropped =
            "failed the cluster still lists member a1: etcd took the change, and dropped it";
        assert!(said.starts_with(dropped), "{said}");
    });
}

#[test]
fn a_change_that_etcd_refuses_for_now_is_asked_for_again() {
    on_each_shell(|bench| {
        cluster(bench);
        for words in ["etcdserver: unhealthy cluster", "etcdserver: leader changed"] {
            bench.write("list", LIST);
            bench.write("replies", &format!("{words}\n{words}\n"));
            assert_eq!(bench.done(&remove(bench)), "changed", "{words}");
            bench.write("replies", &format!("{words}\n"));
            assert_eq!(bench.done(&add(bench)), "changed", "{words}");
        }
        bench.write("replies", &"etcdserver: unhealthy cluster\n".repeat(99));
        let said = fails(&bench.run(&remove(bench).set("id", "a1")));
        assert!(said.contains("member a1: Error: etcdserver: unhealthy cluster"), "{said}");
    });
}

#[test]
fn what_etcd_refuses_is_reported_in_its_words_and_not_asked_for_again() {
    on_each_shell(|bench| {
        cluster(bench);
        without(bench, "c3");
        bench.write("replies", "etcdserver: too many learner members in cluster\n");
        let said = fails(&bench.run(&add(bench)));
        let words = format!(
            "failed the cluster does not list {URL}: Error: etcdserver: too many learner members in cluster\n"
        );
        assert_eq!(said, words);
        assert_eq!(asked(bench).len(), 1);
        bench.write("list", LIST);
        let few = "etcdserver: re-configuration failed due to not enough started members";
        bench.write("replies", &format!("{few}\n"));
        assert!(fails(&bench.run(&remove(bench))).contains(few));
        assert_eq!(asked(bench).len(), 2);
    });
}

#[test]
fn that_etcd_does_not_find_a_member_is_no_proof_that_it_is_gone() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("replies", &"etcdserver: member not found\n".repeat(99));
        let said = fails(&bench.run(&remove(bench)));
        assert!(
            said.contains("still lists member c3: Error: etcdserver: member not found"),
            "{said}"
        );
    });
}

/// It made the change, and died before it reported it.
#[test]
fn a_change_whose_answer_was_lost_is_looked_for_at_the_next_one() {
    on_each_shell(|bench| {
        cluster(bench);
        bench.write("lost-1", "");
        assert_eq!(bench.done(&remove(bench)), "changed");
        assert_eq!(asked(bench), ["1 remove c3"]);
        bench.write("at-1", "161 178 100");
        assert_eq!(bench.done(&add(bench)), "changed");
        assert_eq!(asked(bench).len(), 2);
    });
}
