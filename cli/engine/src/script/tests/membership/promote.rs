//! A learner that has caught up becomes a voter.

use test_kit::executable::executable;

use super::super::bench::{Bench, Run, on_each_shell};
use super::{LIST, URL, asked, cluster, fails, meanwhile, silence};
use crate::script;

const VOTER: &str = "c3, started, etcd-3, https://10.0.0.3:2380, https://10.0.0.3:2379, false";
const LEARNER: &str = "c3, started, etcd-3, https://10.0.0.3:2380, https://10.0.0.3:2379, true";

/// The learner c3 runs, answers, and has applied so much.
fn learner(bench: &Bench, applied: u64) {
    cluster(bench);
    bench.write("list", &LIST.replace(VOTER, LEARNER));
    bench.write("at-1", "161 178 20000");
    bench.write("at-2", "178 178 20000");
    bench.write("at-own", &format!("195 178 {applied}"));
    bench.program("systemctl", "case $* in *MainPID*) echo 7 ;; *LoadState*) echo loaded ;; esac");
    bench.program("journalctl", "echo its last words");
    std::fs::create_dir_all(bench.path("data/member")).unwrap();
}

fn promote(bench: &Bench) -> Run<'static> {
    let mut args = vec![bench.arg("etcdctl")];
    args.extend(["ca", "cert", "key", "own", URL, "9", "21600"].map(str::to_owned));
    args.extend(["etcd-main.service", "etcd-main"].map(str::to_owned));
    args.extend([bench.arg("data"), "1".to_owned(), "2".to_owned()]);
    Run::unguarded(script::PROMOTE_MEMBER, &args)
}

const NOT_YET: &str =
    "etcdserver: can only promote a learner member which is in sync with leader\n";

#[test]
fn a_learner_that_has_caught_up_is_promoted_once() {
    on_each_shell(|bench| {
        learner(bench, 20000);
        assert_eq!(bench.done(&promote(bench)), "changed");
        assert!(!bench.read("list").contains("true"));
        assert_eq!(bench.done(&promote(bench)), "already");
        assert_eq!(asked(bench), ["1 promote c3"]);
        // What it is does not hang on whether it runs.
        bench.program("systemctl", "case $* in *LoadState*) echo loaded ;; *) echo 0 ;; esac");
        silence(bench, "own");
        assert_eq!(bench.done(&promote(bench)), "already");
    });
}

#[test]
fn a_learner_is_waited_for_as_long_as_it_applies_more() {
    on_each_shell(|bench| {
        learner(bench, 0);
        // Much longer than its patience without progress.
        meanwhile(bench, "read -r n l i <at-own; echo $n $l $((i + 100)) >new; mv new at-own");
        assert_eq!(bench.done(&promote(bench)), "changed");
        let applied: u64 = bench.read("at-own").trim().rsplit(' ').next().unwrap().parse().unwrap();
        assert!(applied >= 15000, "asked at {applied}");
        assert_eq!(asked(bench).len(), 1, "it lacked too much until then");
    });
}

#[test]
fn a_learner_that_gets_no_closer_is_removed_again_with_how_far_it_is() {
    on_each_shell(|bench| {
        learner(bench, 12);
        let said = fails(&bench.run(&promote(bench)));
        assert!(
            said.contains(
                "the learner does not catch up, and it is removed again: it has applied 12 of 20000 entries of the \
                 log; 9 s before it lacked 19988\nits last words"
            ),
            "{said}"
        );
        assert_eq!(asked(bench), ["1 remove c3"]);
        assert!(!bench.read("list").contains("c3, "));
        // Near enough, but not in etcd's eyes.
        learner(bench, 16000);
        bench.write("replies", &(NOT_YET.repeat(10) + "\n"));
        let said = fails(&bench.run(&promote(bench)));
        assert!(said.contains("it is removed again: it has applied 16000 of 20000"), "{said}");
    });
}

