//! From a host of the inventory to a login with every default resolved.

pub(super) mod many;
use std::path::PathBuf;
use std::time::Duration;

use inventories::inventory::{Ssh, SshConfig};

use super::hops::{self, Hop};
use remote::config::files::{Reading, Which};
use remote::config::{Settings, Subject, Tokens, files};
use remote::{AgentChoice, Answers, ConfigError, ConfigProblem, FingerprintError, Target};

/// ssh's own `UserKnownHostsFile`.
const USER_KNOWN_HOSTS: [&str; 2] = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"];
/// ssh's own `GlobalKnownHostsFile`.
const GLOBAL_KNOWN_HOSTS: [&str; 2] = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"];
/// ssh's own `ServerAliveCountMax`.
const ALIVE_COUNT: u32 = 3;
/// More hosts on the way are a circle.
const MAX_HOPS: usize = 8;
/// A shorter silence is a hiccup of any network.
const LEAST_SILENCE: Duration = Duration::from_secs(3);
/// A longer one is as good as none, and Linux refuses sockets that probe less often than every nine hours.
const LONGEST_SILENCE: Duration = Duration::from_secs(8 * 3600);

/// The user who runs quorate: where a host's settings name no user or key, SSH's defaults for this user apply.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Name on this machine.
    pub user: String,
    /// Home directory.
    pub home: PathBuf,
    /// What the commands of this person's SSH configuration answered.
    pub answers: Answers,
}

/// Why a host's settings make no login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// A pin is not a fingerprint, which a validated inventory rules out.
    #[error("ssh.host-key {0}")]
    Pin(#[from] FingerprintError),
    /// SSH's configuration cannot be followed.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl LoginError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            LoginError::Pin(_) => None,
            LoginError::Config(error) => Some(error.hint()),
        }
    }
}

/// The login that a host's settings ask for. What they leave out, `~/.ssh/config` and
/// `/etc/ssh/ssh_config` say for the name in `ssh.host`; what these leave out is SSH's default.
///
/// # Errors
/// When SSH's configuration cannot be followed.
pub fn target(ssh: &Ssh, operator: &Operator) -> Result<Target, LoginError> {
    let given = Settings {
        port: ssh.port,
        user: ssh.user.clone(),
        connect_timeout: ssh.connect_timeout.map(Some),
        ..Settings::default()
    };
    let which = match &ssh.config {
        SshConfig::Usual => Which::Usual,
        SshConfig::None => Which::None,
        SshConfig::File(file) => Which::File(file.clone()),
    };
    let reading = Reading { home: &operator.home, which: &which, answers: &operator.answers };
    let mut target = way(&ssh.host, given, None, operator, reading, 0)?;
    if !ssh.identity_files.is_empty() {
        target.identity_files = ssh.identity_files.clone();
    }
    target.host_keys.pins =
        ssh.host_keys.iter().map(|pin| pin.as_str().parse()).collect::<Result<_, _>>()?;
    Ok(target)
}

/// The login at `name` and those at the hosts before it: `before`, or those that the configuration
/// names for this host.
fn way(
    name: &str,
    given: Settings,
    before: Option<&[Hop]>,
    operator: &Operator,
    reading: Reading<'_>,
    depth: usize,
) -> Result<Target, ConfigError> {
    let at = |problem| ConfigError { place: format!("SSH configuration of {name}"), problem };
    if depth > MAX_HOPS {
        return Err(at(ConfigProblem::Circle));
    }
    let subject = Subject { host: name, local_user: &operator.user };
    let settings = files::read(subject, given, reading)?;
    let (mut target, line) = login(name, &settings, operator, reading)?;
    let hops = match before {
        // As in ssh: the hops of the command line take the place of what the file says.
        Some(hops) => {
            target.proxy_command = None;
            hops.to_vec()
        }
        None => hops::parse(&line).ok_or_else(|| {
            at(ConfigProblem::Value { keyword: "ProxyJump".to_owned(), value: line })
        })?,
    };
    if let Some((last, before)) = hops.split_last() {
        // As in ssh: only the first hop may have jump hosts of its own.
        let before = (!before.is_empty()).then_some(before);
        let hop = way(&last.host, last.given.clone(), before, operator, reading, depth + 1)?;
        target.jump = Some(Box::new(hop));
    }
    Ok(target)
}

