//! Scripts that do what they should.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::frame::hex;
use crate::test_server::{Sshd, call, run};
use crate::{Call, FrameError, Payload, RemoteError, Target, connect};

/// What a value may be and a shell might trip over.
pub(super) fn hostile() -> Vec<String> {
    let mut values: Vec<String> = [
        "",
        " ",
        "'",
        "''",
        "a'b",
        "\"",
        "\\",
        "\\'",
        "$(touch /tmp/pwned)",
        "`id`",
        "$HOME",
        "${IFS}",
        "!!",
        "*",
        "?",
        "[a-z]",
        "~",
        "#",
        "&",
        "|",
        ";",
        "<",
        ">",
        "(",
        ")",
        "{",
        "}",
        "-n",
        "-e",
        "--",
        "-oProxyCommand=id",
        "a\nb",
        "\n",
        "a\n",
        "\r\n",
        "\t",
        "%s%n%d",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{81}\u{88}",
        "\u{202e}rtl",
        "é",
        "日本語",
        "'; exit 7; '",
        "$'\\n'",
        "EOF",
        "}\nquorate_script() { :; }",
        "{{ template }}",
        "../../etc/passwd",
        "\u{fffd}",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("x".repeat(50_000));
    values.push((1u8..=127).map(char::from).collect());
    values
}

#[tokio::test]
async fn a_script_gets_its_arguments_and_gives_back_output_and_status() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let asked = Call {
        args: vec!["one two".to_owned(), "3".to_owned()],
        ..call("printf '%s|' \"$@\"; pwd; umask; echo oops >&2; exit \"$2\"")
    };
    let reply = connection.run(asked).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&reply.stdout), "one two|3|/\n0077\n");
    assert_eq!((reply.status, reply.stderr.as_str()), (3, "oops"));
}

#[tokio::test]
async fn hostile_arguments_arrive_as_they_are() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let args = hostile();
    let expected: String = args.iter().map(|arg| format!("{arg}\u{1}")).collect();
    let reply = connection.run(Call { args, ..call("printf '%s\\001' \"$@\"") }).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&reply.stdout), expected);
    assert!(!std::path::Path::new("/tmp/pwned").exists());
}

#[tokio::test]
async fn an_argument_with_nul_is_refused() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let asked = Call { args: vec!["a\0b".to_owned()], ..call("true") };
    assert!(matches!(connection.run(asked).await, Err(RemoteError::Argument(_))));
}

#[tokio::test]
async fn a_large_payload_arrives_whole_and_in_order() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let large: Vec<u8> =
        (0..30_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let sum = hex(&Sha256::digest(&large));
    let payload = Payload::new()
        .with(*b"echo this is not run\n\0")
        .with(Arc::<[u8]>::from(large))
        .with_secret(Zeroizing::new(b"s3cret\n".to_vec()));
    let script = r#"recv "$blob1" | od -An -c | tr -d ' \n'; recv "$blob2" | sha256sum; recv "$blob3"; whole && echo whole"#;
    let started = Instant::now();
    let reply = connection.run(Call { payload, ..call(script) }).await.unwrap();
    let said = String::from_utf8_lossy(&reply.stdout);
    assert_eq!(
        said,
        format!("echothisisnotrun\\n\\0{sum}  -\ns3cret\nwhole\n"),
        "{}",
        reply.stderr
    );
    assert!(connection.counters().bytes_out > 30_000_000);
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_script_may_leave_its_payload_unread() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let payload = Payload::new().with(vec![b'x'; 10_000_000]);
    let reply = connection.run(Call { payload, ..call("echo enough") }).await.unwrap();
    assert_eq!(reply.stdout, b"enough\n");
}

#[tokio::test]
async fn megabytes_on_stderr_do_not_stop_the_reply() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let script = "head -c 5000000 /dev/zero | tr '\\0' e >&2; printf '\\033[31mlast words\\033[0m\\n' >&2; echo done; exit 1";
    let reply = run(&connection, script).await.unwrap();
    assert_eq!(reply.stdout, b"done\n");
    assert!(reply.stderr.ends_with("elast words"), "{}", &reply.stderr[reply.stderr.len() - 40..]);
    assert!(reply.stderr.len() < 10_000);
}

#[tokio::test]
async fn output_is_kept_to_the_byte() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    for (script, expected) in [
        (":", ""),
        ("echo", "\n"),
        ("printf 'a\\n\\n\\n'", "a\n\n\n"),
        ("printf '.'", "."),
        ("printf '\\n0.'", "\n0."),
        ("printf 'é\\201\\210'", "é\u{fffd}\u{fffd}"),
    ] {
        let reply = run(&connection, script).await.unwrap();
        assert_eq!(
            (reply.status, String::from_utf8_lossy(&reply.stdout).as_ref()),
            (0, expected),
            "{script}"
        );
    }
}

#[tokio::test]
async fn a_reply_may_be_as_long_as_its_limit_and_no_longer() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let script = "head -c \"$1\" /dev/zero | tr '\\0' x";
    let asked = |bytes: &str| Call { args: vec![bytes.to_owned()], ..call(script) };
    let reply = connection.run(asked("1048576")).await.unwrap();
    assert_eq!(reply.stdout.len(), 1024 * 1024);
    for too_long in ["1048577", "3000000", "1000000000"] {
        match connection.run(asked(too_long)).await {
            Err(RemoteError::Frame { why: FrameError::TooLong { limit: 1_048_576 }, .. }) => {}
            other => panic!("{too_long}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn runs_go_on_side_by_side_on_one_connection() {
    let sshd = Sshd::start();
    let connection = sshd.connect().await;
    let started = Instant::now();
    let (slow, quick) = tokio::join!(run(&connection, "sleep 3; echo slow"), async {
        let reply = run(&connection, "echo quick").await;
        (reply, started.elapsed())
    });
    assert_eq!(slow.unwrap().stdout, b"slow\n");
    assert_eq!(quick.0.unwrap().stdout, b"quick\n");
    assert!(quick.1 < Duration::from_secs(3));
    let counters = connection.counters();
    assert_eq!((counters.connections, counters.execs), (1, 2));
}

#[tokio::test]
async fn runs_wait_for_a_server_that_allows_few_at_once() {
    for allowed in 1..=2 {
        let sshd = Sshd::with(&format!("MaxSessions {allowed}"));
        let connection = sshd.connect().await;
        let spawn = |_| {
            let connection = connection.clone();
            tokio::spawn(async move { run(&connection, "sleep 0.2; echo done").await })
        };
        for run in (0..5).map(spawn).collect::<Vec<_>>() {
            assert_eq!(run.await.unwrap().unwrap().stdout, b"done\n");
        }
    }
}

#[tokio::test]
async fn a_connection_that_waits_costs_no_processor_time() {
    let sshd = Sshd::start();
    let target = Target { host: "localhost".to_owned(), ..sshd.target() };
    sshd.know(&format!("[localhost]:{} {}", sshd.port, sshd.host_key("ed25519")));
    let connection = connect(target).await.unwrap();
    let before = cpu_time("(ssh localhost)");
    run(&connection, "sleep 6").await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    let spent = cpu_time("(ssh localhost)") - before;
    assert!(spent < Duration::from_millis(300), "{spent:?}");
    assert!(run(&connection, "true").await.is_ok());
}

/// Processor time of this process's thread of that name, of which there is one.
fn cpu_time(name: &str) -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    let stat = stats.into_iter().find(|stat| stat.contains(name)).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
