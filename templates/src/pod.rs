//! A member as a static pod: a file that the host's kubelet runs without being told.
//!
//! - A pod mounts nothing that its own process could replace: a runtime follows links, so a process that
//!   swaps a mounted directory for one would see the host at its next start. That a formed member starts
//!   only with its log is therefore etcd's own doing, see [`Member::arguments`].
//! - Probes ask `/livez` and `/readyz`, never `/health`: over an alarm, which no restart repairs, the latter
//!   would have the kubelet restart the member again and again.
//! - A process shows by [`IDENTITY`] in its environment which manifest it was started from, also where
//!   its arguments are the same.

mod schema;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use inventories::AccountName;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::RenderError;
use crate::head;
use crate::member::{Formation, Member};
use crate::token::{self, BootstrapToken};
use schema::{
    Capabilities, Container, ContainerSecurity, HostPath, HttpGet, Id, Metadata, Mount, Pod,
    PodSecurity, PodSpec, Probe, Resources, SeccompProfile, Variable, Volume,
};

/// The variable that names the manifest which a process was started from. Not of etcd's: those begin
/// with `ETCD_`.
pub const IDENTITY: &str = "QUORATE_MANIFEST";

/// The identity of the manifest that a text is, where it is one of ours.
pub fn identity_in(manifest: &str) -> Option<&str> {
    let mut lines = manifest.lines().skip_while(|line| !line.contains(IDENTITY));
    let value = lines.nth(1)?.trim().strip_prefix("value: ")?;
    Some(value.trim_matches(['"', '\'']))
}

/// What stands for the number of etcd's account, which each host assigns itself.
pub const USER_HOLE: &str = "@UID_OF_ETCD@";
/// What stands for the number of its group.
pub const GROUP_HOLE: &str = "@GID_OF_ETCD@";

/// Numbers of etcd's account on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Ids {
    /// Of the user.
    pub user: u32,
    /// Of its primary group.
    pub group: u32,
}

/// A manifest, complete but for the token of a bootstrap and the numbers of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    head: String,
    pod: Pod,
    account: AccountName,
    identity: String,
    text: String,
}

impl Serialize for Manifest {
    /// As the text to show.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl Manifest {
    /// The manifest of a member.
    pub fn for_member(member: &Member) -> Result<Self, RenderError> {
        let layout = member.layout();
        let labels = [
            ("app.kubernetes.io/name", "etcd".to_owned()),
            ("app.kubernetes.io/instance", member.cluster.to_string()),
            ("app.kubernetes.io/managed-by", "quorate".to_owned()),
        ];
        let pod = Pod {
            api_version: "v1",
            kind: "Pod",
            metadata: Metadata {
                name: layout.pod_name(),
                namespace: "kube-system",
                labels: labels.into(),
            },
            spec: spec(member),
        };
        let mut manifest = Self {
            head: head::of(member),
            pod,
            account: member.account.clone(),
            identity: String::new(),
            text: String::new(),
        };
        let failed = |why: String| RenderError::new("pod", member, why);
        let nameless = manifest.write(None, None).map_err(failed)?;
        // Not of the comments: a kubelet does not read them.
        manifest.identity = short_digest(nameless.trim_start_matches(&manifest.head));
        let variable = Variable { name: IDENTITY, value: manifest.identity.clone() };
        for container in &mut manifest.pod.spec.containers {
            container.env.push(variable.clone());
        }
        manifest.text = manifest.write(None, None).map_err(failed)?;
        Ok(manifest)
    }

    /// The text to show: what is not bound yet shows as a placeholder.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What a process that was started from it has in [`IDENTITY`]. Neither token nor numbers are in it,
    /// so it is known when a plan is made.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The account whose numbers it waits for.
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// The image that it runs.
    pub fn image(&self) -> &str {
        self.pod.spec.containers.first().map_or("", |container| &container.image)
    }

    /// The text as it stands on a host, as far as it is known. What could be rendered once can be so
    /// again.
    pub fn bind(&self, token: Option<&BootstrapToken>, ids: Option<Ids>) -> String {
        self.write(token, ids).unwrap_or_else(|_| self.text.clone())
    }

