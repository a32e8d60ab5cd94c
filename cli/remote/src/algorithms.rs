//! Which algorithms a login may use: what OpenSSH offers by default and libssh2 has, or what the
//! configuration of ssh made of that. libssh2's own offer holds some that OpenSSH gave up.

use std::sync::OnceLock;

use ssh2::{MethodType, Session};

use super::identity::{rsa_bits, string};
use super::known_hosts::matches_pattern;

/// A list of algorithms that both sides agree on one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// `KexAlgorithms`
    Kex,
    /// `Ciphers`
    Ciphers,
    /// `MACs`
    Macs,
    /// `HostKeyAlgorithms`
    HostKeys,
    /// `PubkeyAcceptedAlgorithms`
    UserKeys,
    /// `CASignatureAlgorithms`
    Authorities,
}

impl List {
    /// All of them.
    pub const ALL: [List; 6] =
        [List::Kex, List::Ciphers, List::Macs, List::HostKeys, List::UserKeys, List::Authorities];

    /// What `ssh_config` calls it.
    pub fn keyword(self) -> &'static str {
        match self {
            List::Kex => "KexAlgorithms",
            List::Ciphers => "Ciphers",
            List::Macs => "MACs",
            List::HostKeys => "HostKeyAlgorithms",
            List::UserKeys => "PubkeyAcceptedAlgorithms",
            List::Authorities => "CASignatureAlgorithms",
        }
    }

    /// OpenSSH's defaults, in its order, as far as libssh2 may have them, and we can verify.
    fn defaults(self) -> &'static [&'static str] {
        match self {
            List::Kex => &[
                "mlkem768x25519-sha256",
                "curve25519-sha256",
                "curve25519-sha256@libssh.org",
                "ecdh-sha2-nistp256",
                "ecdh-sha2-nistp384",
                "ecdh-sha2-nistp521",
                "diffie-hellman-group-exchange-sha256",
                "diffie-hellman-group16-sha512",
                "diffie-hellman-group18-sha512",
                "diffie-hellman-group14-sha256",
            ],
            List::Ciphers => &[
                "chacha20-poly1305@openssh.com",
                "aes128-ctr",
                "aes192-ctr",
                "aes256-ctr",
                "aes128-gcm@openssh.com",
                "aes256-gcm@openssh.com",
            ],
            List::Macs => &[
                "hmac-sha2-256-etm@openssh.com",
                "hmac-sha2-512-etm@openssh.com",
                "hmac-sha1-etm@openssh.com",
                "hmac-sha2-256",
                "hmac-sha2-512",
                "hmac-sha1",
            ],
            List::HostKeys => &[
                "ssh-ed25519-cert-v01@openssh.com",
                "ecdsa-sha2-nistp256-cert-v01@openssh.com",
                "ecdsa-sha2-nistp384-cert-v01@openssh.com",
                "ecdsa-sha2-nistp521-cert-v01@openssh.com",
                "rsa-sha2-512-cert-v01@openssh.com",
                "rsa-sha2-256-cert-v01@openssh.com",
                "ssh-ed25519",
                "ecdsa-sha2-nistp256",
                "ecdsa-sha2-nistp384",
                "ecdsa-sha2-nistp521",
                "rsa-sha2-512",
                "rsa-sha2-256",
            ],
            List::Authorities => &[
                "ssh-ed25519",
                "ecdsa-sha2-nistp256",
                "ecdsa-sha2-nistp384",
                "ecdsa-sha2-nistp521",
                "rsa-sha2-512",
                "rsa-sha2-256",
            ],
            List::UserKeys => &[
                "ssh-ed25519-cert-v01@openssh.com",
                "ecdsa-sha2-nistp256-cert-v01@openssh.com",
                "ecdsa-sha2-nistp384-cert-v01@openssh.com",
                "ecdsa-sha2-nistp521-cert-v01@openssh.com",
                "sk-ssh-ed25519-cert-v01@openssh.com",
                "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
                "rsa-sha2-512-cert-v01@openssh.com",
                "rsa-sha2-256-cert-v01@openssh.com",
                "ssh-ed25519",
                "ecdsa-sha2-nistp256",
                "ecdsa-sha2-nistp384",
                "ecdsa-sha2-nistp521",
                "sk-ssh-ed25519@openssh.com",
                "sk-ecdsa-sha2-nistp256@openssh.com",
                "rsa-sha2-512",
                "rsa-sha2-256",
            ],
        }
    }

    /// All that this build of libssh2 has, weak ones too: what somebody asks for by name.
    fn supported(self) -> &'static [&'static str] {
        static LISTS: OnceLock<[Vec<&'static str>; 3]> = OnceLock::new();
        let [kex, ciphers, macs] = LISTS.get_or_init(|| {
            [MethodType::Kex, MethodType::CryptCs, MethodType::MacCs].map(|method| {
                let session = Session::new();
                // Without a session nothing is offered, and the login says why.
                session.and_then(|session| session.supported_algs(method)).unwrap_or_default()
            })
        });
        match self {
            List::Kex => kex,
            List::Ciphers => ciphers,
            List::Macs => macs,
            List::HostKeys | List::UserKeys | List::Authorities => self.defaults(),
        }
    }

    /// The list that a line of `ssh_config` results in, by OpenSSH's rules: a list replaces the defaults, `+`
    /// adds to them, `-` takes from them, and `^` puts something before them. Empty where libssh2
    /// has none of it.
    fn choose(self, line: &str) -> Vec<String> {
        let defaults = self.defaults().iter().map(|name| (*name).to_owned());
        let names = |given: &str| -> Vec<String> {
            let patterns = given.split(',').filter(|pattern| !pattern.is_empty());
            let found = patterns.flat_map(|pattern| {
                self.supported().iter().filter(move |name| matches_pattern(pattern, name))
            });
            found.map(|name| (*name).to_owned()).collect()
        };
        let wanted: Vec<String> = match (line.get(..1), line.get(1..)) {
            (Some("+"), Some(given)) => defaults.chain(names(given)).collect(),
            (Some("^"), Some(given)) => names(given).into_iter().chain(defaults).collect(),
            (Some("-"), Some(given)) => {
                let gone =
                    |name: &String| given.split(',').any(|pattern| matches_pattern(pattern, name));
                defaults.filter(|name| !gone(name)).collect()
            }
            _ => names(line),
        };
        let mut chosen = Vec::new();
        for name in wanted {
            if self.supported().contains(&name.as_str()) && !chosen.contains(&name) {
                chosen.push(name);
            }
        }
        chosen
    }
}

