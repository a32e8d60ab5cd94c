//! `--recipient`: a public key, or a file of them.

use std::path::{Path, PathBuf};

use pki::Recipient;

use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use remote::bounded;

/// The keys that an argument means. Read here and not by clap, which would show what was given: it may be the private
/// key.
pub(super) fn of_argument(text: &str) -> Result<Vec<String>, CliError> {
    let of_key = match Recipient::parse(text) {
        Ok(key) => return Ok(vec![key.to_string()]),
        Err(error) => error,
    };
    let path = path_of(text);
    if !path.is_file() {
        let error = CliError::new(ExitCode::Usage, ErrorContext::new("--recipient", of_key));
        // The text may be a private key, so it is shown only where it looks like a path.
        let is_like_a_path = text.contains('/') || text.ends_with(".pub");
        let is_short = text.len() < 200 && !text.contains(char::is_whitespace);
        return Err(match is_like_a_path && is_short {
            true => error.hint(format!("there is no file {}", path.display())),
            false => error,
        });
    }
    of_file(&path)
}

/// A shell leaves `~` alone in `--recipient=~/…`.
fn path_of(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

fn of_file(path: &Path) -> Result<Vec<String>, CliError> {
    let usage = |error: Box<dyn std::error::Error + Send + Sync>| {
        let doing = format!("--recipient {}", path.display());
        CliError::new(ExitCode::Usage, ErrorContext::new(doing, error))
    };
    let bytes = bounded::read(path, bounded::SMALL).map_err(|error| usage(error.into()))?;
    let text =
        String::from_utf8(bytes).map_err(|_| usage("is not a text of public keys".into()))?;
    let mut keys = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = Recipient::parse(line).map_err(|error| {
            usage(error.into()).hint("give the public half: the file that ends in .pub")
        })?;
        keys.push(key.to_string());
    }
    if keys.is_empty() {
        return Err(usage("holds no public key".into()));
    }
    Ok(keys)
}