/// The login that the settings for `original` ask for, and the hops before it.
fn login(
    original: &str,
    settings: &Settings,
    operator: &Operator,
    reading: Reading<'_>,
) -> Result<(Target, String), ConfigError> {
    let host = settings.host_name.clone().unwrap_or_else(|| original.to_owned());
    let user = settings.user.as_deref().unwrap_or(&operator.user);
    let mut target = Target::new(&host, user, &operator.home);
    target.port = settings.port.unwrap_or(target.port);
    target.host_key_alias = settings.host_key_alias.clone();
    target.family = settings.family.unwrap_or_default();
    target.identities_only = settings.identities_only.unwrap_or_default();
    if let Some(timeout) = settings.connect_timeout.flatten().filter(|time| !time.is_zero()) {
        target.connect_timeout = timeout;
    }
    if let Some(interval) = settings.alive_interval.filter(|time| !time.is_zero()) {
        let count = settings.alive_count.unwrap_or(ALIVE_COUNT).max(1);
        target.silence_limit = interval.saturating_mul(count).clamp(LEAST_SILENCE, LONGEST_SILENCE);
    }
    target.algorithms.rsa_bits = settings.rsa_bits.unwrap_or(target.algorithms.rsa_bits);
    for (list, line) in &settings.algorithms {
        target.algorithms.narrow(*list, line).map_err(|list| ConfigError {
            place: format!("SSH configuration of {original}"),
            problem: ConfigProblem::NoAlgorithm { keyword: list.keyword(), value: line.clone() },
        })?;
    }
    let tokens = Tokens {
        home: &operator.home.to_string_lossy(),
        local_user: &operator.user,
        original,
        host: &host,
        port: target.port,
        user,
        key_name: settings.host_key_alias.as_deref().unwrap_or(original),
        uid: rustix::process::getuid().as_raw(),
        machine: &files::machine(),
        variable: &|name| reading.variable(name),
    };
    let at = |problem| ConfigError { place: format!("SSH configuration of {original}"), problem };
    paths(&mut target, settings, &tokens).map_err(at)?;
    let hops = settings.proxy_jump.as_deref().unwrap_or("none");
    // As in ssh, which makes a command of it.
    let hops = tokens.command(hops).map_err(at)?;
    Ok((target, hops))
}

fn paths(
    target: &mut Target,
    settings: &Settings,
    tokens: &Tokens<'_>,
) -> Result<(), ConfigProblem> {
    let fill = |files: &[String]| -> Result<Vec<PathBuf>, ConfigProblem> {
        let named = files.iter().filter(|file| !file.eq_ignore_ascii_case("none"));
        named.map(|file| tokens.path(file).map(PathBuf::from)).collect()
    };
    if !settings.identity_files.is_empty() {
        target.identity_files = fill(&settings.identity_files)?;
    }
    target.certificate_files = fill(&settings.certificate_files)?;
    if let Some(command) = settings.carrier() {
        if settings.proxy_fdpass == Some(true) {
            return Err(ConfigProblem::Unsupported("ProxyUseFdpass".to_owned()));
        }
        target.proxy_command = Some(tokens.command(command)?);
    }
    if let Some(socket) = &settings.identity_agent {
        target.agent = match socket.as_str() {
            "none" => AgentChoice::Off,
            "SSH_AUTH_SOCK" => AgentChoice::Environment,
            socket => AgentChoice::Socket(
                match socket.strip_prefix('$') {
                    Some(name) if !name.starts_with('{') => tokens.path(&format!("${{{name}}}"))?,
                    _ => tokens.path(socket)?,
                }
                .into(),
            ),
        };
    }
    let words = |words: [&str; 2]| words.map(str::to_owned).to_vec();
    let user = settings.user_known_hosts.clone().unwrap_or_else(|| words(USER_KNOWN_HOSTS));
    let global = settings.global_known_hosts.clone().unwrap_or_else(|| words(GLOBAL_KNOWN_HOSTS));
    target.host_keys.known_hosts = fill(&[user, global].concat())?;
    Ok(())
}