/// The algorithms of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms {
    chosen: [Vec<String>; List::ALL.len()],
    /// The shortest RSA key that counts, of hosts and of users, in bits.
    pub rsa_bits: u32,
}

/// ssh's own `RequiredRSASize`.
const RSA_BITS: u32 = 1024;

impl Default for Algorithms {
    fn default() -> Self {
        let chosen = List::ALL.map(|list| list.choose("+"));
        Self { chosen, rsa_bits: RSA_BITS }
    }
}

impl Algorithms {
    /// Obeys a line of `ssh_config`. `Err` where libssh2 has nothing of what it leaves.
    pub fn narrow(&mut self, list: List, line: &str) -> Result<(), List> {
        let chosen = list.choose(line);
        if chosen.is_empty() {
            return Err(list);
        }
        self.chosen[list as usize] = chosen;
        Ok(())
    }

    /// What is offered, the preferred ones first.
    pub fn of(&self, list: List) -> &[String] {
        &self.chosen[list as usize]
    }

    /// Tells a session what to offer.
    pub fn offer(&self, session: &Session, host_keys: &str) -> Result<(), ssh2::Error> {
        let offer = |method, list| session.method_pref(method, &self.of(list).join(","));
        offer(MethodType::Kex, List::Kex)?;
        offer(MethodType::CryptCs, List::Ciphers)?;
        offer(MethodType::CryptSc, List::Ciphers)?;
        offer(MethodType::MacCs, List::Macs)?;
        offer(MethodType::MacSc, List::Macs)?;
        session.method_pref(MethodType::HostKey, host_keys)?;
        let signs = ["rsa-sha2-512", "rsa-sha2-256"];
        let signs: Vec<&str> = signs.into_iter().filter(|name| self.signs_with(name)).collect();
        if !signs.is_empty() {
            session.method_pref(MethodType::SignAlgo, &signs.join(","))?;
        }
        Ok(())
    }

    /// Why a public key or certificate may not be used to log in, if so.
    pub fn objection(&self, public: &[u8]) -> Option<String> {
        let (kind, _) = string(public)?;
        let kind = std::str::from_utf8(kind).ok()?;
        if !self.takes_user_key(kind) {
            return Some(format!("is {kind}, which PubkeyAcceptedAlgorithms leaves out"));
        }
        let bits = rsa_bits(public).filter(|bits| *bits < self.rsa_bits)?;
        Some(format!("has {bits} bits, and RequiredRSASize is {}", self.rsa_bits))
    }

