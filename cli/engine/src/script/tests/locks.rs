//! The lock, the fence and the journal.

use super::bench::{Bench, Run, mode, on_each_shell};
use crate::script::{LOCK_BREAK, LOCK_KEEP, LOCK_TAKE, RECORD_APPLY, REGISTER_HOST};

pub(super) fn take<'a>(bench: &Bench, nonce: &str, owner: &str) -> Run<'a> {
    let (lock, journal) = (bench.arg("lock"), bench.arg("journal"));
    let words =
        [lock, "60".into(), nonce.into(), owner.into(), "noon".into(), "a why".into(), journal];
    Run::unguarded(LOCK_TAKE, &words)
}

fn text(bench: &Bench, run: &Run<'_>) -> (i32, String) {
    let reply = bench.run(run);
    (reply.status, String::from_utf8(reply.stdout).unwrap())
}

/// Puts another value behind a key of the lock.
fn set(bench: &Bench, key: &str, value: &str) {
    let line = |line: &str| match line.split_once(' ') {
        Some((found, _)) if found == key => format!("{key} {value}\n"),
        _ => format!("{line}\n"),
    };
    let lock: String = bench.read("lock").lines().map(line).collect();
    bench.write("lock", &lock);
}

/// A step that claims the host, fenced by a generation.
fn fenced<'a>(bench: &Bench, generation: &str) -> Run<'a> {
    let run = Run::unguarded(REGISTER_HOST, &[bench.arg("site"), "prod".to_owned()]);
    let run = run.set("fence", bench.arg("lock")).set("turn", generation);
    run.set("journal", bench.arg("journal")).set("entry", r#"{"step":"etcd-1/register-host""#)
}

#[test]
fn one_takes_the_lock_and_another_is_told_who_has_it() {
    on_each_shell(|bench| {
        assert_eq!(text(bench, &take(bench, "n1", "ann@a")), (0, "generation 1\nchanged\n".into()));
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        assert_eq!(status, 80);
        assert!(said.starts_with("refused n1 "), "{said}");
        assert!(said.ends_with(" ann@a holds the lock since noon: a why\n"), "{said}");
        // Its holder may take it again, without a new generation.
        let (status, said) = text(bench, &take(bench, "n1", "ann@a"));
        assert_eq!((status, said.contains("generation 1")), (0, true), "{said}");
    });
}

#[test]
fn a_refused_run_does_not_wait_for_the_holder_s_steps() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let mut step = std::process::Command::new("flock")
            .args(["-F", "-s", &bench.arg("lock.flock"), "sleep", "20"])
            .spawn()
            .unwrap();
        let started = std::time::Instant::now();
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        step.kill().unwrap();
        step.wait().unwrap();
        assert!(status == 80 && said.starts_with("refused n1 "), "{said}");
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    });
}

/// A script of a run that has ended, which would continue for a minute: it has the lock's file open as steps do.
fn orphan(bench: &Bench) -> std::process::Child {
    let ready = bench.path("orphan");
    let hold =
        format!("exec 9>>'{}'; flock -s 9; : >orphan; exec sleep 60", bench.arg("lock.flock"));
    let child = std::process::Command::new("sh")
        .args(["-c", &hold])
        .current_dir(ready.parent().unwrap())
        .spawn()
        .unwrap();
    while !ready.exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::fs::remove_file(ready).unwrap();
    child
}

/// Nobody listens to it any more: it neither continues for minutes nor keeps the next run from its work.
#[test]
fn what_a_run_gave_up_ends_when_it_gives_the_lock_back_and_when_the_next_takes_it() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let give_back = |nonce: &str| {
            let words = [bench.arg("lock"), "0".to_owned(), nonce.to_owned()];
            text(bench, &Run::unguarded(LOCK_KEEP, &words)).0
        };
        let mut running = orphan(bench);
        assert_eq!(give_back("n2"), 80);
        assert_eq!(running.try_wait().unwrap(), None, "a stranger ended it");
        assert_eq!(give_back("n1"), 0);
        running.wait().unwrap();
        // The run that left this one could not give its lock back: its lease ended.
        let mut running = orphan(bench);
        let started = std::time::Instant::now();
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        assert_eq!((status, said.as_str()), (0, "generation 2\nchanged\n"));
        running.wait().unwrap();
        assert!(started.elapsed().as_secs() < 15, "{:?}", started.elapsed());
    });
}

