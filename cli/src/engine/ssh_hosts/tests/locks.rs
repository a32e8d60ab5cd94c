//! The lock, the fence and the journal.

use super::super::script::{CLAIM_HOST, LOCK_BREAK, LOCK_KEEP, LOCK_TAKE};
use super::bench::{Bench, Run, on_each_shell};

fn take<'a>(bench: &Bench, nonce: &str, owner: &str) -> Run<'a> {
    let words =
        [bench.arg("lock"), "60".into(), nonce.into(), owner.into(), "noon".into(), "a why".into()];
    let mut all = words.to_vec();
    all.push("c0ffee".to_owned());
    Run::unguarded(LOCK_TAKE, &all)
}

fn text(bench: &Bench, run: &Run<'_>) -> (i32, String) {
    let reply = bench.run(run);
    (reply.status, String::from_utf8(reply.stdout).unwrap())
}

/// A step that claims the host, fenced by a generation.
fn fenced<'a>(bench: &Bench, generation: &str) -> Run<'a> {
    let mut run = Run::unguarded(CLAIM_HOST, &[bench.arg("site"), "prod".to_owned()]);
    let entry = r#"{"step":"etcd-1/claim""#;
    run.fence = [bench.arg("lock"), generation.into(), bench.arg("journal"), entry.into()];
    run
}

#[test]
fn one_takes_the_lock_and_another_is_told_who_has_it() {
    on_each_shell(|bench| {
        assert_eq!(
            text(bench, &take(bench, "n1", "ann@a")),
            (0, "commit -\ngeneration 1\nchanged\n".into())
        );
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        assert_eq!(status, 80);
        assert!(said.starts_with("refused n1 "), "{said}");
        assert!(said.ends_with(" ann@a holds the lock since noon: a why\n"), "{said}");
        // Whoever has it may take it again, without a new generation.
        let (status, said) = text(bench, &take(bench, "n1", "ann@a"));
        assert_eq!((status, said.contains("generation 1")), (0, true), "{said}");
    });
}

#[test]
fn what_is_given_back_is_free_for_the_next_generation() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let keep = |seconds: &str, nonce: &str| {
            let words = [bench.arg("lock"), seconds.to_owned(), nonce.to_owned()];
            text(bench, &Run::unguarded(LOCK_KEEP, &words)).0
        };
        assert_eq!(keep("60", "n1"), 0);
        assert_eq!(keep("60", "n2"), 80, "a stranger renewed the lock");
        assert_eq!(keep("0", "n1"), 0);
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        assert_eq!((status, said.as_str()), (0, "commit c0ffee\ngeneration 2\nchanged\n"));
    });
}

#[test]
fn an_expired_lock_is_taken_over_and_said_so() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let lock = bench.read("lock");
        let expired = lock.lines().map(|line| {
            if line.starts_with("until") { "until 1\n".to_owned() } else { format!("{line}\n") }
        });
        bench.write("lock", &expired.collect::<String>());
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        assert_eq!(status, 0);
        assert!(said.starts_with("expired ann@a, since noon: a why\n"), "{said}");
        assert!(said.contains("generation 2\n"), "{said}");
    });
}

#[test]
fn only_the_lock_of_the_run_that_is_over_is_broken() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let free = |nonce: &str| {
            let words = [bench.arg("lock"), nonce.to_owned()];
            bench.run(&Run::unguarded(LOCK_BREAK, &words));
            text(bench, &take(bench, "n2", "bob@b")).0
        };
        assert_eq!(free("n9"), 80);
        assert_eq!(free("n1"), 0);
    });
}

#[test]
fn a_lock_of_before_the_reboot_holds_nobody_up() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let lock = bench.read("lock");
        let before = lock.lines().map(|line| {
            if line.starts_with("boot") { "boot another\n".to_owned() } else { format!("{line}\n") }
        });
        bench.write("lock", &before.collect::<String>());
        assert_eq!(text(bench, &take(bench, "n2", "bob@b")).0, 0);
    });
}

#[test]
fn a_step_of_an_older_generation_does_nothing() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        bench.run(&Run::unguarded(LOCK_BREAK, &[bench.arg("lock"), "free".to_owned()]));
        bench.run(&take(bench, "n2", "bob@b"));
        let (status, said) = text(bench, &fenced(bench, "1"));
        assert_eq!(status, 80);
        assert!(said.contains("took the lock of this host over: bob@b"), "{said}");
        assert!(!bench.path("site").exists());
        assert_eq!(text(bench, &fenced(bench, "3")).0, 0);
    });
}

#[test]
fn the_journal_has_a_line_when_a_step_begins_and_one_when_it_ends() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        bench.run(&fenced(bench, "1"));
        bench.run(&fenced(bench, "1"));
        let outcomes: Vec<String> = bench
            .read("journal")
            .lines()
            .map(|line| line.rsplit('"').nth(1).unwrap_or_default().to_owned())
            .collect();
        assert_eq!(outcomes, ["begun", "done", "begun", "already"]);
    });
}