    fn takes_user_key(&self, kind: &str) -> bool {
        match kind {
            "ssh-rsa" => self.has_any(List::UserKeys, &["rsa-sha2-512", "rsa-sha2-256"]),
            "ssh-rsa-cert-v01@openssh.com" => self.has_any(
                List::UserKeys,
                &["rsa-sha2-512-cert-v01@openssh.com", "rsa-sha2-256-cert-v01@openssh.com"],
            ),
            kind => self.has_any(List::UserKeys, &[kind]),
        }
    }

    fn signs_with(&self, name: &str) -> bool {
        let certified = format!("{name}-cert-v01@openssh.com");
        self.has_any(List::UserKeys, &[name, &certified])
    }

    fn has_any(&self, list: List, names: &[&str]) -> bool {
        self.of(list).iter().any(|chosen| names.contains(&chosen.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What `ssh -G` makes of a line, as far as libssh2 has it.
    fn reference(list: List, line: Option<&str>) -> Vec<String> {
        let mut ssh = Command::new("ssh");
        ssh.args(["-G", "-F", "none"]);
        if let Some(line) = line {
            ssh.arg("-o").arg(format!("{}={line}", list.keyword()));
        }
        let output = ssh.arg("host").output().unwrap();
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let keyword = format!("{} ", list.keyword().to_ascii_lowercase());
        let chosen = text.lines().find_map(|line| line.strip_prefix(&keyword)).unwrap();
        let has = |name: &&str| list.supported().contains(name);
        chosen.split(',').filter(has).map(str::to_owned).collect()
    }

    #[test]
    fn nothing_is_offered_that_openssh_does_not_offer_by_default() {
        for list in List::ALL {
            let ours = list.choose("+");
            assert!(!ours.is_empty());
            // Newer than the ssh of some machines.
            let ours: Vec<_> =
                ours.into_iter().filter(|name| name != "mlkem768x25519-sha256").collect();
            let theirs: Vec<_> = reference(list, None)
                .into_iter()
                .filter(|name| name != "mlkem768x25519-sha256")
                .collect();
            let mut sorted = [ours, theirs];
            sorted.iter_mut().for_each(|names| names.sort());
            assert_eq!(sorted[0], sorted[1], "{}", list.keyword());
        }
    }

    #[test]
    fn lines_are_obeyed_as_ssh_obeys_them() {
        for (list, lines) in [
            (
                List::Kex,
                &[
                    "curve25519-sha256",
                    "ecdh-sha2-nistp521,sntrup761x25519-sha512@openssh.com,curve25519-sha256",
                    "-*nistp*,diffie*",
                    "-sntrup*,curve25519-sha256",
                    "^ecdh-sha2-nistp384",
                    "+diffie-hellman-group14-sha1",
                ][..],
            ),
            (
                List::Ciphers,
                &[
                    "aes256-gcm@openssh.com,aes256-ctr",
                    "-chacha20*,aes1??-ctr",
                    "^aes256-gcm@openssh.com",
                    "+aes256-cbc",
                    "^3des-cbc",
                    "-*",
                    "-none",
                ],
            ),
            (List::Macs, &["hmac-sha2-512-etm@openssh.com", "-*-etm@*,hmac-sha1", "+hmac-md5"]),
            (
                List::HostKeys,
                &["ssh-ed25519", "-ssh-ed25519*", "^rsa-sha2-256", "*nistp*,ssh-ed25519"],
            ),
            (List::UserKeys, &["ssh-ed25519,rsa-sha2-*", "-rsa*", "-*-cert-*"]),
        ] {
            for line in lines {
                let keyword = list.keyword();
                // ssh itself gives up where nothing is left.
                let expected = if *line == "-*" { Vec::new() } else { reference(list, Some(line)) };
                let mut both = [list.choose(line), expected];
                for names in &mut both {
                    names.retain(|name| name != "mlkem768x25519-sha256");
                    // What a pattern stands for is in the order of ssh's own table.
                    if line.contains('*') {
                        names.sort();
                    }
                }
                assert_eq!(both[0], both[1], "{keyword} {line}");
            }
        }
    }

    #[test]
    fn a_line_that_leaves_nothing_is_an_error() {
        for list in List::ALL {
            for line in ["-*", "no-such-thing", "", "^"] {
                let narrowed = Algorithms::default().narrow(list, line);
                assert_eq!(narrowed, if line == "^" { Ok(()) } else { Err(list) }, "{line}");
            }
        }
    }
}
