//! `NAME=USER@HOST:PORT`, as the command line has it.

use std::net::Ipv6Addr;
use std::str::FromStr;

use inventories::HostName;

/// Whom to log in as, where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    /// The name that the operator chose for the host.
    pub name: Option<HostName>,
    /// The user, where one is named.
    pub user: Option<String>,
    /// Name or address.
    pub host: String,
    /// The port, where one is named.
    pub port: Option<u16>,
}

/// Why a text is not a login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LoginError {
    /// No host.
    #[error("names no host; write USER@HOST or USER@HOST:PORT")]
    NoHost,
    /// Something that no user or host is called.
    #[error("holds characters that no user or host name has")]
    Characters,
    /// What is before the equals sign.
    #[error("has a name that no host can have: lower-case letters, digits and hyphens, at most 63")]
    Name,
    /// What is behind the colon.
    #[error("has a port that is not a number from 1 to 65535")]
    Port,
}

impl FromStr for Login {
    type Err = LoginError;

    fn from_str(text: &str) -> Result<Self, LoginError> {
        let (name, text) = match text.split_once('=').filter(|(name, _)| !name.contains('@')) {
            Some((name, login)) => {
                (Some(HostName::new(name).map_err(|_| LoginError::Name)?), login)
            }
            None => (None, text),
        };
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        let (host, port) = split(place)?;
        let sound = |name: &str, extra: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
            !name.starts_with('-') && name.chars().all(allowed)
        };
        if host.is_empty() || user.is_some_and(str::is_empty) {
            return Err(LoginError::NoHost);
        }
        if !sound(host, "-._:") || !user.is_none_or(|user| sound(user, "-._")) {
            return Err(LoginError::Characters);
        }
        Ok(Self { name, user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

fn split(place: &str) -> Result<(&str, Option<u16>), LoginError> {
    if place.parse::<Ipv6Addr>().is_ok() {
        return Ok((place, None));
    }
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or(LoginError::Port)?)),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let number = |port: &str| match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(LoginError::Port),
    };
    Ok((host, port.map(number).transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: Option<&str>, host: &str, port: Option<u16>) -> Result<Login, LoginError> {
        Ok(Login { name: None, user: user.map(str::to_owned), host: host.to_owned(), port })
    }

    #[test]
    fn logins_are_read_as_ssh_users_write_them() {
        let read = str::parse::<Login>;
        assert_eq!(read("ops@10.0.0.1"), login(Some("ops"), "10.0.0.1", None));
        assert_eq!(read("db1.example.net"), login(None, "db1.example.net", None));
        assert_eq!(read("root@db1:2222"), login(Some("root"), "db1", Some(2222)));
        assert_eq!(read("root@fd00::1"), login(Some("root"), "fd00::1", None));
        assert_eq!(read("root@[fd00::1]:2222"), login(Some("root"), "fd00::1", Some(2222)));
    }

    #[test]
    fn a_host_may_be_given_a_name() {
        let named: Login = "db-1=ops@10.0.0.1:2222".parse().unwrap();
        assert_eq!(named.name, Some("db-1".parse().unwrap()));
        assert_eq!((named.user.as_deref(), named.port), (Some("ops"), Some(2222)));
        for bad in ["=a@h", "Db=a@h", "a b=a@h", "-x=a@h"] {
            assert_eq!(bad.parse::<Login>(), Err(LoginError::Name), "{bad}");
        }
    }

    #[test]
    fn what_looks_like_an_option_or_a_command_is_refused() {
        let read = str::parse::<Login>;
        for bad in ["a@-oProxyCommand=x", "-x@h", "a@$(id)", "a@h h", "a'@h", "a@h\n"] {
            assert_eq!(read(bad), Err(LoginError::Characters), "{bad:?}");
        }
        for bad in ["", "a@", "@h", "a@:22"] {
            assert_eq!(read(bad), Err(LoginError::NoHost), "{bad:?}");
        }
        for bad in ["a@h:0", "a@h:x", "a@h:99999", "a@[fd00::1]22"] {
            assert_eq!(read(bad), Err(LoginError::Port), "{bad:?}");
        }
    }
}
