//! What the lines say, before paths are filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::algorithms::List;
use super::canonical::{Canonicalize, Way};
use super::error::ConfigProblem;
use super::line::Line;

/// What is known of a login. `None` and empty: not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The name to connect to, in which `%h` is the name as it was asked for.
    pub host_name: Option<String>,
    /// The port to connect to.
    pub port: Option<u16>,
    /// The name to log in with.
    pub user: Option<String>,
    /// In order, with tokens; `none` is no file.
    pub identity_files: Vec<String>,
    /// In order, with tokens; `none` is no file.
    pub certificate_files: Vec<String>,
    /// Whether only the key files that are named may be offered.
    pub identities_only: Option<bool>,
    /// A socket with tokens, `none`, `SSH_AUTH_SOCK`, or `$NAME` of a variable.
    pub identity_agent: Option<String>,
    /// Hops with commas between them, or `none`. Of hops and a command one is set: the first wins.
    pub proxy_jump: Option<String>,
    /// For the shell, with tokens, or `none`.
    pub proxy_command: Option<String>,
    /// Whether that command gives us an open connection in place of carrying bytes.
    pub proxy_fdpass: Option<bool>,
    /// With tokens; `none` is no file.
    pub user_known_hosts: Option<Vec<String>>,
    /// With `~`.
    pub global_known_hosts: Option<Vec<String>>,
    /// The name under which known_hosts lists the host.
    pub host_key_alias: Option<String>,
    /// `Some(None)`: as long as the system tries.
    pub connect_timeout: Option<Option<Duration>>,
    /// How long the host may be silent before it is asked for a sign of life.
    pub alive_interval: Option<Duration>,
    /// How many such questions may stay without an answer.
    pub alive_count: Option<u32>,
    /// Which kind of addresses to use.
    pub family: Option<Family>,
    /// Lines about algorithms as they are written.
    pub algorithms: BTreeMap<List, String>,
    /// The smallest RSA key that is accepted, in bits.
    pub rsa_bits: Option<u32>,
    /// The first line about keys allows them.
    pub keys: Option<Never>,
    /// The first list of ways to log in has keys.
    pub ways: Option<Never>,
    /// The first line about our own address allows any.
    pub bind: Option<Never>,
    /// Whether names are looked up before we connect.
    pub canonicalize: Canonicalize,
    /// What `Match tagged` is held against.
    pub tag: Option<String>,
    /// The first line about revoked keys wants no list.
    pub revoked_keys: Option<Never>,
    /// A command that would tell host keys, among them revoked ones.
    pub known_hosts_command: Option<Never>,
}

/// Which addresses of a name count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Family {
    /// All.
    #[default]
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The one value that is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Never;

impl Settings {
    /// The name to connect to when asked for `host`.
    pub fn connect_name(&self, host: &str) -> String {
        let name = self.host_name.as_deref().unwrap_or("%h");
        let parts: Vec<String> = name.split("%%").map(|part| part.replace("%h", host)).collect();
        let name = parts.join("%");
        // As in ssh. The zone of an IPv6 address is the name of an interface, whose case counts.
        if name.contains([':', '%']) { name } else { name.to_ascii_lowercase() }
    }

    /// The command that carries our bytes.
    pub fn carrier(&self) -> Option<&str> {
        self.proxy_command.as_deref().filter(|command| !is_none(command))
    }

    /// Who makes the connection.
    pub fn way(&self) -> Way {
        let jumps = self.proxy_jump.as_deref().is_some_and(|hops| !is_none(hops));
        if jumps || self.carrier().is_some() { Way::Through } else { Way::Direct }
    }