/// Two wait for the script of a third: the second one finds a holder, whose steps are its own.
#[test]
fn the_steps_of_a_run_that_took_the_lock_meanwhile_are_not_ended() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let held = bench.read("lock");
        std::fs::rename(bench.path("lock"), bench.path("held")).unwrap();
        let mut step = orphan(bench);
        let (held_by_ann, lock) = (bench.arg("held"), bench.arg("lock"));
        bench.program(
            "flock",
            &format!("case $* in '-w 5 7') cp '{held_by_ann}' '{lock}'; exit 1 ;; esac\nexec /usr/bin/flock \"$@\""),
        );
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        assert!(status == 80 && said.starts_with("refused n1 "), "{said}");
        assert_eq!(step.try_wait().unwrap(), None, "the step was ended");
        assert_eq!(bench.read("lock"), held);
        step.kill().unwrap();
        step.wait().unwrap();
    });
}

#[test]
fn taking_the_lock_sweeps_what_a_killed_run_left_beside_it() {
    on_each_shell(|bench| {
        for name in [".quorate-site.abcdef", ".quorate-lock.abcdef", ".quorate-site.keep", "site"] {
            bench.write(name, "half");
        }
        assert_eq!(text(bench, &take(bench, "n1", "ann@a")).0, 0);
        let left = [".quorate-site.keep", "lock", "lock.change", "lock.flock", "site"];
        assert_eq!(bench.entries(), left);
        // A run that is refused because of the holder leaves everything alone.
        bench.write(".quorate-site.abcdef", "half");
        assert_eq!(text(bench, &take(bench, "n2", "bob@b")).0, 80);
        assert_eq!(bench.entries().len(), left.len() + 1);
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
        // A script that the run gave up may begin late.
        let late = text(bench, &fenced(bench, "1"));
        assert_eq!(late, (80, "refused the lock of this host was released\n".to_owned()));
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        assert_eq!((status, said.as_str()), (0, "generation 2\nchanged\n"));
    });
}

#[test]
fn an_expired_lock_is_taken_over_and_said_so() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        set(bench, "until", "1");
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        assert_eq!(status, 0);
        assert!(said.starts_with("expired ann@a, since noon: a why\n"), "{said}");
        assert!(said.contains("generation 2\n"), "{said}");
    });
}

/// A lease that lapsed is still its run's until another takes the lock; from then on its scripts do nothing.
#[test]
fn a_script_of_a_lapsed_lease_runs_until_another_run_takes_the_lock() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        set(bench, "until", "1");
        assert_eq!(text(bench, &fenced(bench, "1")), (0, "changed\n".to_owned()));
        std::fs::remove_file(bench.path("site")).unwrap();
        assert_eq!(bench.run(&take(bench, "n2", "bob@b")).status, 0);
        let (status, said) = text(bench, &fenced(bench, "1"));
        assert_eq!(status, 80, "{said}");
        assert!(said.contains("took the lock of this host over: bob@b"), "{said}");
        assert!(!bench.path("site").exists());
        // The second run's lease may lapse as well: that does not give the lock back to the first run.
        set(bench, "until", "1");
        assert_eq!(text(bench, &fenced(bench, "1")).0, 80);
        assert_eq!(text(bench, &fenced(bench, "2")).0, 0);
    });
}

#[test]
fn a_lease_is_counted_from_the_boot_and_by_no_clock_that_is_set() {
    on_each_shell(|bench| {
        let up = || {
            let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
            uptime.split('.').next().unwrap().parse::<u64>().unwrap()
        };
        let before = up();
        bench.run(&take(bench, "n1", "ann@a"));
        let lock = bench.read("lock");
        let until = lock.lines().find_map(|line| line.strip_prefix("until ")).unwrap();
        let until: u64 = until.parse().unwrap();
        assert!((before + 60..=up() + 60).contains(&until), "{until}, and {before} is now");
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
        set(bench, "boot", "another");
        assert_eq!(text(bench, &take(bench, "n2", "bob@b")).0, 0);
    });
}

