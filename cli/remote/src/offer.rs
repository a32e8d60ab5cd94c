//! Offering keys to a host, one after the other: certificates, the identity files in their order,
//! each through the agent if it holds the key, then the other keys of the agent.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh2::ErrorCode;

use super::agent::AgentKeys;
use super::auth::{Attempt, AuthenticationEnd, Outcome};
use super::certificate::Certificate;
use super::identity::{self, Identity, Usable};
use super::link::{Link, Stopped, is_broken};
use super::second_factor;
use super::target::Target;
use crate::bounded;
use crate::passphrases::Tried;

/// libssh2's codes for "the server did not accept this key"; any other code is not about the key.
const REFUSALS: [i32; 2] = [-18, -19];
/// What it says where the server refuses although the key is signed with: mostly it accepts it and wants more.
const SIGNED_IN_VAIN: &str = "Invalid signature for supplied public key";
/// What it says under one of them although the server did: our key could not sign.
const UNSIGNED: &str = "Callback returned error";
/// libssh2's codes for a key file that it can't use, and for one that a passphrase does not open.
const BAD_FILE: [i32; 2] = [-16, -48];

/// Why a certificate of an RSA key can't be used when only the agent has its key.
const RSA_CERTIFICATE: &str = "is a certificate of an RSA key in the agent, which is not supported: \
    name the key's file as IdentityFile, or have an Ed25519 or ECDSA key signed";

/// A login that is under way.
pub(super) struct Login<'a> {
    link: &'a Link,
    target: &'a Target,
    patience: Duration,
    deadline: Instant,
    attempts: Vec<Attempt>,
}

/// What the host made of a key.
enum Offered {
    LetIn,
    Refused,
    /// The host may take it, and it can't be used here.
    Unusable,
    Failed(String),
}

/// Why no further key is offered.
enum Over {
    /// The host hung up, and what that looked like.
    HungUp(String),
    /// The host accepted a key, and wants these methods as well.
    MoreWanted(String),
}

impl<'a> Login<'a> {
    pub(super) fn new(link: &'a Link, target: &'a Target, patience: Duration) -> Self {
        let deadline = Instant::now() + patience;
        Self { link, target, patience, deadline, attempts: Vec::new() }
    }

    /// Every key that was considered, and how it ended, unless one let us in.
    pub(super) fn try_all(mut self) -> Result<(), (Vec<Attempt>, AuthenticationEnd)> {
        let end = match self.offer_all() {
            Ok(true) => return Ok(()),
            Ok(false) => AuthenticationEnd::Exhausted { accepted: self.accepted_methods() },
            Err(Over::HungUp(why)) => AuthenticationEnd::HungUp { why },
            Err(Over::MoreWanted(wanted)) => {
                match second_factor::give(self.link, self.target, wanted) {
                    Ok(()) => return Ok(()),
                    Err(end) => end,
                }
            }
        };
        Err((self.attempts, end))
    }