/// It has all there is: a new member would have no more.
#[test]
fn a_learner_that_has_all_of_the_log_stays() {
    on_each_shell(|bench| {
        learner(bench, 20000);
        bench.write("replies", &NOT_YET.repeat(99));
        let said = fails(&bench.run(&promote(bench)));
        assert!(said.contains("it has applied 20000 of 20000 entries of the log: Error: etcdserver: can only promote"), "{said}");
        assert!(bench.read("list").contains(LEARNER));
    });
}

/// The others write as fast as it reads.
#[test]
fn a_learner_that_only_keeps_its_distance_is_removed_again() {
    on_each_shell(|bench| {
        learner(bench, 1000);
        meanwhile(
            bench,
            "for it in at-own at-1; do read -r n l i <$it; echo $n $l $((i + 500)) >new; mv new $it; done",
        );
        let said = fails(&bench.run(&promote(bench)));
        assert!(said.contains("it is removed again: it has applied 5500 of 24500"), "{said}");
        assert!(said.contains("9 s before it lacked 19000"), "{said}");
    });
}

/// It was out of the list of those that the leader has entries for.
#[test]
fn a_learner_that_receives_a_snapshot_is_waited_for_but_not_for_one_after_the_other() {
    on_each_shell(|bench| {
        learner(bench, 1000);
        std::fs::create_dir_all(bench.path("data/member/snap")).unwrap();
        bench.write("rounds", "");
        meanwhile(
            bench,
            "echo x >>rounds; head -c 20000 /dev/zero >>data/member/snap/tmp1\n\
             [ $(wc -l <rounds) -lt 30 ] || { rm data/member/snap/tmp1; echo 195 178 20000 >at-own; }",
        );
        assert_eq!(bench.done(&promote(bench)), "changed");
        learner(bench, 1000);
        bench.write("rounds", "");
        meanwhile(
            bench,
            "echo x >>rounds; round=$(wc -l <rounds); rm -f data/member/snap/tmp$((round / 5 - 1))\n\
             head -c 20000 /dev/zero >>data/member/snap/tmp$((round / 5))",
        );
        let said = fails(&bench.run(&promote(bench)));
        assert!(said.contains("it is removed again"), "{said}");
        assert!(bench.read("rounds").lines().count() < 30);
    });
}

/// Somebody gave it a vote meanwhile: the cluster may need it.
#[test]
fn a_learner_that_got_a_vote_is_not_removed() {
    on_each_shell(|bench| {
        learner(bench, 12);
        // The list is asked for once a second, and once more before the removal.
        bench.write("rounds", "");
        let etcdctl = bench.read("etcdctl");
        let voter = "*\"member list\"*)\n    echo x >>rounds\n    [ $(wc -l <rounds) -lt 11 ] || sed -i '/^c3, /s/true$/false/' list";
        executable(&bench.path("etcdctl"), &etcdctl.replacen("*\"member list\"*)", voter, 1));
        let said = fails(&bench.run(&promote(bench)));
        assert!(said.contains("and it stays listed, without a vote: it has applied 12"), "{said}");
        assert_eq!(asked(bench), [""; 0]);
    });
}

#[test]
fn a_learner_that_etcd_does_not_call_in_sync_yet_is_asked_for_again() {
    on_each_shell(|bench| {
        learner(bench, 20000);
        bench.write("replies", &NOT_YET.repeat(4));
        assert_eq!(bench.done(&promote(bench)), "changed");
        assert_eq!(asked(bench).len(), 5);
    });
}

/// It reads a snapshot, and answers once it has it.
#[test]
fn a_learner_that_does_not_answer_gets_on_while_its_files_change() {
    on_each_shell(|bench| {
        learner(bench, 20000);
        silence(bench, "own");
        bench.write("rounds", "");
        meanwhile(
            bench,
            "echo x >>rounds; head -c 20000 /dev/zero >>data/member/db\n\
             [ $(wc -l <rounds) -lt 20 ] || echo 195 178 20000 >at-own",
        );
        assert_eq!(bench.done(&promote(bench)), "changed");
        assert!(bench.read("rounds").lines().count() >= 20);
        learner(bench, 20000);
        silence(bench, "own");
        let said = fails(&bench.run(&promote(bench)));
        assert!(said.contains("it is removed again: it does not answer, and has "), "{said}");
    });
}

