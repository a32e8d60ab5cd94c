//! What to do about an error. Advice is about the host that the error is about: what the inventory
//! says holds for its own hosts, and a jump host is known by the configuration of ssh alone.

use super::auth::{Attempt, AuthenticationEnd, AuthenticationError, Outcome, Unanswered};
use super::error::{RemoteError, SudoRefusal};
use super::frame::FrameError;
use super::host_key::lookup_name;
use super::host_trust::HostKeyError;
use crate::passphrases::NoPassphrase;

/// Which host on the way an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The host that we want to reach, which the inventory describes.
    End,
    /// A host that the way leads through.
    Jump,
}

/// Where a firewall that counts connections is looked at.
const FIREWALLS: &str = "fail2ban-client status sshd; ufw status; nft list ruleset";

impl RemoteError {
    /// What to try next.
    pub fn hint(&self) -> Option<String> {
        self.hint_at(Place::End)
    }

    fn hint_at(&self, place: Place) -> Option<String> {
        let text = match self {
            RemoteError::Hop { error, .. } => return error.hint_at(Place::Jump),
            RemoteError::HostKey(error) => return error.hint_at(place),
            RemoteError::Authentication(error) => error.hint_at(place),
            RemoteError::Resolve { .. } => match place {
                Place::End => "check the name, or set ssh.host to an address".to_owned(),
                Place::Jump => {
                    "check the name in ProxyJump, or set HostName for it in ~/.ssh/config".to_owned()
                }
            },
            RemoteError::Connect { address, .. } => {
                let port = address.port();
                match place {
                    Place::End => format!(
                        "check that the host is up and that port {port} is open from here; ssh.host and ssh.port set where quorate connects; if it worked a moment ago, a firewall may have banned your address"
                    ),
                    Place::Jump => format!(
                        "check that the jump host is up and that port {port} is open from here; ProxyJump, HostName and Port in ~/.ssh/config set where quorate connects; if it worked a moment ago, a firewall may have banned your address"
                    ),
                }
            }
            RemoteError::Limited { .. } => format!(
                "a firewall bans or limits your address. Exempt it there: {FIREWALLS}. Or go through one connection of ssh: ControlMaster and ProxyCommand, as docs/operations.md shows"
            ),
            RemoteError::Proxy { .. } => {
                "check that ssh gets through: ssh -v HOST. The ProxyCommand runs without a terminal, so its own login must not prompt for anything".to_owned()
            }
            RemoteError::Forward { hop, to, .. } => format!(
                "check that {to} is up and reachable from {hop}, and that sshd on {hop} allows it (AllowTcpForwarding)"
            ),
            RemoteError::Banner { .. } => {
                let port = match place {
                    Place::End => "ssh.port",
                    Place::Jump => "the jump host's port in ~/.ssh/config",
                };
                format!("check that sshd listens on {port}")
            }
            RemoteError::HungUp { said, .. } => place.after_hanging_up(said),
            RemoteError::KeyExchange { .. } => {
                "the server and quorate share no algorithm: compare KexAlgorithms, HostKeyAlgorithms, Ciphers and MACs in its sshd_config and in ~/.ssh/config"
                    .to_owned()
            }
            RemoteError::Session { .. } => {
                "see MaxSessions, ForceCommand and the user's shell on the host".to_owned()
            }
            RemoteError::Sudo { user, why, .. } => why.hint(user),
            RemoteError::Frame {
                why: FrameError::Missing { .. } | FrameError::Flood { .. }, ..
            } => {
                "log in with ssh and look at what the shell prints: a ForceCommand, or a shell that runs no commands, gets in the way"
                    .to_owned()
            }
            RemoteError::Killed { .. } => {
                "run 'journalctl -k' on the host: the kernel kills processes when memory runs out".to_owned()
            }
            RemoteError::Frame { .. } | RemoteError::Deadline { .. } | RemoteError::Lost { .. } => {
                "run the command again: it looks at the host before it acts".to_owned()
            }
            RemoteError::Argument(_) => return None,
        };
        Some(text)
    }
}

