//! Steps with a discovery service: the record by which the members of a new cluster find each other.

use inventories::{AccountName, EtcdVersion, HostName};
use planner::plan::DiscoveryService;
use std::collections::BTreeMap;
use templates::Layout;
use templates::layout::{PkiFile, ReleaseLayout};
use templates::member::Access;
use zeroize::Zeroizing;

use super::MemberStep;
use super::bootstrap::token;
use crate::hosts::{Bindings, Password};
use crate::script::{
    self,
    call::{self, Arguments},
    failure::Failure,
};
use remote::{Call, Payload};

/// Puts the CA and the password where a member reads them.
pub(crate) fn trust(
    step: &MemberStep<'_>,
    ca: Option<&str>,
    password: bool,
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let environment =
        if password { bound(step, bindings)?.as_environment() } else { Password::default() };
    let path = |is: bool, path: String| if is { path } else { String::new() };
    let args = Arguments::new()
        .with("ca_file", path(ca.is_some(), layout.discovery_ca()))
        .with("password_file", path(password, layout.discovery_password()));
    let mut call = call::guarded(step, script::TRUST_DISCOVERY, args)?;
    let ca = ca.unwrap_or_default().as_bytes().to_vec();
    call.payload =
        Payload::new().with(ca).with_secret(Zeroizing::new(environment.expose().to_vec()));
    Ok(call)
}

/// Makes the record.
pub(crate) fn open(
    step: &MemberStep<'_>,
    service: &DiscoveryService,
    (members, account): (&BTreeMap<HostName, String>, &AccountName),
    version: EtcdVersion,
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let layout = &step.layout;
    let token = token(step, bindings)?.to_string();
    let all: Vec<String> = members.iter().map(|(name, url)| format!("{name}={url}")).collect();
    let args = common(layout, service, version)
        .with("token", token)
        .with("size", all.len())
        .with_words("members", all)
        .with("token_file", layout.token_file())
        .with("etcd", ReleaseLayout::new(version).etcd())
        .with("server_cert", layout.pki_file(PkiFile::ServerCert))
        .with("server_key", layout.pki_file(PkiFile::ServerKey))
        .with("account", account);
    with_password(step, script::OPEN_DISCOVERY, args, service, bindings)
}

/// Removes the record, or the service.
pub(crate) fn close(
    step: &MemberStep<'_>,
    service: &DiscoveryService,
    version: EtcdVersion,
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let args = common(&step.layout, service, version);
    with_password(step, script::CLOSE_DISCOVERY, args, service, bindings)
}

pub(crate) fn forget(step: &MemberStep<'_>) -> Result<Call, Failure> {
    let layout = &step.layout;
    let args = Arguments::new()
        .with("ca_file", layout.discovery_ca())
        .with("password_file", layout.discovery_password());
    call::guarded(step, script::FORGET_DISCOVERY, args)
}

/// What both scripts read: the note, the service's own unit and data where quorate runs it, the client and
/// what it shows, and where the service is.
fn common(layout: &Layout, service: &DiscoveryService, version: EtcdVersion) -> Arguments {
    let none = String::new;
    let (unit, data) = match service.access {
        Access::Own => (layout.discovery_unit(), layout.discovery_data()),
        Access::Open | Access::Tls { .. } => (none(), none()),
    };
    let (ca, cert, key, user) = match &service.access {
        Access::Open => (none(), none(), none(), none()),
        Access::Tls { own_ca, user } => {
            let ca = if *own_ca { layout.discovery_ca() } else { none() };
            (ca, none(), none(), user.clone().unwrap_or_default())
        }
        Access::Own => (
            layout.pki_file(PkiFile::ClientCa),
            layout.pki_file(PkiFile::HealthcheckCert),
            layout.pki_file(PkiFile::HealthcheckKey),
            none(),
        ),
    };
    Arguments::new()
        .with("note", layout.discovery_note())
        .with("unit", unit)
        .with("data", data)
        .with("client", ReleaseLayout::new(version).etcdctl())
        .with("cacert", ca)
        .with("cert", cert)
        .with("key", key)
        .with("user", user)
        .with("endpoints", service.endpoints.join(","))
}

/// A call that hands the password over as payload; etcdctl takes it from its environment.
fn with_password(
    step: &MemberStep<'_>,
    script: &'static str,
    args: Arguments,
    service: &DiscoveryService,
    bindings: &Bindings,
) -> Result<Call, Failure> {
    let password = match &service.access {
        Access::Tls { user: Some(_), .. } => bound(step, bindings)?.clone(),
        Access::Tls { user: None, .. } | Access::Open | Access::Own => Password::default(),
    };
    let call = call::guarded(step, script, args)?;
    let payload = Payload::new().with_secret(Zeroizing::new(password.expose().to_vec()));
    Ok(Call { payload, ..call })
}

fn bound<'a>(step: &MemberStep<'_>, bindings: &'a Bindings) -> Result<&'a Password, Failure> {
    let bound = bindings.passwords.get(step.cluster);
    bound.ok_or_else(|| Failure::local("no password is bound for the cluster's discovery service"))
}
