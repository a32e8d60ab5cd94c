//! However large, deep or broken a file is: an answer, at once, and never a panic.

use std::time::Duration;

use inventories::{MAX_BYTES, Parsed, Source, includes, parse};

use crate::flags;

fn answer(text: String) -> Parsed {
    let source = Source::new("quorate.toml", text);
    includes(&source);
    parse(&source, &[], flags::CHECKS)
}

/// Runs on a stack as small as a thread of a library may have, and says how long that took the processor.
fn on_a_small_stack(text: String) -> (Parsed, Duration) {
    let thread = std::thread::Builder::new().stack_size(512 * 1024);
    let timed = || (answer(text), cpu_time());
    thread.spawn(timed).unwrap().join().expect("the stack is large enough")
}

/// How long this thread has been on a processor, however many others want one.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_hundred_megabytes_are_refused_at_once() {
    let text = "a = 1\n".repeat(100 * MAX_BYTES / 6);
    let started = cpu_time();
    let parsed = answer(text);
    let took = cpu_time() - started;
    assert!(took < Duration::from_millis(500), "{took:?}");
    assert_eq!(parsed.diagnostics[0].code, "file-too-large");
    assert_eq!(parsed.diagnostics.len(), 1);
}

#[test]
fn deep_nesting_of_every_kind_is_refused() {
    // Deep enough to overflow any stack, if one frame were used a level.
    let half = MAX_BYTES / 16;
    let deep = [
        format!("a = {}", "[".repeat(2 * half)),
        format!("a = {}{}", "[".repeat(half), "]".repeat(half)),
        format!("a = {}1", "{a=".repeat(half / 3)),
        format!("a = {}", "[{a=".repeat(half / 4)),
        format!("{}a = 1", "a.".repeat(half)),
        format!("[{}a]", "a.".repeat(half)),
        format!("[[{}a]]", "a.".repeat(half)),
        format!("x = {{ {}a = 1 }}", "a.".repeat(half)),
        "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = {".repeat(1_000),
    ];
    for text in deep {
        let begin: String = text.chars().take(20).collect();
        let (parsed, _) = on_a_small_stack(text);
        assert!(parsed.inventory.is_none(), "{begin}");
        assert!(!parsed.diagnostics.is_empty(), "{begin}");
    }
}

#[test]
fn a_file_of_mistakes_is_a_hundred_answers_in_seconds() {
    // A whole megabyte takes eight times as long, in a build without optimisation.
    const SIZE: usize = MAX_BYTES / 8;
    let fill = |line: &str| line.repeat(SIZE / line.len());
    let mut many_keys = String::from("[hosts]\n");
    for number in 0.. {
        let host = format!("H{number}.address=1\n");
        if many_keys.len() + host.len() > SIZE {
            break;
        }
        many_keys.push_str(&host);
    }
    let texts = [
        fill("x\n"),
        fill("a=1\n"),
        fill("[a]\n"),
        fill("\"\n"),
        fill("password=\n"),
        fill("AGE-SECRET-KEY-1 "),
        format!("a = \"{}\"", "x".repeat(MAX_BYTES - 10)),
        format!("a = [{}]", "1,".repeat(MAX_BYTES / 2 - 10)),
        many_keys,
    ];
    for text in texts {
        let begin: String = text.chars().take(20).collect();
        let (parsed, took) = on_a_small_stack(text);
        assert!(parsed.inventory.is_none(), "{begin}");
        assert!(parsed.diagnostics.len() <= 100, "{begin}");
        assert!(took < Duration::from_secs(20), "{begin}: {took:?}");
    }
}

#[test]
fn a_thousand_hosts_fit() {
    let hosts =
        |n: usize| format!("[hosts.h{n}]\naddress = \"10.0.{}.{}\"\n", n / 250, n % 250 + 1);
    let minimal = include_str!("../../examples/minimal.toml");
    let text = format!("{minimal}\n{}", (0..1_000).map(hosts).collect::<String>());
    let parsed = answer(text);
    assert_eq!(parsed.diagnostics, []);
    assert_eq!(parsed.inventory.unwrap().hosts.len(), 1_003);
}
