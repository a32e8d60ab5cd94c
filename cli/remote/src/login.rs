//! From a target to a session that may run commands.

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tracing::{debug, debug_span};

use super::again::until_heard;
use super::auth::authenticate;
use super::config::Family;
use super::counters::Tally;
use super::error::RemoteError;
use super::host_key::HostKey;
use super::host_trust::{HostKeyError, Trust, groups};
use super::jump::{forward, not_forwarded};
use super::limited::{self, Open};
use super::link::Link;
use super::proxy::Proxy;
use super::target::Target;

/// How long the server may take from its greeting to letting us in. A slow sshd (reverse DNS,
/// directory services) needs seconds; its own limit, `LoginGraceTime`, is 120 s.
const LOGIN_TIME: Duration = Duration::from_secs(30);

/// The addresses of the host that we connect to ourselves; none where a command does that. The system's resolver cannot be interrupted: a thread that
/// hangs in it is left behind.
pub(crate) async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, RemoteError> {
    let first = target.first_hop();
    if first.proxy_command.is_some() {
        return Ok(Vec::new());
    }
    let found = resolve_name(first).await;
    found.map_err(|error| if target.jump.is_some() { error.at_hop(first) } else { error })
}

async fn resolve_name(target: &Target) -> Result<Vec<SocketAddr>, RemoteError> {
    let name = (target.host.clone(), target.port);
    let family = target.family;
    let (answer, answered) = oneshot::channel();
    std::thread::spawn(move || {
        let found = name.to_socket_addrs().map(|found| {
            let wanted = |address: &SocketAddr| match family {
                Family::Any => true,
                Family::V4 => address.is_ipv4(),
                Family::V6 => address.is_ipv6(),
            };
            found.filter(wanted).collect::<Vec<_>>()
        });
        // Nobody listens any more when the time was over.
        let _ = answer.send(found);
    });
    let why = match tokio::time::timeout(target.connect_timeout, answered).await {
        Ok(Ok(Ok(addresses))) if !addresses.is_empty() => return Ok(addresses),
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(_) => "it has no address".to_owned(),
        Err(_) => format!("no answer within {:.1} s", target.connect_timeout.as_secs_f64()),
    };
    Err(RemoteError::Resolve { host: target.host.clone(), why })
}

/// Connects, checks the host's key, and only then says who we are.
pub(crate) fn login(
    target: &Target,
    addresses: &[SocketAddr],
    tally: &Arc<Tally>,
) -> Result<Link, RemoteError> {
    let trust = Trust::load(target)?;
    let algorithms = trust.algorithms();
    if algorithms.is_empty() {
        let why = "HostKeyAlgorithms leaves only certificates, and known_hosts has no @cert-authority for this host";
        return Err(RemoteError::KeyExchange { why: why.to_owned() });
    }
    let (mut link, key) = greet(target, addresses, &algorithms, tally)?;
    // A ProxyCommand may write the file that knows the host, as that of SSSD does. ssh reads it now, too.
    let trust = if target.runs_a_command() { Trust::load(target)? } else { trust };
    if let Err(refusal) = trust.check(&key) {
        link.hang_up();
        if !trust.may_accept_another(&refusal) {
            return Err(refusal.into());
        }
        link = find_pinned(target, addresses, &trust, refusal, tally)?;
    }
    debug!(user = target.user, "awaiting whether the server lets us in");
    match authenticate(&link, target, LOGIN_TIME) {
        Ok(()) => Ok(link),
        Err(error) => {
            link.hang_up();
            Err(error.into())
        }
    }
}

/// Connects, through jump hosts if there are some, and exchanges keys; nothing of the target is trusted
/// yet.
pub(crate) fn greet(
    target: &Target,
    addresses: &[SocketAddr],
    host_keys: &str,
    tally: &Arc<Tally>,
) -> Result<(Link, HostKey), RemoteError> {
    // A jump host that would ask a person for another code is not logged in to again for the host behind it.
    let asks = || target.jump.as_deref().is_some_and(Target::asks_on_the_way);
    let patience = || if asks() { Duration::ZERO } else { target.hang_up_patience };
    until_heard(patience, || greet_once(target, addresses, host_keys, tally))
}

fn greet_once(
    target: &Target,
    addresses: &[SocketAddr],
    host_keys: &str,
    tally: &Arc<Tally>,
) -> Result<(Link, HostKey), RemoteError> {
    let (stream, at, proxy) = match (&target.jump, &target.proxy_command) {
        (Some(hop), _) => (through(hop, target, addresses, tally)?, None, None),
        (None, Some(command)) => {
            debug!("starting the ProxyCommand");
            let (proxy, stream) = Proxy::start(command)?;
            (stream, None, Some(proxy))
        }
        (None, None) => {
            debug!("awaiting the TCP connection");
            let stream = limited::connect(target, addresses)?;
            let at = stream.peer_addr().ok();
            (OwnedFd::from(stream), at, None)
        }
    };
    let deadline = Instant::now() + LOGIN_TIME;
    debug!(within_s = LOGIN_TIME.as_secs(), "awaiting the server's greeting and the key exchange");
    match Link::handshake(stream, &target.algorithms, host_keys, deadline, tally) {
        Ok((link, key)) => Ok((link.over(proxy).noted(at.map(Open::to)), key)),
        Err(error) => Err(proxy.into_iter().fold(error, |error, proxy| proxy.explain(error))),
    }
}

/// A connection to `target` that `hop` makes.
fn through(
    hop: &Target,
    target: &Target,
    addresses: &[SocketAddr],
    tally: &Arc<Tally>,
) -> Result<OwnedFd, RemoteError> {
    let _through = debug_span!("jump host", address = hop.host, port = hop.port).entered();
    let kept = hop.passphrases.kept();
    let awaiting = || debug!("awaiting its connection to {}", target.host);
    let failed = |why| not_forwarded(hop, target, why);
    awaiting();
    if let Some(connected) = kept.connect(hop, target) {
        return connected.map_err(failed);
    }
    let link = login(hop, addresses, tally).map_err(|error| error.at_hop(hop))?;
    awaiting();
    if !hop.was_asked() {
        return forward(link, hop, target);
    }
    kept.keep(hop, link).map_err(|error| failed(error.to_string()))?;
    let ended = || Err("its session ended".to_owned());
    kept.connect(hop, target).unwrap_or_else(ended).map_err(failed)
}

/// Looks at the host's other keys for one that a pin names.
fn find_pinned(
    target: &Target,
    addresses: &[SocketAddr],
    trust: &Trust<'_>,
    refusal: HostKeyError,
    tally: &Arc<Tally>,
) -> Result<Link, RemoteError> {
    for host_keys in groups(&target.algorithms) {
        match greet(target, addresses, &host_keys, tally) {
            Ok((link, key)) if trust.check(&key).is_ok() => return Ok(link),
            Ok((link, _)) => link.hang_up(),
            // The host has no key of this kind.
            Err(RemoteError::KeyExchange { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(refusal.into())
}
