//! A step is done on the machine that the plan was made for, and on no other.

use super::bench::{Bench, Run, on_each_shell};
use super::locks::take;
use crate::script::{LOCK_AGAIN, STORE_TOKEN};

const OTHER_ID: &str = "00000000000000000000000000000000";

/// What becomes of a step that is meant for this machine.
fn step(bench: &Bench, machine: &str) -> (i32, String) {
    let (id, address) = machine.split_once(' ').unwrap();
    let run = Run::unguarded(STORE_TOKEN, &[bench.arg("token")]).with(b"x");
    let run = run.set("machine", id).set("address", address).set("fence", bench.arg("lock"));
    let run = run.set("turn", 1).set("journal", bench.arg("journal")).set("entry", "{");
    let reply = bench.run(&run);
    (reply.status, String::from_utf8(reply.stdout).unwrap())
}

#[test]
fn another_machine_is_left_as_it_is_and_not_even_its_lock_is_opened() {
    on_each_shell(|bench| {
        bench.program("ip", r#"[ "$4" = 10.0.0.1 ] && echo "local 10.0.0.1 dev lo src 10.0.0.1""#);
        let before = bench.entries();
        let (status, said) = step(bench, &format!("{OTHER_ID} "));
        assert!(status == 80 && said.contains("its machine-id differs"), "{said}");
        let (status, said) = step(bench, " 10.0.0.2");
        assert!(status == 80 && said.contains("no longer has 10.0.0.2"), "{said}");
        assert_eq!(bench.entries(), before);
        bench.run(&take(bench, "n1", "ann@a"));
        assert_eq!(step(bench, " 10.0.0.1").0, 0);
        assert!(bench.path("token").exists());
    });
}

#[test]
fn a_lock_is_not_taken_again_on_another_machine() {
    on_each_shell(|bench| {
        let again = Run::unguarded(LOCK_AGAIN, &[bench.arg("lock"), "60".into(), "n1".into()]);
        let again = again.set("machine", OTHER_ID);
        let before = bench.entries();
        assert_eq!(bench.run(&again).status, 80);
        assert_eq!(bench.entries(), before);
    });
}