/// The run whose lock it is may wait for this very host to come back.
#[test]
fn a_lock_of_before_the_reboot_is_still_its_run_s_for_a_lease() {
    let word = "60 - uptime";
    assert!(LOCK_TAKE.contains(word));
    let soon: &'static str = LOCK_TAKE.replace(word, "99999999999 - uptime").leak();
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        set(bench, "boot", "another");
        let mut other = take(bench, "n2", "bob@b");
        other.script = soon;
        let (status, said) = text(bench, &other);
        assert!(status == 80 && said.starts_with("refused n1 "), "{said}");
        // What was given back before is free at once.
        set(bench, "until", "0");
        assert_eq!(text(bench, &other).0, 0);
    });
}

#[test]
fn a_renewal_that_comes_after_the_lock_was_given_back_does_not_lock_it_again() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let keep = |seconds: &str| {
            let words = [bench.arg("lock"), seconds.to_owned(), "n1".to_owned()];
            text(bench, &Run::unguarded(LOCK_KEEP, &words)).0
        };
        assert_eq!(keep("0"), 0);
        assert_eq!(keep("60"), 80);
        assert_eq!(keep("0"), 0);
        assert_eq!(text(bench, &take(bench, "n2", "bob@b")).0, 0);
    });
}

#[test]
fn a_lock_that_is_renewed_after_a_reboot_is_of_the_new_boot() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let lock = bench.read("lock");
        set(bench, "boot", "another");
        let words = [bench.arg("lock"), "60".to_owned(), "n1".to_owned()];
        assert_eq!(text(bench, &Run::unguarded(LOCK_KEEP, &words)).0, 0);
        let boot =
            |text: &str| text.lines().find(|line| line.starts_with("boot")).map(str::to_owned);
        assert_eq!(boot(&bench.read("lock")), boot(&lock));
        let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
        assert!(status == 80 && said.starts_with("refused n1 "), "{said}");
    });
}

/// What is not understood is somebody's, for all that is known; `quorate unlock` would not guess
/// either.
#[test]
fn a_lock_that_cannot_be_read_is_not_taken() {
    let sound = "generation 7\nnonce n1\nuntil 0\nboot -\nowner a\nsince s\nwhy w\n";
    let broken = [
        String::new(),
        "\n\n\n".to_owned(),
        "\0\0\0\0".to_owned(),
        sound[..sound.len() / 2].to_owned(),
        sound.replace("generation 7", "generation "),
        sound.replace("generation 7", "generation 7 8"),
        sound.replace("generation 7", "generation 7a"),
        sound.replace("generation 7", "generation -7"),
        sound.replace("generation 7", &format!("generation {}", "9".repeat(40))),
        sound.replace("generation 7", "generation 1+1"),
        sound.replace("generation 7\n", ""),
        sound.replace("until 0", "until "),
        sound.replace("until 0", "until 0x10"),
        sound.replace("until 0", &format!("until {}", "9".repeat(40))),
        sound.replace("until 0", "until $(touch canary)"),
        sound.replace("until 0\n", ""),
        sound.replace("why w\n", ""),
        sound.replace("why w\n", "why w"),
    ];
    on_each_shell(|bench| {
        for lock in &broken {
            bench.write("lock", lock);
            let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
            assert_eq!(status, 1, "{lock:?}: {said}");
            assert!(said.contains("is not a valid lock file"), "{lock:?}: {said}");
            assert_eq!(&bench.read("lock"), lock);
            let (status, said) = text(bench, &fenced(bench, ""));
            assert_ne!(status, 0, "{lock:?}: {said}");
            assert!(!bench.path("site").exists() && !bench.path("canary").exists());
        }
        bench.write("lock", sound);
        assert_eq!(text(bench, &take(bench, "n2", "bob@b")).0, 0);
    });
}

