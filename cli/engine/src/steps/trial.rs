//! Trying the certificates that a running member was given: its own etcdctl must be let in, and new handshakes
//! from another host must show them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use inventories::{EtcdVersion, HostName};
use pki::{CertFacts, Sha256Digest};
use planner::plan::Silence;
use templates::layout::PkiFile;

use super::MemberStep;
use crate::hosts::{Done, StepErrorKind};
use crate::lock::LockedConnection;
use crate::pool::Pool;
use crate::script::{
    self, answer,
    call::{self, Arguments},
    failure::Failure,
    guard,
};
use remote::{Call, Payload, Reach, Shown};

/// How long the member may take to let etcdctl in, in seconds: it reads its certificates again at each handshake.
const PATIENCE: u64 = 10;
/// How long a handshake from another host may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What a new handshake must show, and from which host.
const PUBLIC: [PkiFile; 4] =
    [PkiFile::ServerCert, PkiFile::PeerCert, PkiFile::ClientCa, PkiFile::PeerCa];

/// What is tried.
pub(crate) struct Wanted<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) client: SocketAddr,
    pub(crate) peer: SocketAddr,
    /// Hosts from which handshakes are tried, the best one first.
    pub(crate) from: &'a [HostName],
    pub(crate) version: EtcdVersion,
    pub(crate) silence: Silence,
}

/// Tests them. If they fail, the last proven certificates come back.
pub(crate) async fn attempt(
    step: &MemberStep<'_>,
    wanted: &Wanted<'_>,
    connection: &LockedConnection,
    pool: &Pool,
) -> Result<Done, Failure> {
    let failure = match tried(step, wanted, connection, pool).await {
        Ok(done) => {
            let end = end(step, "keep")?;
            answer::read(&connection.run(end).await?)?;
            return Ok(done);
        }
        Err(failure) => failure,
    };
    // Whatever else went wrong says nothing about the certificates.
    let StepErrorKind::Failed(why) = &failure.kind else { return Err(failure) };
    let became = match wanted.silence {
        Silence::SaysNothing => {
            "they stay, because the previous ones did not work either".to_owned()
        }
        Silence::Fails => match restore(step, connection).await {
            Ok(()) => "the previous ones are back in use".to_owned(),
            Err(failure) => format!("the previous ones could not be restored: {}", failure.kind),
        },
    };
    let why = format!("the new certificates do not work: {why}; {became}");
    let hint = format!(
        "no other member got new ones; look at etcd's log on {}, then run quorate apply again",
        step.host()
    );
    Err(Failure { kind: StepErrorKind::Failed(why), ..failure }.hinted(hint))
}

async fn restore(step: &MemberStep<'_>, connection: &LockedConnection) -> Result<(), Failure> {
    answer::read(&connection.run(end(step, "restore")?).await?).map(|_| ())
}

fn end(step: &MemberStep<'_>, how: &str) -> Result<Call, Failure> {
    let layout = &step.layout;
    call::guarded(
        step,
        script::END_TRIAL,
        Arguments::new()
            .with("pki", layout.pki_dir())
            .with("untried", layout.pki_untried())
            .with("how", how),
    )
}

async fn tried(
    step: &MemberStep<'_>,
    wanted: &Wanted<'_>,
    connection: &LockedConnection,
    pool: &Pool,
) -> Result<Done, Failure> {
    let seconds = match wanted.silence {
        Silence::Fails => PATIENCE,
        Silence::SaysNothing => 0,
    };
    let layout = &step.layout;
    let args = guard::arguments(step, None)?
        .with("pki", layout.pki_dir())
        .with_etcdctl(layout, wanted.version)
        .with("own", wanted.endpoint)
        .with("seconds", seconds)
        .with_words("names", PUBLIC.map(PkiFile::name));
    let call = call::patient(call::call(script::TRY_CERTIFICATES, args, Payload::new()), seconds);
    let said = sections(&answer::read(&connection.run(call).await?)?.body);

    let mut untried = None;
    if let Some(words) = said.get("silent") {
        match wanted.silence {
            Silence::Fails => {
                let failure = Failure::failed("etcdctl on the host can't connect");
                return Err(failure.with_words(words.as_bytes()));
            }
            Silence::SaysNothing => untried = Some(SILENT),
        }
    }
    for (port, address, certificate, authority) in [
        ("client", wanted.client, PkiFile::ServerCert, PkiFile::ClientCa),
        ("peer", wanted.peer, PkiFile::PeerCert, PkiFile::PeerCa),
    ] {
        let file = |file: PkiFile| said.get(file.name()).cloned().unwrap_or_default();
        let shown = shown(pool, wanted.from, address, file(authority).as_bytes()).await;
        untried = judge(port, &shown, &file(certificate), wanted.silence)?.or(untried);
    }
    Ok(untried.map_or(Done::Changed, Done::Partly))
}