    /// Takes the value of the line, unless an earlier line has set one. A keyword that changes nothing
    /// for us is passed over.
    pub fn set(&mut self, line: &Line) -> Result<(), ConfigProblem> {
        let wrong =
            || ConfigProblem::Value { keyword: line.spelling.clone(), value: line.words.join(" ") };
        let value =
            || line.words.first().filter(|word| !word.is_empty()).cloned().ok_or_else(wrong);
        match line.keyword.as_str() {
            "hostname" => {
                let name = value()?;
                if name.replace("%%", "").replace("%h", "").contains('%') {
                    return Err(wrong());
                }
                first(&mut self.host_name, name);
            }
            "port" => {
                let port = value()?.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
                first(&mut self.port, port);
            }
            "user" => first(&mut self.user, value()?),
            "identityfile" => add(&mut self.identity_files, value()?),
            "certificatefile" => add(&mut self.certificate_files, value()?),
            "identitiesonly" => {
                first(&mut self.identities_only, yes_or_no(&value()?).ok_or_else(wrong)?);
            }
            "identityagent" => first(&mut self.identity_agent, value()?),
            "proxyjump" => {
                value()?;
                if self.proxy_command.is_none() {
                    first(&mut self.proxy_jump, line.words.concat());
                }
            }
            "proxycommand" => {
                value()?;
                // As in ssh: that there are no hops leaves room for a command.
                if self.proxy_jump.as_deref().is_none_or(is_none) {
                    first(&mut self.proxy_command, line.rest.clone());
                }
            }
            "proxyusefdpass" => {
                first(&mut self.proxy_fdpass, yes_or_no(&value()?).ok_or_else(wrong)?);
            }
            "userknownhostsfile" => {
                value()?;
                first(&mut self.user_known_hosts, line.words.clone());
            }
            "globalknownhostsfile" => {
                value()?;
                first(&mut self.global_known_hosts, line.words.clone());
            }
            "hostkeyalias" => first(&mut self.host_key_alias, value()?.to_ascii_lowercase()),
            "connecttimeout" => {
                let time = value()?;
                let time = match time.as_str() {
                    "none" => None,
                    time => Some(duration(time).ok_or_else(wrong)?),
                };
                first(&mut self.connect_timeout, time);
            }
            "serveraliveinterval" => {
                let time = value()?;
                let time = if time == "none" { Some(Duration::ZERO) } else { duration(&time) };
                first(&mut self.alive_interval, time.ok_or_else(wrong)?);
            }
            "serveralivecountmax" => {
                first(&mut self.alive_count, value()?.parse().map_err(|_| wrong())?);
            }
            "addressfamily" => {
                let family = match value()?.to_ascii_lowercase().as_str() {
                    "any" => Family::Any,
                    "inet" => Family::V4,
                    "inet6" => Family::V6,
                    _ => return Err(wrong()),
                };
                first(&mut self.family, family);
            }
            "kexalgorithms" => self.narrow(List::Kex, value()?),
            "ciphers" => self.narrow(List::Ciphers, value()?),
            "macs" => self.narrow(List::Macs, value()?),
            "hostkeyalgorithms" => self.narrow(List::HostKeys, value()?),
            "pubkeyacceptedalgorithms" | "pubkeyacceptedkeytypes" => {
                self.narrow(List::UserKeys, value()?);
            }
            "casignaturealgorithms" => self.narrow(List::Authorities, value()?),
            "requiredrsasize" => {
                first(&mut self.rsa_bits, value()?.parse().map_err(|_| wrong())?);
            }
            // Keys are all that we log in with.
            "pubkeyauthentication" => {
                let on = yes_or_no(&value()?) != Some(false);
                always(&mut self.keys, on.then_some(Never), line)?;
            }
            "preferredauthentications" => {
                let on = value()?.split(',').any(|way| way.trim() == "publickey");
                always(&mut self.ways, on.then_some(Never), line)?;
            }
            // A host may let in only some of our addresses.
            "bindaddress" | "bindinterface" => never(&mut self.bind, line, &value()?)?,
            "canonicalizehostname"
            | "canonicaldomains"
            | "canonicalizemaxdots"
            | "canonicalizepermittedcnames" => {
                return self.canonicalize.set(line).unwrap_or(Ok(()));
            }
            "tag" => first(&mut self.tag, value()?),
            // To look for a key that must not be trusted, and not to find the list, is no look.
            "revokedhostkeys" => never(&mut self.revoked_keys, line, &value()?)?,
            "knownhostscommand" => never(&mut self.known_hosts_command, line, &value()?)?,
            _ => {}
        }
        Ok(())
    }

    fn narrow(&mut self, list: List, line: String) {
        self.algorithms.entry(list).or_insert(line);
    }
}

pub(super) fn is_none(value: &str) -> bool {
    value.eq_ignore_ascii_case("none")
}

fn always(slot: &mut Option<Never>, said: Option<Never>, line: &Line) -> Result<(), ConfigProblem> {
    if slot.is_none() && said.is_none() {
        let text = format!("{} {}", line.spelling, line.words.join(" "));
        return Err(ConfigProblem::Unsupported(text));
    }
    *slot = Some(Never);
    Ok(())
}

pub(super) fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

fn add(list: &mut Vec<String>, value: String) {
    if !list.contains(&value) {
        list.push(value);
    }
}

fn never(slot: &mut Option<Never>, line: &Line, value: &str) -> Result<(), ConfigProblem> {
    let off = ["no", "false", "none"].iter().any(|word| value.eq_ignore_ascii_case(word));
    if slot.is_none() && !off {
        return Err(ConfigProblem::Unsupported(line.spelling.clone()));
    }
    *slot = Some(Never);
    Ok(())
}

pub(super) fn yes_or_no(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

/// Seconds, or numbers with units after them, such as `1m30s`.
fn duration(text: &str) -> Option<Duration> {
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let count: u64 = rest[..end].parse().ok()?;
        let mut letters = rest[end..].chars();
        let unit = match letters.next() {
            None | Some('s' | 'S') => 1,
            Some('m' | 'M') => 60,
            Some('h' | 'H') => 3600,
            Some('d' | 'D') => 86400,
            Some('w' | 'W') => 604_800,
            Some(_) => return None,
        };
        total = total.checked_add(count.checked_mul(unit)?)?;
        rest = letters.as_str();
    }
    // ssh counts in a C int.
    (!text.is_empty() && i32::try_from(total).is_ok()).then(|| Duration::from_secs(total))
}
