//! A member of another host is removed: one that failed only where nobody hears it, one that leads only after it has
//! handed leadership over.

use super::super::bench::{Bench, Run, on_each_shell};
use super::{LIST, URL, asked, cluster, fails, meanwhile, silence, without};
use crate::script;

/// Where something takes connections is a line of the file `ears`.
const CURL: &str = r#"
for word; do url=$word; done
url=${url%/}
if grep -qxF "${url#http://}" ears; then echo 0.000123; exit 28; fi
echo 0.000000
exit 7"#;

/// Member 3 answers clients at the endpoint 3 while there is an `at-3`.
fn host(bench: &Bench) {
    cluster(bench);
    bench.write("list", &LIST.replace("https://10.0.0.3:2379", "3"));
    bench.program("curl", CURL);
    bench.write("ears", "");
}

fn leave(bench: &Bench, leaver: &str) -> Run<'static> {
    let etcdctl = bench.arg("etcdctl");
    let args = [etcdctl.as_str(), "ca", "cert", "key", "c3", leaver, URL, "20", "1", "2"];
    Run::unguarded(script::REMOVE_LISTED, &args)
}

#[test]
fn a_failed_member_is_removed_once() {
    on_each_shell(|bench| {
        host(bench);
        assert_eq!(bench.done(&leave(bench, "failed")), "changed");
        assert_eq!(bench.done(&leave(bench, "failed")), "already");
        assert_eq!(asked(bench), ["1 remove c3"]);
    });
}

#[test]
fn one_that_answers_a_client_has_not_failed() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("at-3", "195 0 100");
        let said = fails(&bench.run(&leave(bench, "failed")));
        assert_eq!(said, "refused member c3 answers at 3, so it has not failed: plan again\n");
        assert_eq!(asked(bench), [""; 0]);
    });
}

/// Cut off from us, or hanging: the others may count on it.
#[test]
fn one_that_listens_for_its_peers_has_not_failed() {
    on_each_shell(|bench| {
        host(bench);
        let elsewhere = LIST.replace(URL, "https://10.0.0.3:2390");
        for (list, place) in [(LIST, "10.0.0.3:2380"), (&elsewhere, "10.0.0.3:2390")] {
            bench.write("list", list);
            bench.write("ears", &format!("{place}\n"));
            let said = fails(&bench.run(&leave(bench, "failed")));
            let why = format!("refused something still listens at https://{place}, ");
            assert!(said.starts_with(&why), "{said}");
            assert_eq!(asked(bench), [""; 0]);
        }
        // It ends soon after each start.
        meanwhile(bench, ": >ears");
        assert_eq!(bench.done(&leave(bench, "failed")), "changed");
    });
}

/// The machine's own curl, and a bash where there is none, ask a port that takes connections and says nothing.
#[test]
fn a_silent_process_that_takes_connections_counts_as_listening() {
    on_each_shell(|bench| {
        host(bench);
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", silent.local_addr().unwrap());
        bench.write("list", &bench.read("list").replace(URL, &url));
        let run = || leave(bench, "failed").set("urls", &url);
        std::fs::remove_file(bench.path("bin/curl")).unwrap();
        assert!(fails(&bench.run(&run())).contains(&url));
        let without_curl = script::REMOVE_LISTED.replace("command -v curl", "command -v no-curl");
        let run = Run { script: &without_curl, ..run() };
        assert!(fails(&bench.run(&run)).contains(&url));
        assert_eq!(asked(bench), [""; 0]);
        drop(silent);
        assert_eq!(bench.done(&run), "changed");
    });
}

/// Nobody here knows its host, so nothing was seen of it.
#[test]
fn a_stray_goes_as_one_that_serves_or_as_one_that_failed() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("at-3", "195 195 100");
        bench.write("at-2", "178 195 100");
        assert_eq!(bench.done(&leave(bench, "stray")), "changed");
        assert_eq!(asked(bench), ["3 move-leader b2", "1 remove c3"]);

        host(bench);
        std::fs::remove_file(bench.path("at-3")).unwrap();
        bench.write("ears", "10.0.0.3:2380\n");
        let said = fails(&bench.run(&leave(bench, "stray")));
        assert!(said.starts_with("refused something still listens"), "{said}");
        bench.write("ears", "");
        assert_eq!(bench.done(&leave(bench, "stray")), "changed");
    });
}

#[test]
fn a_learner_that_never_started_goes() {
    on_each_shell(|bench| {
        host(bench);
        without(bench, "c3");
        bench.write("list", &format!("{}c3, unstarted, , {URL}, , true\n", bench.read("list")));
        assert_eq!(bench.done(&leave(bench, "no-vote")), "changed");
    });
}

#[test]
fn one_that_got_a_vote_since_the_plan_is_not_removed_as_a_learner() {
    on_each_shell(|bench| {
        host(bench);
        let said = fails(&bench.run(&leave(bench, "no-vote")));
        assert_eq!(said, "refused member c3 has a vote by now: plan again\n");
        assert_eq!(asked(bench), [""; 0]);
    });
}

#[test]
fn one_that_serves_and_follows_is_removed_as_it_is() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("at-3", "195 178 100");
        assert_eq!(bench.done(&leave(bench, "serves")), "changed");
        assert_eq!(asked(bench), ["1 remove c3"]);
        assert_eq!(bench.done(&leave(bench, "serves")), "already");
    });
}

/// A learner and one that follows nobody are passed over.
#[test]
fn a_leader_hands_over_before_it_is_removed() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("at-3", "195 195 100");
        bench.write("at-1", "161 195 100 true");
        bench.write("at-2", "178 195 100");
        assert_eq!(bench.done(&leave(bench, "serves")), "changed");
        assert_eq!(asked(bench), ["3 move-leader b2", "1 remove c3"]);
    });
}

#[test]
fn a_leader_that_does_not_hand_over_is_not_removed() {
    on_each_shell(|bench| {
        host(bench);
        bench.write("keeps", "");
        bench.write("at-3", "195 195 100");
        for (others, why) in [
            (["161 195 100", "178 195 100"], "over: Error: etcdserver: request timed out\n"),
            (["161 195 100 true", "178 161 100"], "over: no other voter answers that follows it\n"),
        ] {
            bench.write("at-1", others[0]);
            bench.write("at-2", others[1]);
            let said = fails(&bench.run(&leave(bench, "serves")));
            assert!(said.starts_with("refused member c3 leads, ") && said.ends_with(why), "{said}");
        }
        assert!(bench.read("list").contains("c3, "));
        assert!(!asked(bench).iter().any(|asked| asked.contains("remove")));
    });
}

/// The order of removals and joins was another one for a member that failed.
#[test]
fn one_that_was_to_serve_and_is_silent_is_not_removed() {
    on_each_shell(|bench| {
        host(bench);
        let said = fails(&bench.run(&leave(bench, "serves")));
        assert!(said.starts_with("refused member c3 no longer answers"), "{said}");
        // Its address is another member's by now.
        bench.write("at-3", "161 178 100");
        fails(&bench.run(&leave(bench, "serves")));
        assert_eq!(asked(bench), [""; 0]);
        // It was only busy.
        silence(bench, "3");
        meanwhile(bench, "echo '195 178 100' >at-3");
        assert_eq!(bench.done(&leave(bench, "serves")), "changed");
    });
}