impl Place {
    /// What helps where a key is accepted and is not enough.
    fn without_second_factor(self, user: &str, wanted: &str, why: &Unanswered) -> String {
        let host = match self {
            Place::End => "the host",
            Place::Jump => "the jump host",
        };
        let exempt = format!(
            "with these lines in sshd_config on {host}:\nMatch User {user}\n    AuthenticationMethods publickey"
        );
        match why {
            Unanswered::Nobody(NoPassphrase::Nobody) => {
                format!("run it at a terminal, or let this login in with a key alone, {exempt}")
            }
            Unanswered::Nobody(_) => "run it again, and answer the host's question".to_owned(),
            Unanswered::NotAsked => format!(
                "see what sshd says on {host} (journalctl -u ssh -u sshd): {wanted} needs UsePAM; or let this login in with a key alone, {exempt}"
            ),
            Unanswered::Unsupported => format!("let this login in with a key alone, {exempt}"),
        }
    }

    fn after_hanging_up(self, said: &str) -> String {
        let host = match self {
            Place::End => "the host",
            Place::Jump => "the jump host",
        };
        if said.contains("MaxStartups") {
            return format!(
                "raise MaxStartups in sshd_config on {host}, or try a lower --parallelism: sshd drops logins that come at once"
            );
        }
        format!(
            "see what sshd on {host} says (journalctl -u ssh -u sshd): it drops logins that come at once (MaxStartups), and bans \
             addresses whose logins failed (PerSourcePenalties, since OpenSSH 9.8), as fail2ban does; a ban ends after minutes"
        )
    }
}

impl HostKeyError {
    fn hint_at(&self, place: Place) -> Option<String> {
        match (self, place) {
            (
                HostKeyError::Unknown { host, port, offered }
                | HostKeyError::OtherKind { host, port, offered, .. }
                | HostKeyError::Authority { host, port, offered, .. },
                Place::End,
            ) => Some(format!(
                "compare the fingerprint on the host (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), then run \
                 'quorate trust', or paste one of these:\n\
                 in the inventory:  ssh.host-key = \"{}\"\n\
                 in known_hosts:    {}",
                offered.fingerprint(),
                offered.known_hosts_line(host, *port)
            )),
            (
                HostKeyError::Unknown { host, port, offered }
                | HostKeyError::OtherKind { host, port, offered, .. }
                | HostKeyError::Authority { host, port, offered, .. },
                Place::Jump,
            ) => Some(format!(
                "compare the fingerprint on the jump host (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), \
                 then add this line to ~/.ssh/known_hosts:\n{}",
                offered.known_hosts_line(host, *port)
            )),
            (HostKeyError::Changed { host, port, .. }, Place::End) => Some(format!(
                "nothing was sent to the host; if it was reinstalled, check its new fingerprint there, then \
                 \nif the key is pinned: quorate trust\nif it is in known_hosts: ssh-keygen -R '{}', then quorate trust",
                lookup_name(host, *port)
            )),
            (HostKeyError::Changed { host, port, offered, .. }, Place::Jump) => Some(format!(
                "nothing was sent to the jump host; if it was reinstalled, check its new fingerprint there, \
                 then remove its old key with: ssh-keygen -R '{}'\n\
                 and add this line to ~/.ssh/known_hosts:\n{}",
                lookup_name(host, *port),
                offered.known_hosts_line(host, *port)
            )),
            (HostKeyError::Revoked { .. }, Place::End) => {
                Some("give the host a new host key; a revoked one may be in other hands".to_owned())
            }
            (HostKeyError::Revoked { .. }, Place::Jump) => Some(
                "give the jump host a new host key; a revoked one may be in other hands".to_owned(),
            ),
            (HostKeyError::RevokedAuthority { .. }, Place::End | Place::Jump) => Some(
                "give the host a certificate of another authority; the key of a revoked one may be in other hands".to_owned(),
            ),
            (HostKeyError::Certificate { .. } | HostKeyError::Garbled(_), Place::End) => Some(
                "give the host a new certificate: ssh-keygen -s CA -h -n NAME -I ID KEY.pub, where NAME is the name in ssh.host (or HostName)\nor pin the host's own key: quorate trust".to_owned(),
            ),
            (HostKeyError::Certificate { .. } | HostKeyError::Garbled(_), Place::Jump) => Some(
                "give the jump host a new certificate: ssh-keygen -s CA -h -n NAME -I ID KEY.pub, where NAME is the name that ProxyJump (or its HostName) says".to_owned(),
            ),
            (HostKeyError::Short { .. }, Place::End) => {
                Some("give the host a longer key: ssh-keygen -t ed25519".to_owned())
            }
            (HostKeyError::Short { .. }, Place::Jump) => {
                Some("give the jump host a longer key: ssh-keygen -t ed25519".to_owned())
            }
            (HostKeyError::Unreadable { .. }, Place::End | Place::Jump) => None,
        }
    }
}