const SILENT: &str = "not tested: the member does not answer, and did not before either";
const FORBIDDEN: &str = "tested only by etcdctl on the host: sshd forwards no connections";
const UNREACHED: &str = "tested only by etcdctl on the host: no other host can reach its ports";

/// What a port must show, or why that is unknown.
fn judge(
    port: &str,
    shown: &Shown,
    installed: &str,
    silence: Silence,
) -> Result<Option<&'static str>, Failure> {
    match (shown, silence) {
        (Shown::Trusted(der), _) => {
            let wanted = CertFacts::from_pem(installed).map_err(Failure::failed)?;
            if Sha256Digest::hash(der) == wanted.fingerprint {
                return Ok(None);
            }
            Err(Failure::failed(format!(
                "the {port} port does not show the new certificate, serial {}",
                wanted.serial
            )))
        }
        (Shown::Untrusted { why }, _) => {
            Err(Failure::failed(format!("the {port} port shows an invalid certificate: {why}")))
        }
        (Shown::Nothing { why }, Silence::Fails) => {
            Err(Failure::failed(format!("the {port} port shows no certificate: {why}")))
        }
        (Shown::Nothing { .. }, Silence::SaysNothing) => Ok(Some(SILENT)),
        (Shown::Unreached(Reach::Forbidden), _) => Ok(Some(FORBIDDEN)),
        (Shown::Unreached(_), _) => Ok(Some(UNREACHED)),
    }
}

/// What a port shows, to the first host that gets a connection to it.
async fn shown(pool: &Pool, from: &[HostName], address: SocketAddr, trusted: &[u8]) -> Shown {
    let mut unreached = Shown::Unreached(Reach::Silent);
    for host in from {
        let Ok(connection) = pool.connection(host).await else { continue };
        match connection.handshake(address, trusted.to_vec(), HANDSHAKE).await {
            Ok(Shown::Unreached(reach)) => unreached = Shown::Unreached(reach),
            Ok(shown) => return shown,
            // It could not be asked.
            Err(_) => {}
        }
    }
    unreached
}

/// What the script printed, by the names that stand above it.
fn sections(body: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in body.lines() {
        match line.strip_prefix("= ") {
            Some(next) => next.clone_into(&mut name),
            None => {
                let text = found.entry(name.clone()).or_default();
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(shown: &Shown, silence: Silence) -> Result<Option<&'static str>, String> {
        judge("peer", shown, "", silence).map_err(|failure| failure.kind.to_string())
    }

    #[test]
    fn silence_fails_only_where_the_member_answered_before() {
        let nothing = Shown::Nothing { why: "reset".to_owned() };
        let failed = Err("the peer port shows no certificate: reset".to_owned());
        assert_eq!(judged(&nothing, Silence::Fails), failed);
        assert_eq!(judged(&nothing, Silence::SaysNothing), Ok(Some(SILENT)));
        for silence in [Silence::Fails, Silence::SaysNothing] {
            let expired = Shown::Untrusted { why: "certificate has expired".to_owned() };
            assert!(judged(&expired, silence).unwrap_err().ends_with("certificate has expired"));
        }
    }

    #[test]
    fn what_nobody_could_try_is_reported_as_that() {
        let forbidden = Shown::Unreached(Reach::Forbidden);
        assert_eq!(judged(&forbidden, Silence::Fails), Ok(Some(FORBIDDEN)));
        for reach in [Reach::Silent, Reach::Refused] {
            assert_eq!(judged(&Shown::Unreached(reach), Silence::Fails), Ok(Some(UNREACHED)));
        }
    }

    #[test]
    fn sections_keep_their_lines() {
        let said = sections("= silent\nrefused\n= a.crt\none\ntwo");
        assert_eq!((said["silent"].as_str(), said["a.crt"].as_str()), ("refused\n", "one\ntwo\n"));
    }
}
