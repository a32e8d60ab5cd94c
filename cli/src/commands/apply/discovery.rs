//! What an apply needs of discovery services before its first step: passwords, and URLs of the old
//! protocol.

use std::collections::BTreeMap;

use inventories::inventory::Bootstrap;
use inventories::{ClusterName, DiscoveryV3};
use planner::plan::DiscoveryService;
use planner::{Plan, StepKind};
use templates::member::{Access, V2Discovery};
use zeroize::Zeroizing;

use super::planning::Planned;
use crate::error::{CliError, ErrorContext};
use crate::exit::ExitCode;
use crate::site::Site;
use engine::bind;
use engine::discovery_v2::{self, DiscoveryError};
use engine::hosts::{Bindings, Password};
use remote::bounded;

/// Far more than a password.
const LONGEST: u64 = 4096;

/// The passwords that steps of the plan hand over, from the files that the inventory names.
pub(super) fn passwords(
    site: &Site,
    plan: &Plan,
) -> Result<BTreeMap<ClusterName, Password>, CliError> {
    let mut passwords = BTreeMap::new();
    for step in &plan.steps {
        let Some(cluster) = step.cluster().filter(|_| wants_password(&step.kind)) else {
            continue;
        };
        let bootstrap = site.inventory.clusters.get(cluster).map(|cluster| &cluster.bootstrap);
        let Some(Bootstrap::DiscoveryV3(DiscoveryV3::Given(service))) = bootstrap else { continue };
        let Some(user) = service.user.as_ref().filter(|_| !passwords.contains_key(cluster)) else {
            continue;
        };
        let path = &user.password_file;
        let unreadable = |error: &dyn std::fmt::Display| {
            let message = format!("cannot use the password file {}: {error}", path.display());
            let hint = "it is the `password-file` of `discovery-v3` in the inventory";
            CliError::new(ExitCode::Inventory, message).hint(hint)
        };
        let content = bounded::read(path, LONGEST).map(Zeroizing::new);
        let content = content.map_err(|error| unreadable(&error))?;
        let password =
            Password::from_file(&content).map_err(|error| unreadable(&format!("it {error}")))?;
        passwords.insert(cluster.clone(), password);
    }
    Ok(passwords)
}

fn wants_password(kind: &StepKind) -> bool {
    match kind {
        StepKind::TrustDiscovery { password, .. } => *password,
        StepKind::OpenDiscovery { service, .. } | StepKind::CloseDiscovery { service, .. } => {
            let DiscoveryService { access, .. } = service;
            matches!(access, Access::Tls { user: Some(_), .. })
        }
        _ => false,
    }
}

/// Has services of the old protocol make the tokens of bootstraps that begin, and looks whether URLs that
/// were made before are free. Nothing was done on any host yet.
pub(super) async fn begin(planned: &Planned, bindings: &mut Bindings) -> Result<(), CliError> {
    for cluster in bind::starting_bootstraps(&planned.plan, &planned.facts) {
        let Some(spec) = planned.spec.clusters.get(cluster) else { continue };
        let members = spec.members.len();
        let bootstrap = spec.members.values().next().map(|member| member.bootstrap.clone());
        let Some(templates::Bootstrap::V2(discovery)) = bootstrap else { continue };
        let asking = tokio::task::spawn_blocking(move || match discovery {
            V2Discovery::Service(service) => discovery_v2::make(&service, members).map(Some),
            V2Discovery::Url(url) => discovery_v2::check(&url, members).map(|()| None),
        });
        let asked = asking.await.map_err(CliError::failed)?;
        let token = asked.map_err(|error: DiscoveryError| {
            let hint = error.hint();
            let doing = format!("cluster {cluster} can't be formed by `discovery-v2`");
            CliError::failed(ErrorContext::new(doing, error)).hint(hint)
        })?;
        if let Some(token) = token {
            bindings.tokens.insert(cluster.clone(), token);
        }
    }
    Ok(())
}
