//! Trying a mutant: a copy of the working tree, its change, and the one test that must fail.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Catcher, Mutant};

/// Seconds after which a build, or a test, is given up.
const PATIENCE: &str = "3600";

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its test failed.
    Caught,
    /// Its test passed over it.
    Survived,
    /// Nothing was learnt: the mutant does not fit, does not build, or its test did not run.
    Void(String),
}

/// A copy of the working tree, with a target folder of its own: what is built with a bug in it must
/// not be taken for the product.
#[derive(Debug)]
pub struct Copy {
    tree: PathBuf,
    target: PathBuf,
    log: PathBuf,
}

impl Copy {
    /// Brings the copy in `folder` up to the working tree at `root`. A file that did not change is
    /// left alone, so that little is built again.
    ///
    /// # Errors
    /// Of git, and of the file system.
    pub fn sync(root: &Path, folder: &Path) -> io::Result<Self> {
        let tree = folder.join("tree");
        let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = Command::new("git").args(arguments).current_dir(root).output()?;
        if !listed.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&listed.stderr).into_owned()));
        }
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let names = listed.split('\0').filter(|name| root.join(name).is_file());
        let names: BTreeSet<PathBuf> = names.map(PathBuf::from).collect();
        for name in &names {
            let (from, to) = (fs::read(root.join(name))?, tree.join(name));
            if fs::read(&to).ok().as_ref() != Some(&from) {
                fs::create_dir_all(to.parent().unwrap_or(&tree))?;
                fs::copy(root.join(name), &to)?;
            }
        }
        sweep(&tree, &tree, &names)?;
        Ok(Self { target: folder.join("build"), log: folder.join("log"), tree })
    }

    /// Runs every catcher on the sound code: one that fails there catches nothing. Names what is
    /// wrong, by package and target.
    pub fn sound(&self, mutants: &[&Mutant]) -> Vec<String> {
        let mut tests: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for Catcher { package, target, test } in mutants.iter().map(|mutant| &mutant.catcher) {
            tests.entry((package, target)).or_default().insert(test);
        }
        let mut wrong = Vec::new();
        for ((package, target), tests) in tests {
            let run = self.run(package, target, tests.iter().copied());
            let unproven = tests.iter().filter(|test| {
                !matches!(&run, Ok(said) if
                ending(said, test) == Some(Ending::Passed))
            });
            let unproven: Vec<&str> = unproven.copied().collect();
            if !unproven.is_empty() {
                let why = run.err().unwrap_or_else(|| "they do not pass".to_owned());
                wrong.push(format!("{package} {target} ({}): {why}", unproven.join(", ")));
            }
        }
        wrong
    }

    /// Puts the bug in, runs its test, and takes it out again.
    ///
    /// # Errors
    /// Of the file system.
    pub fn try_out(&self, mutant: &Mutant) -> io::Result<Verdict> {
        let path = self.tree.join(&mutant.file);
        let sound = fs::read_to_string(&path)?;
        let broken = match mutant.applied(&sound) {
            Ok(broken) => broken,
            Err(why) => return Ok(Verdict::Void(why)),
        };
        fs::write(&path, broken)?;
        let Catcher { package, target, test } = &mutant.catcher;
        let run = self.run(package, target, [test.as_str()]);
        fs::write(&path, sound)?;
        Ok(match run.map(|said| ending(&said, test)) {
            Ok(Some(Ending::Failed)) => Verdict::Caught,
            Ok(Some(Ending::Passed)) => Verdict::Survived,
            Ok(None) => Verdict::Void(format!("{test} did not run")),
            Err(why) => Verdict::Void(why),
        })
    }

    /// Builds a test program and runs some of its tests; what it printed.
    fn run<'t>(
        &self,
        package: &str,
        target: &str,
        tests: impl IntoIterator<Item = &'t str>,
    ) -> Result<String, String> {
        let which = if target == "lib" { vec!["--lib"] } else { vec!["--test", target] };
        let build = [&["test", "--no-run", "-p", package][..], &which].concat();
        if self.cargo(&build)? != 0 {
            return Err(format!("it does not build: {}", self.log.display()));
        }
        let tests: Vec<&str> = tests.into_iter().collect();
        let run = [&["test", "-p", package][..], &which, &["--"], &tests].concat();
        if self.cargo(&run)? == 124 {
            return Err(format!("it did not end within {PATIENCE} s"));
        }
        fs::read_to_string(&self.log).map_err(|error| error.to_string())
    }

    /// Runs cargo in the copy; its words go to the log.
    fn cargo(&self, arguments: &[&str]) -> Result<i32, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let trouble = |error: io::Error| error.to_string();
        let log = fs::File::create(&self.log).map_err(trouble)?;
        let status = Command::new("timeout")
            .arg(PATIENCE)
            .arg(cargo)
            .args(arguments)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // A catcher must catch in every run, not only in the long one.
            .env_remove("QUORATE_PROVE")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(trouble)?)
            .stderr(log)
            .status()
            .map_err(trouble)?;
        Ok(status.code().unwrap_or(-1))
    }
}

/// Removes what the working tree no longer has.
fn sweep(tree: &Path, folder: &Path, names: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            sweep(tree, &path, names)?;
        } else if path.strip_prefix(tree).is_ok_and(|name| !names.contains(name)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Passed,
    Failed,
}

/// How a test ended, from what its program printed.
fn ending(said: &str, test: &str) -> Option<Ending> {
    said.lines().find_map(|line| {
        let (name, end) = line.strip_prefix("test ")?.split_once(" ... ")?;
        match end {
            _ if name.rsplit("::").next() != Some(test) => None,
            "ok" => Some(Ending::Passed),
            "FAILED" => Some(Ending::Failed),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_test_that_ran_has_an_ending() {
        let said = "running 3 tests\ntest a::it_counts ... ok\ntest it_fails ... FAILED\n\
            test it_is_slow has been running for over 60 seconds\ntest it_waits ... ignored\n";
        assert_eq!(ending(said, "it_counts"), Some(Ending::Passed));
        assert_eq!(ending(said, "it_fails"), Some(Ending::Failed));
        for other in ["counts", "it_is_slow", "it_waits", "it_is_missing"] {
            assert_eq!(ending(said, other), None, "{other}");
        }
    }
}