impl AuthenticationError {
    fn hint_at(&self, place: Place) -> String {
        for Attempt { key, outcome } in &self.attempts {
            match outcome {
                Outcome::Locked(NoPassphrase::Nobody) => {
                    return format!(
                        "run it at a terminal, or: ssh-add {key}, or let a program answer: \
                         SSH_ASKPASS=PROGRAM SSH_ASKPASS_REQUIRE=force"
                    );
                }
                Outcome::Locked(_) => return format!("run: ssh-add {key}"),
                Outcome::Ended { .. } => {
                    return "ask the CA that signs them for a new certificate".to_owned();
                }
                Outcome::Refused
                | Outcome::Accepted
                | Outcome::NotInAgent
                | Outcome::InToken
                | Outcome::Failed(_) => {}
            }
        }
        let user = &self.user;
        if self.attempts.iter().any(|attempt| attempt.outcome == Outcome::InToken) {
            let name = match place {
                Place::End => "name it with ssh.identity-file".to_owned(),
                Place::Jump => {
                    "name it with IdentityFile for the jump host in ~/.ssh/config".to_owned()
                }
            };
            return format!(
                "log in with a key that is not in a token: create one with ssh-keygen -t ed25519, add it to \
                 ~/.ssh/authorized_keys of {user} on the host, and {name}"
            );
        }
        match (&self.end, place) {
            (AuthenticationEnd::MoreWanted { wanted, why }, _) => {
                place.without_second_factor(user, wanted, why)
            }
            (AuthenticationEnd::HungUp { .. }, Place::End) => {
                "set ssh.identity-file to the right key: the host allows few attempts (MaxAuthTries)".to_owned()
            }
            (AuthenticationEnd::HungUp { .. }, Place::Jump) => {
                "set IdentityFile to the right key, and IdentitiesOnly, for the jump host in ~/.ssh/config: it allows few attempts (MaxAuthTries)".to_owned()
            }
            (AuthenticationEnd::Exhausted { .. }, Place::End) => format!(
                "add one of these keys to ~/.ssh/authorized_keys of {user} on the host, or name another with ssh.identity-file or ssh.user"
            ),
            (AuthenticationEnd::Exhausted { .. }, Place::Jump) => format!(
                "add one of these keys to ~/.ssh/authorized_keys of {user} on the jump host, or name another with IdentityFile or User for it in ~/.ssh/config"
            ),
        }
    }
}

impl SudoRefusal {
    fn hint(self, user: &str) -> String {
        match self {
            SudoRefusal::Missing => {
                "install sudo on the host, or log in as root (ssh.user)".to_owned()
            }
            SudoRefusal::Terminal => format!(
                "add this line to /etc/sudoers.d/quorate on the host (visudo -f): Defaults:{user} !requiretty"
            ),
            SudoRefusal::Password | SudoRefusal::NotAllowed | SudoRefusal::Other => format!(
                "add this line to /etc/sudoers.d/quorate on the host (visudo -f): {user} ALL=(root) NOPASSWD: ALL"
            ),
        }
    }
}
