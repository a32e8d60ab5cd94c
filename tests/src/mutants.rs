//! Seeded bugs. Each is a small change of the product that somebody could make, and names the test
//! that must fail over it: a suite that stays green over one of them proves less than it says.
//!
//! The bugs are text in `tests/mutants/`, one file a subject. `./dev mutants` tries them one by one on a
//! copy of the working tree; each test run checks that they still fit the code.

pub mod trial;

use std::collections::BTreeSet;
use std::path::Path;

/// What stands before, between and after the two texts of a mutant.
const FENCE: &str = "----";

/// A seeded bug.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// Its name: what goes wrong, in words.
    pub name: String,
    /// The file that it changes, from the root of the repository.
    pub file: String,
    /// The test that must fail.
    pub catcher: Catcher,
    /// Why somebody could write it.
    pub why: String,
    /// The sound text: it is in the file once.
    pub sound: String,
    /// What stands there instead.
    pub broken: String,
}

/// A test, as cargo is asked for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Catcher {
    /// The package.
    pub package: String,
    /// `lib`, or the name of a test program.
    pub target: String,
    /// The function, without its modules.
    pub test: String,
}

/// Reads the mutants of a file.
///
/// # Errors
/// What is not as it must be, with its line.
pub fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let mut mutants = Vec::new();
    let mut lines = (1..).zip(text.lines());
    let mut head = Head::default();
    while let Some((number, line)) = lines.next() {
        let at = |why: &str| format!("line {number}: {why}");
        if line == FENCE {
            let mut block = || -> Option<String> {
                let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != FENCE);
                let block: Vec<&str> = inside.collect();
                (!block.is_empty()).then(|| block.join("\n"))
            };
            let sound = block().ok_or_else(|| at("no text is given as sound"))?;
            let broken = block().unwrap_or_default();
            mutants.push(std::mem::take(&mut head).with(sound, broken).map_err(|why| at(&why))?);
            continue;
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(' ').ok_or_else(|| at("a key lacks its value"))?;
        head.put(key, value.trim()).map_err(|why| at(&why))?;
    }
    if head == Head::default() {
        Ok(mutants)
    } else {
        Err("the last mutant has no text".to_owned())
    }
}

/// The head of a mutant, before its texts.
#[derive(Default, PartialEq)]
struct Head {
    name: String,
    file: String,
    caught: String,
    why: String,
}

impl Head {
    fn put(&mut self, key: &str, value: &str) -> Result<(), String> {
        let place = match key {
            "mutant" => &mut self.name,
            "in" => &mut self.file,
            "caught-by" => &mut self.caught,
            "why" => &mut self.why,
            _ => return Err(format!("{key} is not a key of a mutant")),
        };
        let between = if place.is_empty() { "" } else { " " };
        place.push_str(between);
        place.push_str(value);
        Ok(())
    }

    fn with(self, sound: String, broken: String) -> Result<Mutant, String> {
        let Self { name, file, caught, why } = self;
        if [&name, &file, &caught, &why].iter().any(|value| value.is_empty()) {
            return Err(format!("mutant {name} lacks one of: mutant, in, caught-by, why"));
        }
        let words: Vec<&str> = caught.split(' ').collect();
        let [package, target, test] = words[..] else {
            return Err(format!("mutant {name}: a catcher is a package, a target and a test"));
        };
        let catcher = Catcher {
            package: package.to_owned(),
            target: target.to_owned(),
            test: test.to_owned(),
        };
        Ok(Mutant { name, file, catcher, why, sound, broken })
    }
}

/// Every mutant of the repository at `root`, those of a file together.
///
/// # Errors
/// A file that can't be read, or two mutants of one name.
pub fn all(root: &Path) -> Result<Vec<Mutant>, String> {
    let folder = root.join("tests/mutants");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut mutants: Vec<Mutant> = Vec::new();
    for file in files {
        let at = |why: String| format!("{}: {why}", file.display());
        let text = std::fs::read_to_string(&file).map_err(|error| at(error.to_string()))?;
        mutants.extend(parse(&text).map_err(at)?);
    }
    let mut names = BTreeSet::new();
    match mutants.iter().find(|mutant| !names.insert(&mutant.name)) {
        Some(twice) => Err(format!("two mutants are named {}", twice.name)),
        None => Ok(mutants),
    }
}

impl Mutant {
    /// The text of its file with the bug in it.
    ///
    /// # Errors
    /// Where the sound text is not there once: the code moved on, and the mutant must follow.
    pub fn applied(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.sound).count() {
            1 => Ok(text.replacen(&self.sound, &self.broken, 1)),
            count => Err(format!("{} holds the text of {} {count} times", self.file, self.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "# a comment\nmutant off-by-one\nin a/b.rs\ncaught-by a lib it_counts\n\
        why one\nwhy two\n----\nx + 1\n----\nx\n----\n";

    #[test]
    fn a_mutant_is_read_as_it_is_written() {
        let mutants = parse(ONE).unwrap();
        let [mutant] = &mutants[..] else { panic!("{mutants:?}") };
        assert_eq!((mutant.name.as_str(), mutant.why.as_str()), ("off-by-one", "one two"));
        assert_eq!((mutant.sound.as_str(), mutant.broken.as_str()), ("x + 1", "x"));
        assert_eq!(mutant.catcher.test, "it_counts");
    }

    #[test]
    fn what_is_no_mutant_is_named_with_its_line() {
        for (wrong, said) in [
            ("mutant a\n----\nx\n----\ny\n----\n", "line 2: mutant a lacks"),
            ("colour red\n", "line 1: colour is not a key"),
            ("mutant a\n", "the last mutant has no text"),
            (&ONE.replace("a lib it_counts", "it_counts"), "line 7: mutant off-by-one: a catcher"),
            (&ONE.replace("x + 1\n", ""), "line 7: no text is given as sound"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn a_mutant_fits_where_its_text_is_once() {
        let mutant = &parse(ONE).unwrap()[0];
        assert_eq!(mutant.applied("(x + 1)").as_deref(), Ok("(x)"));
        assert!(mutant.applied("(x)").is_err());
        assert!(mutant.applied("(x + 1, x + 1)").is_err());
    }
}
