//! Whether a person is asked at the terminal or by a program, as ssh decides it; and the program.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use remote::passphrases::Passphrase;
use zeroize::Zeroizing;

use super::passphrase::LONGEST;
use remote::passphrases::NoPassphrase;

/// ssh's own, where `SSH_ASKPASS` names none.
const USUAL: &str = "/usr/bin/ssh-askpass";

/// How a person is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// At the terminal.
    Terminal,
    /// By this program.
    Program(PathBuf),
    /// Not at all.
    None,
}

impl Way {
    /// As ssh does: the terminal if there is one, else a program if a display is there to show it
    /// on. `SSH_ASKPASS_REQUIRE` says otherwise: `force`, `prefer` or `never`.
    pub(super) fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        has_terminal: bool,
    ) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let required = set("SSH_ASKPASS_REQUIRE").unwrap_or_default().to_ascii_lowercase();
        let has_display = set("DISPLAY").or_else(|| set("WAYLAND_DISPLAY")).is_some();
        let (allowed, preferred) = match required.to_str() {
            Some("force") => (true, true),
            Some("prefer") => (has_display, has_display),
            Some("never") => (false, false),
            _ => (has_display, false),
        };
        if has_terminal && !preferred {
            Way::Terminal
        } else if allowed {
            Way::Program(set("SSH_ASKPASS").unwrap_or_else(|| USUAL.into()).into())
        } else {
            Way::None
        }
    }
}

/// Runs the program: the question is its argument, the answer its first line.
pub(super) fn run(program: &Path, question: &str) -> Result<Passphrase, NoPassphrase> {
    let failed =
        |why: String| NoPassphrase::Askpass { program: program.display().to_string(), why };
    let mut child = Command::new(program)
        .arg(question)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("does not run: {error}")))?;
    let mut said = Zeroizing::new(Vec::with_capacity(LONGEST));
    let read = match child.stdout.take() {
        Some(stdout) => stdout.take(LONGEST as u64).read_to_end(&mut said),
        None => Ok(0),
    };
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    read.map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        // The operator pressed the button that says no.
        return Err(NoPassphrase::Declined);
    }
    let end = said.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(said.len());
    said.truncate(end);
    let text = std::str::from_utf8(&said);
    text.map(Passphrase::new).map_err(|_| failed("answered with what is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(variables: &[(&str, &str)], has_terminal: bool) -> Way {
        let find = |name: &str| {
            variables.iter().find(|(found, _)| *found == name).map(|(_, value)| value.into())
        };
        Way::from_variables(find, has_terminal)
    }

    #[test]
    fn the_way_is_the_one_that_ssh_takes() {
        let program = || Way::Program("/ask".into());
        let ask = ("SSH_ASKPASS", "/ask");
        let x = ("DISPLAY", ":0");
        let wayland = ("WAYLAND_DISPLAY", "wayland-0");
        let require = |word| ("SSH_ASKPASS_REQUIRE", word);
        for (variables, has_terminal, expected) in [
            (&[ask, x][..], true, Way::Terminal),
            (&[ask, x], false, program()),
            (&[ask, wayland], false, program()),
            (&[ask], false, Way::None),
            (&[ask, ("DISPLAY", "")], false, Way::None),
            (&[x], false, Way::Program(USUAL.into())),
            (&[ask, require("force")], true, program()),
            (&[ask, require("FORCE")], false, program()),
            (&[ask, x, require("prefer")], true, program()),
            (&[ask, require("prefer")], true, Way::Terminal),
            (&[ask, x, require("never")], false, Way::None),
            (&[ask, x, require("never")], true, Way::Terminal),
            (&[], true, Way::Terminal),
            (&[], false, Way::None),
        ] {
            assert_eq!(way(variables, has_terminal), expected, "{variables:?} {has_terminal}");
        }
    }

    /// What a program with this text answers to a question.
    fn answer(text: &str) -> Result<String, NoPassphrase> {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("ask");
        std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        run(&program, "Which?").map(|passphrase| passphrase.expose().to_owned())
    }

    #[test]
    fn the_first_line_of_a_program_is_the_answer() {
        assert_eq!(answer("echo \"$1 this\"; echo more"), Ok("Which? this".to_owned()));
        assert_eq!(answer("printf 'a\\r\\n'"), Ok("a".to_owned()));
        assert_eq!(answer("echo x; exit 1"), Err(NoPassphrase::Declined));
    }

    #[test]
    fn a_program_that_does_not_run_is_named() {
        let error = run(Path::new("/nonexistent/ask"), "?").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("SSH_ASKPASS /nonexistent/ask does not run: No such"), "{text}");
    }
}
