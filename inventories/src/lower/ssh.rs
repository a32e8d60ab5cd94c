//! How to log in. Nothing here becomes part of a command line, but a value that looks like an
//! option is refused all the same: it is a mistake or an attack.

use std::path::PathBuf;
use std::time::Duration;

use super::Layer;
use crate::escape::{escape, odd_character};
use crate::inventory::{HostKeyPin, Ssh, SshConfig};
use crate::report::{At, Finding, Report};
use crate::schema::{self, Loc, OneOrMany};

mod pin;

/// What a table says about logging in, without the host.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    user: Option<String>,
    port: Option<u16>,
    identity_files: Option<Vec<PathBuf>>,
    host_keys: Option<Vec<HostKeyPin>>,
    connect_timeout: Option<Duration>,
    config: Option<SshConfig>,
}

impl Settings {
    /// These settings, and the others where these say nothing.
    pub(super) fn or(self, others: Settings) -> Settings {
        Settings {
            user: self.user.or(others.user),
            port: self.port.or(others.port),
            identity_files: self.identity_files.or(others.identity_files),
            host_keys: self.host_keys.or(others.host_keys),
            connect_timeout: self.connect_timeout.or(others.connect_timeout),
            config: self.config.or(others.config),
        }
    }

    /// The login at a machine that is no host of the inventory: it has another user, port and host key than they have.
    pub(super) fn of_another(self, host: String, user: Option<String>, port: Option<u16>) -> Ssh {
        Settings { user, port, host_keys: None, ..self }.finish(host)
    }

    pub(super) fn finish(self, host: String) -> Ssh {
        let Settings { user, port, identity_files, host_keys, connect_timeout, config } = self;
        Ssh {
            host,
            port,
            user,
            identity_files: identity_files.unwrap_or_default(),
            host_keys: host_keys.unwrap_or_default(),
            connect_timeout,
            config: config.unwrap_or_default(),
        }
    }
}

/// `[defaults.ssh]` of one file.
pub(super) fn defaults(
    layer: &Layer<'_, schema::SshDefaults>,
    report: &mut Report<'_>,
) -> Settings {
    let schema::SshDefaults { user, port, identity_file, host_key, connect_timeout, config } =
        layer.raw;
    let mut read = Read { file: layer.file, report };
    Settings {
        user: user.as_ref().and_then(|raw| read.login("user", raw).map(|(user, _)| user)),
        port: port.as_ref().and_then(|raw| read.port(raw)),
        identity_files: identity_file.as_ref().map(|raw| read.identity_files(raw)),
        host_keys: host_key.as_ref().map(|raw| read.host_keys(raw)),
        connect_timeout: connect_timeout.as_ref().and_then(|raw| read.timeout(raw)),
        config: config.as_ref().and_then(|raw| read.config(raw)),
    }
}

/// A host's own `ssh` table: where to log in and where that is written, and the rest.
pub(super) fn host(
    layer: &Layer<'_, schema::Ssh>,
    report: &mut Report<'_>,
) -> (Option<(String, At)>, Settings) {
    let schema::Ssh { host, user, port, identity_file, host_key, connect_timeout, config } =
        layer.raw;
    let mut read = Read { file: layer.file, report };
    let settings = Settings {
        user: user.as_ref().and_then(|raw| read.login("user", raw).map(|(user, _)| user)),
        port: port.as_ref().and_then(|raw| read.port(raw)),
        identity_files: identity_file.as_ref().map(|raw| read.identity_files(raw)),
        host_keys: host_key.as_ref().map(|raw| read.host_keys(raw)),
        connect_timeout: connect_timeout.as_ref().and_then(|raw| read.timeout(raw)),
        config: config.as_ref().and_then(|raw| read.config(raw)),
    };
    (host.as_ref().and_then(|raw| read.login("host", raw)), settings)
}

struct Read<'r, 'a> {
    file: usize,
    report: &'r mut Report<'a>,
}

impl Read<'_, '_> {
    fn at<T>(&self, value: &Loc<T>) -> At {
        At::new(self.file, value.span())
    }

    /// The host to log in at, or the user to log in as.
    fn login(&mut self, key: &str, raw: &Loc<String>) -> Option<(String, At)> {
        let at = self.at(raw);
        let shown = escape(&raw.chars().take(80).collect::<String>());
        let finding =
            |why: &str| Finding::error("ssh", &at, format!("ssh.{key} {why}: \"{shown}\""));
        let named = |hint: &str| hint.to_owned();
        let plain =
            if key == "host" { A_HOST } else { "write the name of the login, such as \"ops\"" };
        let problem = if raw.is_empty() {
            Some(finding("is empty").hint(named("leave the key out, or write a value")))
        } else if raw.starts_with('-') {
            Some(finding("begins with '-', as an option of ssh would").hint(named(plain)))
        } else if raw.chars().any(|c| c.is_control() || c.is_whitespace()) {
            Some(finding("has a blank or a control character in it").hint(named(plain)))
        } else if let Some(odd) = odd_character(raw) {
            Some(finding("is not plain ASCII").label(format!("{odd} is not a plain letter")))
        } else if key == "host" {
            self.not_a_host(raw).map(|(why, hint)| finding(why).hint(hint))
        } else {
            raw.contains(['/', ':', '$', '`', '"', '\'', '\\', ';', '|', '&', '<', '>', '(', ')'])
                .then(|| finding("is not a user name").hint(named(plain)))
        };
        match problem {
            Some(problem) => {
                self.report.add(problem);
                None
            }
            None => Some((raw.value().clone(), at)),
        }
    }