/// etcd would take one that caught up and ended since: the cluster would need it, and not have it.
#[test]
fn a_learner_that_does_not_run_is_not_promoted() {
    on_each_shell(|bench| {
        learner(bench, 20000);
        bench.program(
            "systemctl",
            "case $* in *MainPID*) echo 0 ;; *LoadState*) echo loaded ;; esac",
        );
        let said = fails(&bench.run(&promote(bench).set("seconds", 300)));
        assert!(said.contains("it does not run\nits last words"), "{said}");
        assert_eq!(asked(bench), [""; 0]);
    });
}

#[test]
fn only_the_learner_that_runs_here_is_promoted() {
    on_each_shell(|bench| {
        learner(bench, 20000);
        bench.write("at-own", "196 178 20000");
        let said = fails(&bench.run(&promote(bench)));
        assert!(said.contains("member c4 answers, and the cluster lists c3"), "{said}");
        bench.write("list", &LIST.replace(URL, "https://10.0.0.9:2380"));
        let said = fails(&bench.run(&promote(bench)));
        assert!(said.contains("the cluster does not list https://10.0.0.3:2380"), "{said}");
        assert_eq!(asked(bench), [""; 0]);
    });
}

#[test]
fn the_next_member_is_asked_where_one_does_not_answer_or_may_not() {
    on_each_shell(|bench| {
        learner(bench, 20000);
        bench.write("replies", "etcdserver: user name is empty\n");
        assert_eq!(bench.done(&promote(bench)), "changed");
        assert_eq!(asked(bench), ["1 promote c3", "2 promote c3"]);
        learner(bench, 20000);
        silence(bench, "1");
        assert_eq!(bench.done(&promote(bench)), "changed");
        learner(bench, 20000);
        silence(bench, "1");
        bench.write("at-2", "178 0 20000");
        let said = fails(&bench.run(&promote(bench)));
        assert!(said.contains("1 does not answer; 2 knows no leader"), "{said}");
    });
}

#[test]
fn a_promotion_that_etcd_dropped_is_asked_for_again() {
    on_each_shell(|bench| {
        learner(bench, 20000);
        bench.write("replies", "drop\n");
        assert_eq!(bench.done(&promote(bench)), "changed");
        assert_eq!(asked(bench).len(), 2);
    });
}

/// At 100 entries a second 19,100 take longer than 150 s, and 7,100 do not.
#[test]
fn a_learner_is_waited_for_only_if_its_rate_brings_it_there_in_time() {
    on_each_shell(|bench| {
        let rate = "read -r n l i <at-own; echo $n $l $((i + 100)) >new; mv new at-own";
        learner(bench, 0);
        meanwhile(bench, rate);
        let said = fails(&bench.run(&promote(bench).set("longest", 150)));
        assert!(said.contains("it is removed again: it has applied 900 of 20000"), "{said}");
        learner(bench, 12000);
        meanwhile(bench, rate);
        assert_eq!(bench.done(&promote(bench).set("longest", 150)), "changed");
    });
}

#[test]
fn one_that_gets_closer_stays_when_the_time_is_over() {
    on_each_shell(|bench| {
        learner(bench, 0);
        meanwhile(bench, "read -r n l i <at-own; echo $n $l $((i + 100)) >new; mv new at-own");
        let said = fails(&bench.run(&promote(bench).set("seconds", 50).set("longest", 40)));
        assert!(said.contains("not a voter yet: it has applied 4000 of 20000"), "{said}");
        assert!(bench.read("list").contains(LEARNER));
    });
}
