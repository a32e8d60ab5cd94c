//! No script may wait for longer than its call: it would be cut off in the middle of its work, and nobody
//! would hear what it found. Each says beside its waiting how long that is, and its call adds it up.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::script::{self, waits};

/// systemd's time for a stop, where a unit sets none.
const STOP: f64 = 90.0;
/// One question by etcdctl: connecting, and the answer.
const QUESTION: f64 = 5.0;
/// The others of a cluster.
const OTHERS: f64 = 8.0;
/// Functions that many scripts have, as long as they wait at most.
const SHARED: [(&str, f64); 8] = [
    ("serves", QUESTION),
    ("sizes", QUESTION),
    ("changing", 20.0),
    ("alone", 20.0),
    ("outlive", 45.0),
    ("hear", OTHERS * 3.0 * QUESTION),
    ("list_at", 3.0 * QUESTION),
    ("see_to", OTHERS * 3.0 * QUESTION + 4.0 * QUESTION + 1.0),
];

/// The longest that a script waits, as far as its lines say it in numbers: those of a function as often as it is
/// called. A wait whose length is an argument is not one of them.
fn seen_in(text: &str) -> f64 {
    let mut functions: BTreeMap<&str, f64> = SHARED.into();
    let (mut outside, mut inside): (Vec<&str>, Option<(&str, Vec<&str>)>) = (Vec::new(), None);
    for line in text.lines() {
        if let Some(name) = line.strip_suffix("() {") {
            inside = Some((name, Vec::new()));
        } else if line == "}" {
            if let Some((name, body)) = inside.take() {
                let cost = seen_in_lines(&body, &functions);
                functions.insert(name, cost);
            }
        } else {
            inside.as_mut().map_or(&mut outside, |(_, body)| body).push(line);
        }
    }
    seen_in_lines(&outside, &functions)
}

/// Whether a line calls a function, as a command or within a condition.
fn calls(line: &str, name: &str) -> bool {
    line.split([';', '|', '(', '!', '&']).any(|command| {
        let words = command.trim().trim_start_matches("if ").trim_start_matches("while ");
        words.split(' ').next() == Some(name)
    })
}

fn seen_in_lines(lines: &[&str], functions: &BTreeMap<&str, f64>) -> f64 {
    let (mut total, mut rounds) = (0.0, Vec::new());
    for line in lines.iter().map(|line| line.trim()).filter(|line| !line.starts_with('#')) {
        if line.starts_with("while ") || line.starts_with("until ") {
            // A loop whose end is an argument waits for as long as that argument says.
            rounds.push(number_after(line, "-lt ").unwrap_or(0.0));
        } else if line.starts_with("for ") {
            rounds.push(if line == "for other; do" || line == "for endpoint; do" {
                OTHERS
            } else {
                1.0
            });
        }
        let times: f64 = rounds.iter().product();
        for (word, cost) in [
            ("sleep ", number_after(line, "sleep ")),
            ("timeout ", number_after(&line.replace("-timeout ", ""), "timeout ")),
            ("-w ", number_after(line, "flock -w ").or(number_after(line, "flock -s -w "))),
        ] {
            if line.contains(word) {
                total += cost.unwrap_or(0.0) * times;
            }
        }
        let blocks = ["stop", "restart", "start"].iter().any(|verb| {
            line.contains(&format!("systemctl {verb} \"")) && !line.contains("--no-block")
        });
        if blocks {
            total += STOP * times;
        }
        if line.contains("ask $tools") || line.contains("ask_plain $tools") {
            total += QUESTION * times;
        }
        total += number_after(line, "--command-timeout=").unwrap_or(0.0) * times;
        // Any member answers for all, or all side by side; but their status is asked of one after the other.
        let asked =
            if line.contains("$everywhere\" -w json endpoint status") { OTHERS + 1.0 } else { 1.0 };
        let called = functions.iter().filter(|(name, _)| calls(line, name));
        total += called.map(|(_, cost)| cost * asked * times).sum::<f64>();
        if line == "done" || line.starts_with("done ") {
            rounds.pop();
        }
    }
    total
}

fn number_after(line: &str, word: &str) -> Option<f64> {
    let rest = line.split_once(word)?.1;
    rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.parse().ok()
}

#[test]
fn every_script_says_how_long_it_waits_and_its_call_lasts_longer() {
    // Functions that many scripts have and few call; who calls them says what they wait.
    const LIBRARIES: [&str; 9] = [
        "alarms",
        "preamble",
        "members",
        "others",
        "pods",
        "lock",
        "discovery",
        "facts",
        "database",
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/script/sh");
    let (mut looked_at, mut too_short) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if LIBRARIES.contains(&name.as_str()) || name == "cost" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let (said, seen) = (waits(&text), seen_in(&text));
        if said.as_secs_f64() < seen {
            too_short.push(format!("{name} says {said:?} and waits {seen} s"));
        }
        looked_at += usize::from(seen > 0.0);
    }
    assert_eq!(too_short, Vec::<String>::new());
    assert!(looked_at > 8, "{looked_at} scripts were seen to wait");
}

#[test]
fn a_call_lasts_as_long_as_all_that_its_script_waits_for() {
    for script in super::lint::ALL {
        let call = crate::script::call::call(script, Default::default(), remote::Payload::new());
        assert!(call.deadline > waits(script) + Duration::from_secs(30));
    }
    // The one that was cut off: it waits for a unit, then for a pod.
    let waited = waits(script::DISCARD_BOOTSTRAP);
    assert!(waited >= Duration::from_secs(90 + 30), "{waited:?}");
}

/// A deadline set manually is forgotten when the script learns to wait.
#[test]
fn deadlines_of_steps_are_set_in_one_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/steps");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("deadline:"), "{} sets a deadline", path.display());
    }
}
