//! The credentials, from where every S3 tool reads them: the environment, or a profile of `~/.aws/credentials`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use remote::bounded;
use rusty_s3::Credentials;
use zeroize::Zeroizing;

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Neither place has any.
    #[error(
        "no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write {path}", path = .0.display()
    )]
    None(PathBuf),
    /// One without the other.
    #[error("{missing} is not set, but {set} is")]
    Half {
        /// What there is.
        set: &'static str,
        /// What there is not.
        missing: &'static str,
    },
    /// The file can't be read.
    #[error("cannot read {path}: {why}", path = .path.display())]
    Unread {
        /// Which one.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file has no such profile, or not all of it.
    #[error("{path} has no {key} for the profile {profile}", path = .path.display())]
    Profile {
        /// Which file.
        path: PathBuf,
        /// Which profile.
        profile: String,
        /// What it lacks.
        key: &'static str,
    },
}

const KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

/// Looks in the environment, and then in the file that it names.
///
/// # Errors
/// There are none, or not all of them.
pub fn find(look: impl Fn(&str) -> Option<OsString>) -> Result<Credentials, CredentialsError> {
    let look = |name: &str| {
        look(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
    };
    match (look(KEY), look(SECRET).map(Zeroizing::new)) {
        (Some(key), Some(secret)) => Ok(credentials(key, &secret, look("AWS_SESSION_TOKEN"))),
        (Some(_), None) => Err(CredentialsError::Half { set: KEY, missing: SECRET }),
        (None, Some(_)) => Err(CredentialsError::Half { set: SECRET, missing: KEY }),
        (None, None) => {
            let home = || Path::new(&look("HOME").unwrap_or_default()).join(".aws/credentials");
            let path = look("AWS_SHARED_CREDENTIALS_FILE").map_or_else(home, PathBuf::from);
            of_profile(&path, look("AWS_PROFILE"))
        }
    }
}

fn of_profile(path: &Path, named: Option<String>) -> Result<Credentials, CredentialsError> {
    let bytes = match bounded::read(path, bounded::SMALL) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
            return Err(CredentialsError::None(path.to_owned()));
        }
        Err(error) => {
            let why = error.to_string();
            return Err(CredentialsError::Unread { path: path.to_owned(), why });
        }
    };
    let profile = named.unwrap_or_else(|| "default".to_owned());
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let value = |key: &'static str| {
        value(text, &profile, key).ok_or_else(|| CredentialsError::Profile {
            path: path.to_owned(),
            profile: remote::clean(profile.as_bytes()),
            key,
        })
    };
    let token = value("aws_session_token").ok().map(str::to_owned);
    let key = value("aws_access_key_id")?.to_owned();
    Ok(credentials(key, value("aws_secret_access_key")?, token))
}

/// A value of a section, as AWS's tools read the file: the last one counts.
fn value<'a>(text: &'a str, profile: &str, key: &str) -> Option<&'a str> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            inside = name.0.trim() == profile;
        } else if inside && let Some((name, value)) = line.split_once('=') {
            let fits = name.trim().eq_ignore_ascii_case(key) && !value.trim().is_empty();
            found = if fits { Some(value.trim()) } else { found };
        }
    }
    found
}

fn credentials(key: String, secret: &str, token: Option<String>) -> Credentials {
    match token {
        Some(token) => Credentials::new_with_token(key, secret, token),
        None => Credentials::new(key, secret),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn found(vars: &[(&str, &str)]) -> Result<(String, String, Option<String>), String> {
        let vars: BTreeMap<&str, &str> = vars.iter().copied().collect();
        let found = find(|name| vars.get(name).map(OsString::from));
        let parts = |found: Credentials| {
            (found.key().to_owned(), found.secret().to_owned(), found.token().map(str::to_owned))
        };
        found.map(parts).map_err(|error| error.to_string())
    }

    fn triple(
        key: &str,
        secret: &str,
        token: Option<&str>,
    ) -> Result<(String, String, Option<String>), String> {
        Ok((key.to_owned(), secret.to_owned(), token.map(str::to_owned)))
    }

    const FILE: &str = "# comment\n[default]\naws_access_key_id = AK1\naws_secret_access_key=s=1/+\n\n\
        [ci]\n; aws_access_key_id = no\nAWS_ACCESS_KEY_ID = AK2\r\naws_secret_access_key = s2\n\
        aws_session_token = t2\n[half]\naws_access_key_id = AK3\n";

    #[test]
    fn credentials_are_where_other_tools_have_them() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        std::fs::create_dir(folder.path().join(".aws")).unwrap();
        std::fs::write(folder.path().join(".aws/credentials"), FILE).unwrap();
        let own = folder.path().join("own");
        std::fs::write(&own, "[default]\naws_access_key_id=AK9\naws_secret_access_key=s9\n")
            .unwrap();
        let in_env = [("AWS_ACCESS_KEY_ID", "AK0"), ("AWS_SECRET_ACCESS_KEY", "s0")];
        assert_eq!(found(&[&in_env[..], &[("HOME", home)]].concat()), triple("AK0", "s0", None));
        let token = [("AWS_SESSION_TOKEN", "t0")];
        assert_eq!(found(&[&in_env[..], &token].concat()), triple("AK0", "s0", Some("t0")));
        assert_eq!(found(&[("HOME", home)]), triple("AK1", "s=1/+", None));
        assert_eq!(
            found(&[("HOME", home), ("AWS_PROFILE", "ci")]),
            triple("AK2", "s2", Some("t2"))
        );
        let named = ("AWS_SHARED_CREDENTIALS_FILE", own.to_str().unwrap());
        assert_eq!(found(&[("HOME", home), named]), triple("AK9", "s9", None));
    }

    #[test]
    fn what_is_missing_is_named_and_no_secret_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, FILE).unwrap();
        let path = file.to_str().unwrap();
        let said = |vars: &[(&str, &str)]| found(vars).unwrap_err();
        assert!(said(&[("HOME", "/none")]).starts_with("no S3 credentials: set AWS_ACCESS_KEY_ID"));
        assert_eq!(
            said(&[("AWS_SECRET_ACCESS_KEY", "hidden")]),
            "AWS_ACCESS_KEY_ID is not set, but AWS_SECRET_ACCESS_KEY is"
        );
        let named = ("AWS_SHARED_CREDENTIALS_FILE", path);
        let half = said(&[named, ("AWS_PROFILE", "half")]);
        assert_eq!(half, format!("{path} has no aws_secret_access_key for the profile half"));
        assert!(said(&[named, ("AWS_PROFILE", "none")]).contains("no aws_access_key_id"));
        let device = said(&[("AWS_SHARED_CREDENTIALS_FILE", "/dev/zero")]);
        assert!(device.contains("longer than"), "{device}");
    }
}
