//! No thread sleeps while anything that it waits for has come already.

use crate::test_server::{Sshd, call};
use crate::{Target, connect};

/// Few enough that sshd drops none of them (`MaxStartups`), many enough that threads meet on a core.
const AT_ONCE: usize = 5;

/// Both streams in small pieces, which come while the other stream is being read; and runs that end
/// at once, so that openings, answers and closings of one session fall together.
const SCRIPTS: [&str; 4] = [
    "echo one; echo two >&2",
    "n=0; while [ \"$n\" -lt 100 ]; do echo \"$n\"; echo \"$n\" >&2; n=$((n + 1)); done",
    ":",
    "echo said >&2; exec >&2; echo more",
];

/// Logs in `times` times, runs scripts alone and side by side, and returns how often a thread
/// overslept.
async fn overslept(target: &Target, times: usize) -> u64 {
    let mut total = 0;
    for _ in 0..times / AT_ONCE {
        let mut tasks = Vec::new();
        for _ in 0..AT_ONCE {
            let target = target.clone();
            tasks.push(tokio::spawn(async move {
                let connection = connect(target).await.unwrap_or_else(|error| panic!("{error}"));
                connection.run(call(SCRIPTS[1])).await.unwrap();
                let [a, b, c, d] = SCRIPTS.map(|script| connection.run(call(script)));
                let (a, b, c, d) = tokio::join!(a, b, c, d);
                for reply in [a, b, c, d] {
                    assert_eq!(reply.unwrap().status, 0);
                }
                connection.counters().overslept
            }));
        }
        for task in tasks {
            total += task.await.unwrap();
        }
    }
    total
}

#[tokio::test]
async fn no_thread_sleeps_while_anything_is_queued() {
    let sshd = Sshd::start();
    assert_eq!(overslept(&sshd.target(), 60).await, 0);
}

#[tokio::test]
async fn no_thread_of_a_jump_sleeps_while_anything_is_queued() {
    let (gate, host) = (Sshd::start(), Sshd::start());
    let target = Target { jump: Some(Box::new(gate.target())), ..host.target() };
    assert_eq!(overslept(&target, 15).await, 0);
}
