//! Folders of other hosts as backup targets.

use crate::backups::SftpTarget;
use crate::lower::ssh;
use crate::report::{At, Finding, Report};

const FORM: &str = "write a host and a folder, such as \"sftp://backup@nas.example.com/srv/etcd\"; \"/~/etcd\" is a folder of the login's home";

/// What follows `sftp://`; `settings` are those of `[defaults.ssh]`.
pub(super) fn target(place: &str, settings: &ssh::Settings) -> Result<SftpTarget, &'static str> {
    let (authority, path) = place.split_at(place.find('/').ok_or(FORM)?);
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    if user.is_some_and(|user| !is_user(user)) {
        return Err(FORM);
    }
    let (host, port) = host_and_port(place).ok_or(FORM)?;
    let path = path.trim_end_matches('/');
    let mut segments = path.split('/').skip(1);
    let is_of_home = path.starts_with("/~/");
    if path == "/~"
        || !segments.by_ref().skip(usize::from(is_of_home)).all(is_segment)
        || path.is_empty()
    {
        return Err(
            "write a folder of letters, digits, '-', '_' and '.' between single slashes: \"sftp://nas.example.com/srv/etcd\"",
        );
    }
    let ssh = settings.clone().of_another(host, user.map(str::to_owned), port);
    Ok(SftpTarget { ssh, path: path.to_owned() })
}

/// Reports a URL with a password, and does not repeat it.
pub(super) fn holds_password(url: &str, at: &At, report: &mut Report<'_>) -> bool {
    let authority = url.strip_prefix("sftp://").unwrap_or(url).split('/').next().unwrap_or(url);
    let login = authority.rsplit_once('@').and_then(|(login, _)| login.split_once(':'));
    let Some((_, password)) = login else { return false };
    report.hide_part(at, password);
    let message = "this URL holds a password in plain";
    let hint = "leave it out: quorate logs in with a key, as to the hosts";
    report.add(Finding::error("plain-secret", at, message).hint(hint));
    true
}

/// `host` or `host:port`, where an IPv6 address has brackets.
fn host_and_port(place: &str) -> Option<(String, Option<u16>)> {
    let (host, rest) = match place.strip_prefix('[') {
        Some(place) => place.split_once(']')?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let fits = if place.starts_with('[') { ssh::is_ipv6(host) } else { is_name(host) };
    let port = match rest.strip_prefix(':') {
        Some(port) => Some(port.parse().ok().filter(|port: &u16| *port > 0)?),
        None if rest.is_empty() => None,
        None => return None,
    };
    fits.then(|| (host.to_owned(), port))
}

fn is_name(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    host.starts_with(|c: char| c.is_ascii_alphanumeric()) && host.chars().all(plain)
}

fn is_user(user: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    user.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && user.chars().all(plain)
}

/// A name that no server reads as anything else.
fn is_segment(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.chars().all(plain) && !matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::BackupTarget;

    fn read(place: &str) -> Result<SftpTarget, &'static str> {
        target(place, &ssh::Settings::default())
    }

    #[test]
    fn a_host_and_a_folder_are_read_as_they_are_written() {
        for (place, user, host, port, folder) in [
            ("nas/srv/etcd/", None, "nas", None, "/srv/etcd"),
            (
                "backup@nas.example.com:2222/a/B_1",
                Some("backup"),
                "nas.example.com",
                Some(2222),
                "/a/B_1",
            ),
            ("[fd00::1]:22/~/etcd", None, "fd00::1", Some(22), "etcd"),
            ("ops@[fd00::1]/a", Some("ops"), "fd00::1", None, "/a"),
        ] {
            let read = read(place).unwrap();
            assert_eq!((read.ssh.user.as_deref(), read.ssh.host.as_str()), (user, host), "{place}");
            assert_eq!((read.ssh.port, read.folder()), (port, Path::new(folder)), "{place}");
            let again = BackupTarget::Sftp(read).to_string();
            assert_eq!(again, format!("sftp://{}", place.trim_end_matches('/')));
        }
    }

    #[test]
    fn what_is_no_host_or_no_folder_is_refused() {
        for bad in [
            "",
            "nas",
            "nas/",
            "/srv",
            "nas//srv",
            "nas/a/../b",
            "nas/./a",
            "nas/a b",
            "nas/~",
            "nas/~/",
            "nas/a/~/b",
            "nas:0/a",
            "nas:x/a",
            "nas:22",
            "-nas/a",
            "-o@nas/a",
            "a:b@nas/a",
            "@nas/a",
            "fd00::1/a",
            "[fd00::1/a",
            "[nas]/a",
            "[fd00::1]x/a",
            "nas/a?b",
            "nas/\u{e4}",
            "n\u{e4}s/a",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