    fn not_a_host(&self, raw: &str) -> Option<(&'static str, String)> {
        if is_ipv6(raw) {
            return None;
        }
        if let Some((address, _)) = raw.split_once('%')
            && is_ipv6(address)
        {
            return Some((
                "has a zone that it can't have",
                "a zone is the name of an interface after a link-local address: \"fe80::1%eth0\""
                    .to_owned(),
            ));
        }
        if let Some((user, host)) = raw.split_once('@') {
            return Some((
                "holds a user",
                format!("write: ssh.user = \"{user}\", ssh.host = \"{host}\""),
            ));
        }
        if let Some((host, port)) = raw.rsplit_once(':')
            && port.parse::<u16>().is_ok()
            && !host.contains('/')
        {
            let host = host.trim_matches(['[', ']']);
            return Some((
                "holds a port",
                format!("write: ssh.host = \"{host}\", ssh.port = {port}"),
            ));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        (!raw.chars().all(plain)).then(|| ("is not a host name", A_HOST.to_owned()))
    }

    fn port(&mut self, raw: &Loc<i64>) -> Option<u16> {
        let at = self.at(raw);
        super::ports::port("ssh.port", *raw.value(), &at, self.report)
    }

    fn identity_files(&mut self, raw: &Loc<OneOrMany>) -> Vec<PathBuf> {
        let whole = self.at(raw);
        let mut paths = Vec::new();
        for (path, at) in each(raw, &whole, self.file) {
            if path.is_empty()
                || path.chars().any(char::is_control)
                || crate::secret::is_private_key(path)
            {
                let hint = "write the path of the private key file, such as \"~/.ssh/id_ed25519\"";
                let message = "ssh.identity-file is not the path of a file";
                self.report.add(Finding::error("ssh", &at, message).hint(hint));
            } else {
                paths.push(PathBuf::from(path));
            }
        }
        paths
    }

    fn config(&mut self, raw: &Loc<String>) -> Option<SshConfig> {
        if raw.eq_ignore_ascii_case("none") {
            return Some(SshConfig::None);
        }
        if raw.is_empty() || raw.chars().any(char::is_control) {
            let at = self.at(raw);
            let message = "ssh.config is not the path of a file";
            let hint =
                "write \"none\", or the path of an ssh_config file, such as \"~/.ssh/etcd_config\"";
            self.report.add(Finding::error("ssh", &at, message).hint(hint));
            return None;
        }
        Some(SshConfig::File(PathBuf::from(raw.as_str())))
    }

    fn host_keys(&mut self, raw: &Loc<OneOrMany>) -> Vec<HostKeyPin> {
        let whole = self.at(raw);
        let mut pins = Vec::new();
        for (text, at) in each(raw, &whole, self.file) {
            match pin::read(text) {
                Ok(pin) => pins.push(pin),
                Err(hint) => {
                    let message = "ssh.host-key is not the SHA256 fingerprint of a host key";
                    self.report.add(Finding::error("host-key", &at, message).hint(hint));
                }
            }
        }
        pins
    }

    fn timeout(&mut self, raw: &Loc<String>) -> Option<Duration> {
        let parsed = duration(raw).filter(|time| TIMEOUTS.contains(time));
        if parsed.is_none() {
            let at = self.at(raw);
            let message = "ssh.connect-timeout is not a time from 100 ms to 10 minutes";
            self.report
                .add(Finding::error("ssh", &at, message).hint("write: connect-timeout = \"10s\""));
        }
        parsed
    }
}

/// An IPv6 address, with a zone where it is a link-local one: `fe80::1%eth0`.
pub(super) fn is_ipv6(text: &str) -> bool {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let interface = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    address.parse::<std::net::Ipv6Addr>().is_ok_and(|address| {
        zone.is_none_or(|zone| {
            address.is_unicast_link_local()
                && (1..=15).contains(&zone.len())
                && zone.chars().all(interface)
        })
    })
}

const A_HOST: &str = "write a host name, an IP address or an alias of ~/.ssh/config";

const TIMEOUTS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_secs(600);

/// A number and its unit: `ms`, `s` or `m`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok()?;
    let milliseconds = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// The texts of a value that is one or many, each with its place.
fn each<'a>(raw: &'a Loc<OneOrMany>, whole: &At, file: usize) -> Vec<(&'a str, At)> {
    match raw.value() {
        OneOrMany::One(text) => vec![(text, whole.clone())],
        OneOrMany::Many(texts) => {
            texts.iter().map(|text| (text.as_str(), At::new(file, text.span()))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_follows_a_link_local_address_alone() {
        for good in ["::1", "fe80::1", "fe80::1%eth0", "FE80::1%2", "fe80::a%br-lan.7"] {
            assert!(is_ipv6(good), "{good}");
        }
        for bad in [
            "",
            "%eth0",
            "10.0.0.1%eth0",
            "fe80::1%",
            "fe80::1%a b",
            "fe80::1%$(x)",
            "fe80::1%a%b",
            "2001:db8::1%eth0",
            "fe80::1%0123456789abcdef",
        ] {
            assert!(!is_ipv6(bad), "{bad}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(duration("1500ms"), Some(Duration::from_millis(1500)));
        for bad in ["", "s", "10", "10 s", "1h", "-1s", "99999999999999999999s", "١s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