    fn write(&self, token: Option<&BootstrapToken>, ids: Option<Ids>) -> Result<String, String> {
        let mut pod = self.pod.clone();
        if let Some(Ids { user, group }) = ids {
            pod.spec.security_context.run_as_user = Id::Known(user);
            pod.spec.security_context.run_as_group = Id::Known(group);
        }
        if let Some(token) = token {
            for argument in pod.spec.containers.iter_mut().flat_map(|c| &mut c.command) {
                if let Some(bound) = token::bind(argument, token) {
                    *argument = bound;
                }
            }
        }
        // Long arguments stay on their line: a reader who compares two manifests reads whole flags.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let yaml = serde_saphyr::to_string_with_options(&pod, options);
        yaml.map(|yaml| format!("{}{yaml}", self.head)).map_err(|error| error.to_string())
    }
}

/// Enough of a sha256 to tell manifests apart.
fn short_digest(text: &str) -> String {
    Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn spec(member: &Member) -> PodSpec {
    let layout = member.layout();
    let mut mounts = vec![
        Mount { name: "certificates", mount_path: layout.pki_dir(), read_only: true },
        Mount { name: "data", mount_path: layout.data_dir(), read_only: false },
    ];
    let volume = |name, path| Volume { name, host_path: HostPath { path, kind: "Directory" } };
    let file = |name, path| Volume { name, host_path: HostPath { path, kind: "File" } };
    let mut volumes =
        vec![volume("certificates", layout.pki_dir()), volume("data", layout.data_dir())];
    match &member.formation {
        Formation::New { bootstrap, .. } if bootstrap.has_discovery_ca() => {
            let path = layout.discovery_ca();
            mounts.push(Mount { name: "discovery", mount_path: path.clone(), read_only: true });
            volumes.push(file("discovery", path));
        }
        Formation::New { .. } | Formation::Joining { .. } | Formation::Existing { .. } => {}
    }
    PodSpec {
        host_network: true,
        // The meaning of the class; without an API server nothing looks it up.
        priority: 2_000_001_000,
        priority_class_name: "system-node-critical",
        automount_service_account_token: false,
        enable_service_links: false,
        // To hand over leadership and to close the database.
        termination_grace_period_seconds: 60,
        security_context: PodSecurity {
            run_as_non_root: true,
            run_as_user: Id::Hole(USER_HOLE),
            run_as_group: Id::Hole(GROUP_HOLE),
            seccomp_profile: SeccompProfile { kind: "RuntimeDefault" },
        },
        containers: vec![Container {
            name: "etcd",
            image: member.image.clone(),
            image_pull_policy: "IfNotPresent",
            command: std::iter::once("etcd".to_owned())
                .chain(member.arguments().iter().map(|argument| literal(argument)))
                .collect(),
            // An image or a container runtime may set a proxy, which would carry the members' own traffic. This
            // setting turns every proxy off.
            env: vec![Variable { name: "NO_PROXY", value: "*".to_owned() }],
            resources: Resources {
                requests: BTreeMap::from([("cpu", "100m"), ("memory", "100Mi")]),
            },
            security_context: ContainerSecurity {
                allow_privilege_escalation: false,
                capabilities: Capabilities { drop: ["ALL"] },
                read_only_root_filesystem: true,
            },
            // An etcd that reads a large database, or waits for the others of a bootstrap, is not to be
            // restarted over it: an hour.
            startup_probe: probe(member, "/livez", 10, 360),
            liveness_probe: probe(member, "/livez", 10, 8),
            readiness_probe: probe(member, "/readyz", 5, 3),
            volume_mounts: mounts,
        }],
        volumes,
    }
}

/// An argument that a kubelet hands over as it is: it puts variables in the place of `$(NAME)`, and one
/// `$` in the place of two.
fn literal(argument: &str) -> String {
    argument.replace('$', "$$")
}

fn probe(
    member: &Member,
    path: &'static str,
    period_seconds: u32,
    failure_threshold: u32,
) -> Probe {
    Probe {
        http_get: HttpGet {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: member.ports.metrics,
            path,
            scheme: "HTTP",
        },
        period_seconds,
        timeout_seconds: 15,
        failure_threshold,
    }
}

#[cfg(test)]
mod tests;