/// Whatever stands in the fields that are only words, none of it is run or ends a line.
#[test]
fn the_words_of_a_lock_are_words() {
    let hostile = ["$(touch canary)", "`touch canary`", "%s%n%d\\n", "-n", "a\tb  c", "*", "'\""];
    on_each_shell(|bench| {
        for words in hostile {
            bench.run(&take(bench, "n1", words));
            let (status, said) = text(bench, &take(bench, "n2", "bob@b"));
            assert_eq!(status, 80, "{words}: {said}");
            let free = Run::unguarded(LOCK_BREAK, &[bench.arg("lock"), "free".to_owned()]);
            assert_eq!(bench.run(&free).status, 0, "{words}");
            assert!(!bench.path("canary").exists(), "{words}");
            assert_eq!(bench.read("lock").lines().count(), 7, "{words}");
        }
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
        let took = |line: &str| line.contains(",\"took_ms\":");
        let said: Vec<bool> = bench.read("journal").lines().map(took).collect();
        assert_eq!(said, [false, true, false, true]);
    });
}

/// A script that fails before its change reports that; after the change it reports that it is not sure.
#[test]
fn a_change_whose_folder_cannot_be_synced_is_not_reported_as_none() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        bench.program("sync", "exit 1");
        let early = bench.run(&fenced(bench, "1")).status;
        assert!(!bench.path("site").exists() && early != 83, "{early}");
        bench.program("sync", "[ ! -d \"$1\" ]");
        let (status, said) = text(bench, &fenced(bench, "1"));
        assert!(bench.path("site").exists() && status == 83, "{status} {said}");
        assert!(said.contains("site is in place, but its folder can't be synced"), "{said}");
    });
}

/// The journal has the duration of a step that takes a while.
#[test]
fn the_journal_says_how_long_a_step_took() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        bench.program("ln", "sleep 0.3; exec /bin/ln \"$@\"");
        bench.run(&fenced(bench, "1"));
        let journal = bench.read("journal");
        let (_, rest) = journal.lines().last().unwrap().split_once("\"took_ms\":").unwrap();
        let took: u64 = rest.split(',').next().unwrap().parse().unwrap();
        assert!((290..60_000).contains(&took), "{journal}");
    });
}

#[test]
fn a_journal_that_grew_long_keeps_its_newest_lines() {
    on_each_shell(|bench| {
        let lines = |many: u32| (1..=many).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>();
        bench.write("journal", &lines(20_000));
        bench.run(&take(bench, "n1", "ann@a"));
        assert_eq!(bench.read("journal"), lines(20_000));
        bench.write("journal", &lines(20_001));
        // A run that is refused cuts nothing: a step of the holder may be writing.
        assert_eq!(text(bench, &take(bench, "n2", "bob@b")).0, 80);
        assert_eq!(bench.read("journal"), lines(20_001));
        assert_eq!(text(bench, &take(bench, "n1", "ann@a")).0, 0);
        assert_eq!(format!("{}{}", lines(10_001), bench.read("journal")), lines(20_001));
        assert_eq!(mode(&bench.path("journal")), 0o600);
    });
}

#[test]
fn only_who_holds_the_lock_says_what_was_applied() {
    on_each_shell(|bench| {
        bench.run(&take(bench, "n1", "ann@a"));
        let record = |nonce: &str, text: &str| {
            let (lock, file, journal) =
                (bench.arg("lock"), bench.arg("applied"), bench.arg("journal"));
            let words = [lock.as_str(), nonce, &file, &journal, "{\"a\":\"$(id) b\"}"];
            bench.run(&Run::unguarded(RECORD_APPLY, &words).with(text.as_bytes())).status
        };
        assert_eq!(record("n1", "one"), 0);
        assert_eq!(record("n2", "two"), 80);
        assert_eq!(bench.read("applied"), "one");
        assert_eq!(mode(&bench.path("applied")), 0o600);
        // The first apply of all changed nothing: it is not remembered.
        assert_eq!(record("n2", ""), 80);
        assert_eq!(record("n1", ""), 0);
        let left = bench.entries();
        assert!(!left.iter().any(|name| name.contains("applied")), "{left:?}");
        assert_eq!(record("n1", ""), 0);
        assert_eq!(bench.read("journal"), "{\"a\":\"$(id) b\"}\n".repeat(3));
        assert_eq!(mode(&bench.path("journal")), 0o600);
    });
}
