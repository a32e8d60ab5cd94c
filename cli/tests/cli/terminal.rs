//! What a person sees of an apply on many hosts, on a real terminal of 80 columns.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use engine::event::Event;
use planner::StepId;
use planner::plan::Action;
use planner::progress::Outcome;
use quorate::report::human::Human;
use quorate::terminal::{ColorChoice, Terminal, Verbosity};
use rustix::termios::{Winsize, tcsetwinsize};

/// Tells the test that it is the one inside the terminal.
const INSIDE: &str = "QUORATE_TEST_INSIDE";
const HOSTS: usize = 50;
const STEPS: [&str; 3] = ["account", "main/certificates", "main/start"];

#[test]
fn an_apply_of_fifty_hosts_fits_its_terminal_also_after_a_resize() {
    if std::env::var_os(INSIDE).is_some() {
        return apply();
    }
    let name = "terminal::an_apply_of_fifty_hosts_fits_its_terminal_also_after_a_resize";
    let said = in_a_terminal(name, "xterm-256color");
    let (wide, narrow) = said.split_once("RESIZED").unwrap();
    for (part, width) in [(wide, 80), (narrow, 60)] {
        let drawn = drawn(part);
        assert!(drawn.len() > HOSTS, "{} lines were drawn", drawn.len());
        for line in drawn {
            assert!(line.chars().count() < width, "{line}");
        }
    }
    assert!(drawn(wide).iter().any(|line| line.contains("[0/150] 50 running: etcd-50/account")));

    // Each step that ended is one line that stays, and nothing else stays.
    let kept: Vec<String> = said.split('\n').map(kept).filter(|line| !line.is_empty()).collect();
    let ended = kept.iter().filter(|line| line.contains("done")).count();
    assert_eq!(ended, HOSTS * STEPS.len(), "{kept:#?}");
    assert_eq!(kept.len(), ended + 1, "{kept:#?}");
    assert!(kept.iter().all(|line| line.chars().count() < 80), "{kept:#?}");
}

#[test]
fn a_dumb_terminal_gets_lines_and_nothing_that_moves() {
    if std::env::var_os(INSIDE).is_some() {
        return apply();
    }
    let said = in_a_terminal("terminal::a_dumb_terminal_gets_lines_and_nothing_that_moves", "dumb");
    assert!(!said.contains('\u{1b}') && !said.replace("\r\n", "\n").contains('\r'), "{said:?}");
    assert_eq!(said.matches("] done ").count(), HOSTS * STEPS.len());
}

/// Runs this test again, inside a terminal, and gives what it wrote there.
fn in_a_terminal(test: &str, term: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let inside = format!("{} --exact {test} --nocapture", program.display());
    let mut script = Command::new("script");
    script.args(["-qec", &inside, "/dev/null"]).env(INSIDE, "1").env("TERM", term);
    script
        .env_remove("NO_COLOR")
        .env_remove("GITHUB_ACTIONS")
        .env_remove("CI")
        .stdin(Stdio::null());
    let output = script.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let (_, said) = said.split_once("BEGIN\r\n").unwrap();
    said.split_once("END").unwrap().0.to_owned()
}

/// An apply of three steps on each host, all hosts at once; the terminal shrinks on the way.
fn apply() {
    shape(80);
    let terminal = Terminal::new(ColorChoice::Auto, Verbosity::Normal);
    let mut human = Human::new(&terminal);
    terminal.say("BEGIN");
    human.event(&Event::Started { steps: HOSTS * STEPS.len() });
    for (round, step) in STEPS.iter().enumerate() {
        // Not in the order of their names.
        let ids: Vec<StepId> =
            (1..=HOSTS).rev().map(|host| format!("etcd-{host}/{step}").parse().unwrap()).collect();
        for id in &ids {
            human.event(&Event::StepStarted { id: id.clone(), action: Action::Create });
        }
        human.tick();
        if round == 1 {
            terminal.clear();
            shape(60);
            terminal.say("RESIZED");
        }
        for id in ids {
            let (outcome, elapsed) = (Outcome::Done, Duration::from_millis(1234));
            human.event(&Event::StepFinished { id, outcome, elapsed, note: None, error: None });
        }
    }
    terminal.say("END");
}

fn shape(columns: u16) {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(io::stderr(), size).unwrap();
}

/// Every line that was drawn over later.
fn drawn(said: &str) -> Vec<&str> {
    let ends = said.split("\u{1b}[K");
    ends.filter_map(|text| text.rsplit_once('\r'))
        .map(|(_, line)| line)
        .filter(|line| !line.is_empty())
        .collect()
}

/// What is left of a line when all that was drawn over is gone, without its colours.
fn kept(line: &str) -> String {
    let last = line.rsplit("\u{1b}[K").next().unwrap_or_default();
    let mut text = last.trim_end_matches('\r').to_owned();
    for colour in ["\u{1b}[32m", "\u{1b}[2m", "\u{1b}[0m"] {
        text = text.replace(colour, "");
    }
    text
}
