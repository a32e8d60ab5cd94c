//! Tries the seeded bugs of `tests/mutants/`, all of them or those that are named, and prints who caught
//! each. `./dev mutants` runs it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use quorate_tests::mutants::trial::{Copy, Verdict};
use quorate_tests::mutants::{self, Mutant};

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    match run(&names) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&format!("mutants: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether every mutant was caught.
fn run(names: &[String]) -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let all = mutants::all(&root)?;
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|m| m.name != **name)) {
        let known: Vec<&str> = all.iter().map(|mutant| mutant.name.as_str()).collect();
        return Err(format!("there is no mutant {unknown}; there are: {}", known.join(", ")));
    }
    let mut chosen: Vec<&Mutant> =
        all.iter().filter(|m| names.is_empty() || names.contains(&m.name)).collect();
    // Those of one test program after each other, so that the rest is built seldom.
    chosen.sort_by_key(|mutant| (&mutant.catcher.package, &mutant.catcher.target, &mutant.file));
    let started = Instant::now();
    let copy = Copy::sync(&root, &folder(&root)).map_err(|error| error.to_string())?;
    say("the tests, without a bug");
    let wrong = copy.sound(&chosen);
    if !wrong.is_empty() {
        return Err(format!("a test that fails anyway catches nothing:\n{}", wrong.join("\n")));
    }
    let mut caught = 0;
    for mutant in &chosen {
        let verdict = copy.try_out(mutant).map_err(|error| error.to_string())?;
        caught += usize::from(verdict == Verdict::Caught);
        say(&line(mutant, &verdict));
    }
    let seconds = started.elapsed().as_secs();
    say(&format!("{caught}/{} mutants caught, in {seconds} s", chosen.len()));
    Ok(caught == chosen.len())
}

fn line(mutant: &Mutant, verdict: &Verdict) -> String {
    let test = &mutant.catcher.test;
    match verdict {
        Verdict::Caught => format!("caught    {} by {test}", mutant.name),
        Verdict::Survived => format!("SURVIVED  {}: {test} passes over it", mutant.name),
        Verdict::Void(why) => format!("VOID      {}: {why}", mutant.name),
    }
}

fn folder(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| root.join("target")).join("mutants")
}

fn say(line: &str) {
    // The reader that closed the pipe wants no more of it.
    let _ = writeln!(io::stdout(), "{line}");
}