    fn offer_all(&mut self) -> Result<bool, Over> {
        let target = self.target;
        let mut agent = self.open_agent();
        let identities: Vec<Identity> =
            target.identity_files.iter().map(|path| Identity::read(path)).collect();
        for certificate in self.certificates(&identities) {
            if self.try_certificate(&certificate, &identities, agent.as_mut())? {
                return Ok(true);
            }
        }
        for identity in &identities {
            if self.try_identity(identity, agent.as_mut())? {
                return Ok(true);
            }
        }
        let Some(agent) = agent.filter(|_| !target.identities_only) else { return Ok(false) };
        for key in agent.left() {
            let name = AgentKeys::name(key);
            if self.is_left_out(&name, key.blob()) {
                continue;
            }
            if !AgentKeys::can_sign(key.blob()) {
                self.note(name, Outcome::Failed(RSA_CERTIFICATE.to_owned()));
                continue;
            }
            if self.attempt(name, || agent.log_in(&target.user, key))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those that are named, then those beside the identity files; each once.
    fn certificates(&mut self, identities: &[Identity]) -> Vec<Certificate> {
        let mut found: Vec<Certificate> = Vec::new();
        for path in &self.target.certificate_files {
            match Certificate::read(path) {
                Ok(certificate) => found.push(certificate),
                Err(why) => self.note(path.display().to_string(), Outcome::Failed(why)),
            }
        }
        for certificate in identities.iter().filter_map(|key| Certificate::beside(&key.path)) {
            if found.iter().all(|other| other.blob != certificate.blob) {
                found.push(certificate);
            }
        }
        found
    }

    fn try_certificate(
        &mut self,
        certificate: &Certificate,
        identities: &[Identity],
        agent: Option<&mut AgentKeys>,
    ) -> Result<bool, Over> {
        let target = self.target;
        let name = certificate.path.display().to_string();
        if self.is_left_out(&name, &certificate.blob) {
            return Ok(false);
        }
        let certified = |key: &&Identity| key.public.as_ref() == Some(&certificate.key);
        let identity = identities.iter().find(certified);
        let is_in_agent = agent.as_ref().is_some_and(|agent| agent.holds(&certificate.key));
        let can_sign = AgentKeys::can_sign(&certificate.blob);
        let held = agent.filter(|_| can_sign).and_then(|agent| agent.take(Some(&certificate.blob)));
        let let_in = if let Some((agent, key)) = held {
            self.attempt(name, || agent.log_in(&target.user, &key))?
        } else {
            match identity.map(|identity| (&identity.usable, identity)) {
                Some((Usable::Yes, key)) => self.attempt(name, || {
                    let file = Some(certificate.path.as_path());
                    self.link.session.userauth_pubkey_file(&target.user, file, &key.path, None)
                })?,
                Some((Usable::Locked, key)) => {
                    self.try_locked(name, key, Some(&certificate.blob))?
                }
                _ => {
                    let why = if !can_sign {
                        RSA_CERTIFICATE
                    } else if is_in_agent {
                        "the agent has its key alone: add it again with the certificate beside it"
                    } else {
                        "is for none of the identity files"
                    };
                    self.note(name, Outcome::Failed(why.to_owned()));
                    false
                }
            }
        };
        if !let_in
            && let Some(at) = certificate.ended(SystemTime::now())
            && let Some(last) = self.attempts.last_mut()
            && last.outcome == Outcome::Refused
        {
            last.outcome = Outcome::Ended { at };
        }
        Ok(let_in)
    }

    fn try_identity(
        &mut self,
        identity: &Identity,
        agent: Option<&mut AgentKeys>,
    ) -> Result<bool, Over> {
        let user = &self.target.user;
        let name = identity.path.display().to_string();
        if identity.public.as_ref().is_some_and(|public| self.is_left_out(&name, public)) {
            return Ok(false);
        }
        if let Some((agent, key)) = agent.and_then(|agent| agent.take(identity.public.as_deref())) {
            return self.attempt(name, || agent.log_in(user, &key));
        }
        let outcome = match &identity.usable {
            Usable::Yes => {
                return self.attempt(name, || {
                    self.link.session.userauth_pubkey_file(user, None, &identity.path, None)
                });
            }
            Usable::Locked => return self.try_locked(name, identity, identity.public.as_deref()),
            Usable::PublicOnly => Outcome::NotInAgent,
            Usable::Unreadable(why) => Outcome::Failed(why.clone()),
        };
        self.note(name, outcome);
        Ok(false)
    }

    /// Offers a key that has a passphrase. It is asked for only where the host would take the key.
    fn try_locked(
        &mut self,
        name: String,
        identity: &Identity,
        public: Option<&[u8]>,
    ) -> Result<bool, Over> {
        let target = self.target;
        let text = match bounded::read(&identity.path, bounded::SMALL) {
            // In a key that is encrypted nothing is secret.
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => {
                self.note(name, Outcome::Failed(error.to_string()));
                return Ok(false);
            }
        };
        let public = public.and_then(public_line);
        let with = |login: &mut Self, passphrase: &str| {
            let link = login.link;
            login.offer(|| {
                let (user, public) = (&target.user, public.as_deref());
                link.session.userauth_pubkey_memory(user, public, &text, Some(passphrase))
            })
        };
        let passphrases = Arc::clone(&target.passphrases);
        if public.is_some() && !passphrases.knows(&identity.path) {
            // Not `None`: OpenSSL would ask on its own.
            match with(self, "") {
                Ok(Offered::Unusable) => {}
                Ok(offered) => return Ok(self.noted(name, offered)),
                Err(over) => return Err(self.ended(name, over)),
            }
        }
        let opened = passphrases.open(&identity.path, |passphrase| {
            self.deadline = Instant::now() + self.patience;
            match with(self, passphrase.expose()) {
                Ok(Offered::Unusable) => Tried::Wrong,
                other => Tried::Right(other),
            }
        });
        match opened {
            Ok(Ok(offered)) => Ok(self.noted(name, offered)),
            Ok(Err(over)) => Err(self.ended(name, over)),
            Err(why) => {
                self.note(name, Outcome::Locked(why));
                Ok(false)
            }
        }
    }

    fn attempt(
        &mut self,
        name: String,
        operation: impl FnMut() -> Result<(), ssh2::Error>,
    ) -> Result<bool, Over> {
        match self.offer(operation) {
            Ok(offered) => Ok(self.noted(name, offered)),
            Err(over) => Err(self.ended(name, over)),
        }
    }

    /// Notes the key with which it ended.
    fn ended(&mut self, name: String, over: Over) -> Over {
        let outcome = match over {
            Over::HungUp(_) => Outcome::Refused,
            Over::MoreWanted(_) => Outcome::Accepted,
        };
        self.note(name, outcome);
        over
    }

    fn offer(&self, operation: impl FnMut() -> Result<(), ssh2::Error>) -> Result<Offered, Over> {
        let error = match self.link.drive(self.deadline, operation) {
            Ok(()) => return Ok(Offered::LetIn),
            Err(Stopped::Failed(error)) => error,
            Err(Stopped::Late) => return Err(Over::HungUp("no answer in time".to_owned())),
        };
        if hung_up(&error) {
            return Err(Over::HungUp("as after too many keys".to_owned()));
        }
        if error.message().starts_with(SIGNED_IN_VAIN) {
            let wanted = self.accepted_methods();
            // A host that still wants a key gets the next one.
            if !wanted.is_empty() && wanted.split(',').all(|method| method != "publickey") {
                return Err(Over::MoreWanted(wanted));
            }
        }
        Ok(match error.code() {
            ErrorCode::Session(code) if REFUSALS.contains(&code) && error.message() != UNSIGNED => {
                Offered::Refused
            }
            ErrorCode::Session(code) if REFUSALS.contains(&code) || BAD_FILE.contains(&code) => {
                Offered::Unusable
            }
            _ => Offered::Failed(error.message().to_owned()),
        })
    }

    /// Notes what became of a key. Whether it let us in.
    fn noted(&mut self, name: String, offered: Offered) -> bool {
        let outcome = match offered {
            Offered::LetIn => return true,
            Offered::Refused => Outcome::Refused,
            Offered::Unusable => {
                Outcome::Failed("is not a private key that can be used".to_owned())
            }
            Offered::Failed(why) => Outcome::Failed(why),
        };
        self.note(name, outcome);
        false
    }

    /// Whether a key is not offered, because it can't sign or the configuration of ssh says so, which is noted.
    fn is_left_out(&mut self, name: &str, public: &[u8]) -> bool {
        let outcome = if identity::is_in_token(public) {
            // libssh2 leaves out of the signature what the token adds to it, so that no host takes it. And the
            // agent would ask for a touch before, at every host.
            Outcome::InToken
        } else if let Some(why) = self.target.algorithms.objection(public) {
            Outcome::Failed(why)
        } else {
            return false;
        };
        self.note(name.to_owned(), outcome);
        true
    }

    fn note(&mut self, key: String, outcome: Outcome) {
        self.attempts.push(Attempt { key, outcome });
    }

    fn open_agent(&mut self) -> Option<AgentKeys> {
        match AgentKeys::open(self.link, &self.target.agent)? {
            Ok(keys) => Some(keys),
            Err((name, why)) => {
                self.note(name, Outcome::Failed(why));
                None
            }
        }
    }

    fn accepted_methods(&self) -> String {
        methods(self.link, &self.target.user, self.deadline)
    }
}

/// The methods that the host takes at this point. It costs a round trip and one of the server's attempts.
pub(super) fn methods(link: &Link, user: &str, deadline: Instant) -> String {
    let ask = || {
        let methods = link.session.auth_methods(user);
        methods.map(|list| super::text::clean(list.as_bytes()))
    };
    link.drive(deadline, ask).unwrap_or_default()
}

/// Whether the server went away instead of answering. libssh2 has one code for that and for a
/// refusal, and tells them apart in its words only.
pub(super) fn hung_up(error: &ssh2::Error) -> bool {
    is_broken(error) || error.message().starts_with("Waiting for")
}

/// A public key or certificate as a `.pub` file has it.
fn public_line(blob: &[u8]) -> Option<String> {
    let (kind, _) = identity::string(blob)?;
    Some(format!("{} {}", std::str::from_utf8(kind).ok()?, STANDARD.encode(blob)))
}