#[cfg(test)]
mod commands;
#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use remote::algorithms::List;
    use remote::{RemoteError, connect};

    pub(super) fn ada(home: &Path) -> Operator {
        Operator { user: "ada".to_owned(), home: home.to_owned(), answers: Answers::default() }
    }

    pub(super) fn plain() -> Ssh {
        Ssh {
            host: "10.0.0.1".to_owned(),
            port: None,
            user: None,
            identity_files: Vec::new(),
            host_keys: Vec::new(),
            connect_timeout: None,
            config: SshConfig::Usual,
        }
    }

    /// What becomes of a host's settings when this is the operator's `~/.ssh/config`.
    fn with(config: &str, ssh: &Ssh) -> Result<Target, LoginError> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        std::fs::write(home.path().join(".ssh/config"), config).unwrap();
        target(ssh, &ada(home.path()))
    }

    #[test]
    fn what_nobody_says_is_the_operators() {
        let target = with("", &plain()).unwrap();
        assert_eq!((target.user.as_str(), target.port, target.sudo), ("ada", 22, true));
        assert!(target.host_keys.pins.is_empty());
        let known = &target.host_keys.known_hosts;
        assert!(known[0].ends_with(".ssh/known_hosts") && known.len() == 4, "{known:?}");
    }

    #[test]
    fn what_the_inventory_says_wins() {
        let ssh = Ssh {
            port: Some(2222),
            user: Some("root".to_owned()),
            identity_files: vec![PathBuf::from("/keys/id")],
            connect_timeout: Some(Duration::from_secs(3)),
            ..plain()
        };
        let config = "User ops\nPort 1\nIdentityFile /other\nConnectTimeout 9\n";
        let target = with(config, &ssh).unwrap();
        assert_eq!((target.user.as_str(), target.port, target.sudo), ("root", 2222, false));
        assert_eq!(target.identity_files, [PathBuf::from("/keys/id")]);
        assert_eq!(target.connect_timeout, Duration::from_secs(3));
    }

    #[test]
    fn what_the_inventory_leaves_out_the_configuration_says() {
        let config = "Host 10.*\n HostName host-%h\n Port 2222\n User ops\n \
            IdentityFile /keys/%r@%h:%p\n IdentitiesOnly yes\n IdentityAgent none\n \
            HostKeyAlias etcd\n UserKnownHostsFile /known/%k\n GlobalKnownHostsFile none\n \
            ConnectTimeout 7\n ServerAliveInterval 20\n ServerAliveCountMax 2\n AddressFamily inet\n";
        let target = with(config, &plain()).unwrap();
        assert_eq!(target.host, "host-10.0.0.1");
        assert_eq!((target.user.as_str(), target.port), ("ops", 2222));
        assert_eq!(target.identity_files, [PathBuf::from("/keys/ops@host-10.0.0.1:2222")]);
        assert!(target.identities_only);
        assert_eq!(target.agent, AgentChoice::Off);
        assert_eq!(target.known_as(), ("etcd", 22));
        assert_eq!(target.host_keys.known_hosts, [PathBuf::from("/known/etcd")]);
        assert_eq!(target.connect_timeout, Duration::from_secs(7));
        assert_eq!(target.silence_limit, Duration::from_secs(40));
    }

    #[tokio::test]
    async fn a_socket_takes_the_longest_silence_and_the_shortest() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ssh = Ssh {
            host: "127.0.0.1".to_owned(),
            port: Some(listener.local_addr().unwrap().port()),
            ..plain()
        };
        std::thread::spawn(move || listener.incoming().for_each(drop));
        for (interval, silence) in [("2147483647", LONGEST_SILENCE), ("1", LEAST_SILENCE)] {
            let config = format!("ServerAliveInterval {interval}\nServerAliveCountMax 2\n");
            let mut target = with(&config, &ssh).unwrap();
            target.hang_up_patience = Duration::ZERO;
            assert_eq!(target.silence_limit, silence);
            let error = connect(target).await.unwrap_err();
            assert!(!matches!(error, RemoteError::Connect { .. }), "{error}");
        }
    }

    #[test]
    fn the_user_of_the_inventory_is_the_one_that_blocks_are_matched_with() {
        let ssh = Ssh { user: Some("root".to_owned()), ..plain() };
        let config = "Match user root\n Port 7\nMatch user ada\n Port 8\n";
        assert_eq!(with(config, &ssh).unwrap().port, 7);
        assert_eq!(with(config, &plain()).unwrap().port, 8);
    }

    #[test]
    fn algorithms_are_narrowed_as_the_configuration_says() {
        let config = "Ciphers aes256-ctr\nCiphers aes128-ctr\nMACs -hmac-sha1*\nRequiredRSASize 3000\n\
            KexAlgorithms ^ecdh-sha2-nistp521\nPubkeyAcceptedKeyTypes ssh-ed25519\n\
            HostKeyAlgorithms rsa-sha2-512,ssh-ed25519-cert-v01@openssh.com,ssh-dss\n\
            CASignatureAlgorithms -ecdsa*\n";
        let algorithms = with(config, &plain()).unwrap().algorithms;
        assert_eq!(algorithms.of(List::Ciphers), ["aes256-ctr"]);
        assert!(algorithms.of(List::Macs).iter().all(|name| name.starts_with("hmac-sha2-")));
        assert_eq!(algorithms.of(List::Kex)[0], "ecdh-sha2-nistp521");
        assert_eq!(algorithms.of(List::UserKeys), ["ssh-ed25519"]);
        let host_keys = ["rsa-sha2-512", "ssh-ed25519-cert-v01@openssh.com"];
        assert_eq!(algorithms.of(List::HostKeys), host_keys);
        assert_eq!(
            algorithms.of(List::Authorities),
            ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"]
        );
        assert_eq!(algorithms.rsa_bits, 3000);
        for (line, words) in [
            ("Ciphers aes999-ctr", "Ciphers aes999-ctr leaves no algorithm"),
            ("HostKeyAlgorithms ssh-dss", "leaves no algorithm"),
            ("CASignatureAlgorithms ssh-rsa", "leaves no algorithm"),
            ("PubkeyAuthentication no", "PubkeyAuthentication no is not supported"),
            ("PreferredAuthentications password", "is not supported"),
        ] {
            let error = with(line, &plain()).unwrap_err();
            assert!(error.to_string().contains(words) && error.hint().is_some(), "{error}");
        }
        with("PreferredAuthentications gssapi,publickey\nPubkeyAuthentication unbound\n", &plain())
            .unwrap();
    }

    #[test]
    fn each_hop_has_a_login_of_its_own() {
        let config = "Host 10.*\n ProxyJump gate,ops@inner:7\nHost gate\n HostName gate.example.net\n \
            User porter\n ProxyJump outer\nHost inner\n Port 8\n IdentityFile /inner\n ProxyJump never\n";
        let target = with(config, &plain()).unwrap();
        let mut way = Vec::new();
        let mut next = target.jump.as_deref();
        while let Some(hop) = next {
            way.push((hop.user.as_str(), hop.host.as_str(), hop.port));
            next = hop.jump.as_deref();
        }
        let expected =
            [("ops", "inner", 7), ("porter", "gate.example.net", 22), ("ada", "outer", 22)];
        assert_eq!(way, expected);
        assert_eq!(target.jump.unwrap().identity_files, [PathBuf::from("/inner")]);
    }

    #[test]
    fn hops_are_named_with_tokens() {
        let config = "Host 10.*\n ProxyJump u-%r@gate-%n:%p,[fe80::7%%eth0]:7\n User ops\n";
        let target = with(config, &plain()).unwrap();
        let last = target.jump.unwrap();
        let first = last.jump.unwrap();
        assert_eq!((last.host.as_str(), last.port), ("fe80::7%eth0", 7));
        assert_eq!((first.user.as_str(), first.host.as_str()), ("u-ops", "gate-10.0.0.1"));
        assert_eq!(first.port, 22);
        let error = with("Host 10.*\n ProxyJump gate-%z\n", &plain()).unwrap_err();
        assert!(error.to_string().contains("%z in 'gate-%z' cannot be filled in"), "{error}");
    }

    #[test]
    fn jump_hosts_that_lead_to_each_other_are_refused() {
        let error = with("ProxyJump gate\n", &plain()).unwrap_err();
        assert!(error.to_string().contains("go through each other"), "{error}");
    }

    #[test]
    fn a_line_that_cannot_be_followed_is_named() {
        let error = with("Host *\n BindAddress 10.0.0.9\n", &plain()).unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with("/.ssh/config:2: BindAddress is not supported"), "{text}");
        assert!(error.hint().is_some());
    }

    #[test]
    fn a_configuration_that_others_can_write_is_not_read() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".ssh/config");
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        std::fs::write(&file, "User ops\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o664)).unwrap();
        let error = target(&plain(), &ada(home.path())).unwrap_err();
        assert!(error.to_string().contains("can be written by others"), "{error}");
    }
}
