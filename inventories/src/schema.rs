//! The inventory as it is written: one struct a table, one field a key, nothing checked but types.
//!
//! The JSON Schema, the reference in `docs/inventory.md` and the structural checks are all made
//! from these structs; their doc comments are what a user reads. Every value carries its place in
//! the file, so there is no flattened, untagged or internally tagged type here: serde loses the
//! places in those.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::defaults;
use crate::systemd::{SANDBOX, SETTINGS};

mod backups;
mod firewall;
mod hooks;
mod json;
mod kubernetes;
mod ports;
pub(crate) mod reference;
mod value;

pub(crate) use backups::{Backups, Keep, S3};
pub(crate) use firewall::Firewall;
pub(crate) use hooks::Hooks;
pub(crate) use json::{included_schema, inventory_schema};
pub(crate) use kubernetes::Kubernetes;
pub(crate) use ports::Ports;
pub(crate) use value::{FlagText, Loc, OneOrMany};

/// What a name must look like: a DNS label, lower case.
const LABEL: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// The inventory of one site: its hosts, the etcd clusters on them, and where software and keys
/// come from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "quorate inventory")]
pub(crate) struct InventoryFile {
    /// More files to read, relative to this one. Only `[defaults]` and `[release]` may stand in
    /// them. This file's own settings win over an included file's, and a later file's over an
    /// earlier one's.
    pub(crate) include: Option<Vec<Loc<String>>>,
    /// The site that this file describes. One file is one site.
    #[schemars(required)]
    pub(crate) site: Option<Loc<Site>>,
    /// Settings for every host and cluster that does not set them itself.
    pub(crate) defaults: Option<Defaults>,
    /// The machines, by name. A host's name is also the name of the etcd member on it.
    #[schemars(required, extend("propertyNames" = {"pattern": LABEL}))]
    pub(crate) hosts: Option<BTreeMap<Loc<String>, Host>>,
    /// The etcd clusters, by name.
    #[schemars(required, extend("propertyNames" = {"pattern": LABEL}))]
    pub(crate) clusters: Option<BTreeMap<Loc<String>, Cluster>>,
    /// The Kubernetes clusters that keep their data in these etcd clusters, by name.
    #[schemars(extend("propertyNames" = {"pattern": LABEL}))]
    pub(crate) kubernetes: Option<BTreeMap<Loc<String>, Kubernetes>>,
    /// Who may connect to etcd's ports, beside the members and the API servers.
    pub(crate) firewall: Option<Firewall>,
    /// For whom the keys of the certificate authorities are sealed. Either `recipients` or
    /// `plain-keys = true` is needed.
    #[schemars(required)]
    pub(crate) pki: Option<Loc<Pki>>,
    /// Where etcd's release archives come from, and their checksums.
    pub(crate) release: Option<Release>,
    /// Programs that `quorate apply` runs on your machine, in the inventory's folder, for a chat or a change ticket. Each
    /// is a list of the program and its arguments, and no shell reads it. It gets a JSON object on stdin, and must end
    /// within 60 s. No other command runs them.
    pub(crate) hooks: Option<Hooks>,
}

/// A file that an inventory includes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct IncludedFile {
    /// Settings for every host and cluster that does not set them itself.
    pub(crate) defaults: Option<Defaults>,
    /// Where etcd's release archives come from, and their checksums.
    pub(crate) release: Option<Release>,
}

/// The site that the file describes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Site {
    /// The site's name, a DNS label. It is written into the marker on every host, and a host that
    /// is marked by another site is refused.
    #[schemars(required, regex(pattern = LABEL))]
    pub(crate) name: Option<Loc<String>>,
    /// Whether `quorate apply` wants `--confirm NAME`, so that nobody applies to this site by
    /// mistake.
    #[schemars(extend("default" = false))]
    pub(crate) confirm: Option<bool>,
    /// Clusters in the order in which a change reaches them, such as `["staging", "main"]`: a restart or a new
    /// certificate comes to a cluster only after all clusters before it have theirs and are healthy. Clusters that
    /// are not named come last, together. Without it, a change reaches all clusters at once, one member of each
    /// at a time.
    pub(crate) order: Option<Vec<Loc<String>>>,
}

/// Settings for every host and cluster that does not set them itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Defaults {
    /// How to log in to hosts that do not say otherwise.
    pub(crate) ssh: Option<SshDefaults>,
    /// Settings for clusters that do not say otherwise.
    pub(crate) cluster: Option<ClusterDefaults>,
}

/// How to log in, for hosts that do not say otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SshDefaults {
    /// Login user: root, or a user with `sudo -n`. Default: what SSH's own configuration says.
    pub(crate) user: Option<Loc<String>>,
    /// Port of the SSH server. Default: what SSH's own configuration says, else 22.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) port: Option<Loc<i64>>,
    /// One private key file or several, tried in order before the agent's keys. A relative path
    /// starts at the inventory's folder, `~/` at your home.
    pub(crate) identity_file: Option<Loc<OneOrMany>>,
    /// Pins of the host key, one or several, as `ssh-keygen -lf` prints them (`SHA256:…`).
    /// Default: known_hosts decides. `quorate trust` writes them.
    pub(crate) host_key: Option<Loc<OneOrMany>>,
    /// How long a TCP connection may take, such as `"10s"`.
    #[schemars(regex(pattern = "^[0-9]+(ms|s|m)$"))]
    pub(crate) connect_timeout: Option<Loc<String>>,
    /// The `ssh_config` file to read in place of `~/.ssh/config` and `/etc/ssh/ssh_config`, or
    /// `"none"`. A relative path starts at the inventory's folder, `~/` at your home. `ProxyCommand`
    /// and `Match exec` in it are run only if the file is in `~/.ssh` or `/etc/ssh`.
    pub(crate) config: Option<Loc<String>>,
}

/// Settings for clusters that do not say otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ClusterDefaults {
    /// The etcd release of clusters that name none, such as `"3.6.16"`.
    #[schemars(regex(pattern = r"^3\.[4-7]\.(0|[1-9][0-9]*)$"))]
    pub(crate) version: Option<Loc<String>>,
    /// What keeps a member running: `"systemd"`, or `"static-pod"` for a pod of the host's kubelet.
    #[schemars(extend("enum" = ["systemd", "static-pod"], "default" = defaults::RUNTIME.as_str()))]
    pub(crate) runtime: Option<Loc<String>>,
    /// etcd flags for every cluster; a cluster's own `etcd` table wins, flag by flag.
    pub(crate) etcd: Option<BTreeMap<Loc<String>, Loc<FlagText>>>,
}

/// A machine that quorate may log in to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Host {
    /// The IP address where clients reach etcd, and peers unless `peer-address` is set. etcd listens
    /// there, unless `listen-address` is set.
    #[schemars(required)]
    pub(crate) address: Option<Loc<String>>,
    /// The IP address where peers reach etcd. Default: `address`.
    pub(crate) peer_address: Option<Loc<String>>,
    /// The IP address where etcd listens for clients, if no interface of the host has `address`
    /// because NAT leads there: a floating IP, a cloud's public IP. Changing it is a roll.
    /// Default: `address`.
    pub(crate) listen_address: Option<Loc<String>>,
    /// The same for peers. Default: `peer-address` if that is set, else `listen-address`.
    pub(crate) peer_listen_address: Option<Loc<String>>,
    /// More DNS names and IP addresses for the server certificate. The host's name, its addresses,
    /// `localhost` and the loopback addresses are always in it.
    pub(crate) sans: Option<Vec<Loc<String>>>,
    /// How to log in, where it differs from `[defaults.ssh]`.
    pub(crate) ssh: Option<Ssh>,
}

/// How to log in to one host.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Ssh {
    /// Name or address to log in at. Default: the host's `address`.
    pub(crate) host: Option<Loc<String>>,
    /// Login user: root, or a user with `sudo -n`. Default: what SSH's own configuration says.
    pub(crate) user: Option<Loc<String>>,
    /// Port of the SSH server. Default: what SSH's own configuration says, else 22.
    #[schemars(range(min = 1, max = 65535))]
    pub(crate) port: Option<Loc<i64>>,
    /// One private key file or several, tried in order before the agent's keys. A relative path
    /// starts at the inventory's folder, `~/` at your home.
    pub(crate) identity_file: Option<Loc<OneOrMany>>,
    /// Pins of the host key, one or several, as `ssh-keygen -lf` prints them (`SHA256:…`).
    /// Default: known_hosts decides. `quorate trust` writes them.
    pub(crate) host_key: Option<Loc<OneOrMany>>,
    /// How long a TCP connection may take, such as `"10s"`.
    #[schemars(regex(pattern = "^[0-9]+(ms|s|m)$"))]
    pub(crate) connect_timeout: Option<Loc<String>>,
    /// The `ssh_config` file to read in place of `~/.ssh/config` and `/etc/ssh/ssh_config`, or
    /// `"none"`. A relative path starts at the inventory's folder, `~/` at your home. `ProxyCommand`
    /// and `Match exec` in it are run only if the file is in `~/.ssh` or `/etc/ssh`.
    pub(crate) config: Option<Loc<String>>,
}

/// An etcd cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Cluster {
    /// The etcd release that every member runs, such as `"3.6.16"`. Default: the version in
    /// `[defaults.cluster]`; one of the two is needed.
    #[schemars(regex(pattern = r"^3\.[4-7]\.(0|[1-9][0-9]*)$"))]
    pub(crate) version: Option<Loc<String>>,
    /// The hosts whose members form the cluster: 1 to 7. Prefer an odd number: an even number
    /// survives no more failures than one member fewer, and the plan warns about it. A formed cluster is not grown or shrunk to an even number.
    #[schemars(required, length(min = 1, max = 7))]
    pub(crate) members: Option<Loc<Vec<Loc<String>>>>,
    /// What keeps a member running: `"systemd"`, a unit of its own; or `"static-pod"`, a pod that the
    /// host's kubelet runs from `/etc/kubernetes/manifests`. Changing it moves a formed cluster over,
    /// one member after the other.
    #[schemars(extend("enum" = ["systemd", "static-pod"], "default" = defaults::RUNTIME.as_str()))]
    pub(crate) runtime: Option<Loc<String>>,
    /// The system account and group that members run as: `etcd`, or `etcd-` and a name. quorate creates it.
    /// Clusters that share a host should have one each, so that nobody who breaks into one etcd reads
    /// the keys and data of the other. Changing it is a roll: each member's files change owner just before
    /// its restart. The previous account stays on the hosts.
    #[schemars(regex(pattern = "^etcd(-[a-z0-9-]{1,26})?$"), extend("default" = defaults::ACCOUNT))]
    pub(crate) account: Option<Loc<String>>,
    /// For static pods on hosts whose kubelet nobody else configures. Default: there is one that
    /// watches `/etc/kubernetes/manifests`.
    pub(crate) kubelet: Option<Loc<Kubelet>>,
    /// How the members of a new cluster find each other. Default: `{ static = {} }`, every member
    /// is started with the whole list.
    pub(crate) bootstrap: Option<Loc<Bootstrap>>,
    /// Your changes to the members' systemd units. Not for static pods.
    pub(crate) systemd: Option<Loc<Systemd>>,
    /// Where members listen. Clusters that share a host need ports of their own.
    pub(crate) ports: Option<Ports>,
    /// Where members serve metrics and health, always over plain HTTP. `"loopback"`: only on the host, for an agent there.
    /// `"client"` or `"peer"`: also at the host's address for clients or for peers, so that Prometheus can read them over
    /// the network. The port asks for no certificate: anyone who reaches it can read etcd's metrics, but no key and no
    /// value. Changing it restarts the members one by one.
    #[schemars(extend("enum" = ["loopback", "client", "peer"], "default" = defaults::METRICS.as_str()))]
    pub(crate) metrics: Option<Loc<String>>,
    /// The cluster whose client CA this cluster shares, so that one client certificate opens both.
    /// Default: a client CA of its own.
    pub(crate) client_ca: Option<Loc<String>>,
    /// Sealed copies of the cluster's data, which `quorate snapshot take` makes. Default: no backups.
    pub(crate) backups: Option<Loc<Backups>>,
    /// Any flag that this etcd version knows, without the dashes. Flags for addresses, data and
    /// certificates are quorate's own.
    pub(crate) etcd: Option<BTreeMap<Loc<String>, Loc<FlagText>>>,
}

/// The kubelet of a cluster's hosts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Kubelet {
    /// Makes the kubelet of the hosts run without an API server, for static pods alone, by a drop-in
    /// for `kubelet.service`. quorate refuses a kubelet that serves an API server, and restarts any other
    /// when these settings change.
    #[schemars(extend("default" = false))]
    pub(crate) standalone: Option<bool>,
    /// Who makes the control groups of pods, as the container runtime is set up: `"systemd"` or
    /// `"cgroupfs"`.
    #[schemars(extend("enum" = ["systemd", "cgroupfs"], "default" = defaults::CGROUP_DRIVER.as_str()))]
    pub(crate) cgroup_driver: Option<Loc<String>>,
    /// The socket of the container runtime.
    #[schemars(regex(pattern = "^unix:///"), extend("default" = defaults::CONTAINER_RUNTIME))]
    pub(crate) container_runtime: Option<Loc<String>>,
}

/// What an operator changes in the members' systemd units, instead of using drop-ins.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Systemd {
    /// Resource limits and priorities, by systemd's own names, such as
    /// `{ MemoryMax = "8G", Nice = -5 }`. They override quorate's own (`LimitNOFILE = 65536`,
    /// `OOMScoreAdjust = -900`, `CPUWeight = 1000`, `IOWeight = 1000`). Accepted: `AllowedCPUs`,
    /// `CPUQuota`, `CPUWeight`, `IOSchedulingClass`, `IOSchedulingPriority`, `IOWeight`, `LimitCORE`,
    /// `LimitNOFILE`, `MemoryHigh`, `MemoryLow`, `MemoryMax`, `MemoryMin`, `MemorySwapMax`, `Nice`,
    /// `OOMScoreAdjust` and `TasksMax`.
    #[schemars(extend("propertyNames" = {"enum": SETTINGS}))]
    pub(crate) settings: Option<BTreeMap<Loc<String>, Loc<FlagText>>>,
    /// Sandbox directives that the hosts can't support, each with the reason, such as
    /// `{ PrivateUsers = "hardening guide 3.2 turns user namespaces off" }`. The unit omits them.
    #[schemars(extend("propertyNames" = {"enum": SANDBOX}))]
    pub(crate) without: Option<BTreeMap<Loc<String>, Loc<String>>>,
    /// Names of drop-in files to keep, such as `["10-alerts.conf"]`. quorate leaves them where they are
    /// and does not warn about them. It moves every other file in the unit's own folder under
    /// `/etc/systemd/system` aside.
    pub(crate) keep_drop_ins: Option<Vec<Loc<String>>>,
}

/// How the members of a new cluster find each other.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Bootstrap {
    /// Every member is started with the whole list. It has no settings.
    #[serde(rename = "static")]
    pub(crate) static_: Option<StaticBootstrap>,
    /// Every member reads the list from SRV records of a domain, once, while the cluster is formed.
    /// `quorate dns` prints the records. Later the domain is in the server and peer certificates
    /// and nowhere else; changing it does not form the cluster again.
    pub(crate) dns_srv: Option<DnsSrvBootstrap>,
    /// Every member registers itself in an etcd that is there already, and reads the list there,
    /// once, while the cluster is formed. Needs etcd 3.6 or newer.
    pub(crate) discovery_v3: Option<Loc<DiscoveryV3Bootstrap>>,
    /// Every member registers itself at a URL, and reads the list there, once, while the cluster is
    /// formed: the protocol of etcd up to 3.6.
    pub(crate) discovery_v2: Option<Loc<DiscoveryV2Bootstrap>>,
}

/// A bootstrap from the list of members has no settings.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaticBootstrap {}

/// Members find each other by SRV records.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DnsSrvBootstrap {
    /// The domain that has the records, such as `"example.net"`. Each host is known in it by its
    /// name: `etcd-1.example.net`.
    #[schemars(required)]
    pub(crate) domain: Option<Loc<String>>,
    /// What the services' names end with, so that several clusters can share a domain: with `"main"`
    /// members are found at `_etcd-server-ssl-main._tcp` of the domain. Default: nothing.
    pub(crate) service_name: Option<Loc<String>>,
}

/// Members find each other through an etcd: `endpoints`, or `self-hosted = true`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DiscoveryV3Bootstrap {
    /// Its client URLs, such as `["https://10.20.0.5:2379"]`. Every host must reach one of them.
    pub(crate) endpoints: Option<Loc<Vec<Loc<String>>>>,
    /// The file of the CA that signed the service's certificate. A relative path starts at the inventory's
    /// folder. Default: those that the hosts trust anyway.
    pub(crate) ca: Option<Loc<String>>,
    /// The etcd user to log in as, if the service requires one. Not for static pods, whose manifest would hold the
    /// password.
    pub(crate) user: Option<Loc<String>>,
    /// The file that holds the user's password and nothing else. A relative path starts at the
    /// inventory's folder. Keep it out of git.
    pub(crate) password_file: Option<Loc<String>>,
    /// Instead of `endpoints`: quorate starts an etcd on a free port of the cluster's first host, and
    /// removes it once the cluster is proven healthy.
    #[schemars(extend("default" = false))]
    pub(crate) self_hosted: Option<Loc<bool>>,
}

/// Members find each other at a URL: either `url` or `service`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DiscoveryV2Bootstrap {
    /// The URL that was made for this cluster and its size, such as
    /// `"https://discovery.example.net/3e86b59982e49066c5d813af1c2e2579cbf573de"`. It works only once.
    pub(crate) url: Option<Loc<String>>,
    /// The service that makes such URLs, such as `"https://discovery.example.net"`: `quorate apply`
    /// asks its `/new?size=N` from where it runs.
    pub(crate) service: Option<Loc<String>>,
}

/// For whom the keys of the certificate authorities are sealed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Pki {
    /// Who can open the sealed CA keys: age public keys (`age1…`) or SSH public keys
    /// (`ssh-ed25519 …`, `ssh-rsa …`).
    pub(crate) recipients: Option<Loc<Vec<Loc<String>>>>,
    /// Keeps the CA keys unsealed, in files of mode 0600. Anyone who reads those files can open every
    /// cluster of the site.
    #[schemars(extend("default" = false))]
    pub(crate) plain_keys: Option<Loc<bool>>,
}

/// Where etcd's release archives come from, and their checksums.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Release {
    /// Where the archive is downloaded; `{version}` and `{arch}` are filled in. Default: the
    /// official releases.
    #[schemars(regex(pattern = "^https?://"))]
    pub(crate) url: Option<Loc<String>>,
    /// The archive on the machine that runs quorate, instead of `url`; it is pushed over SSH. A
    /// relative path starts at the inventory's folder; `{version}` and `{arch}` are filled in.
    pub(crate) path: Option<Loc<String>>,
    /// The proxy through which hosts download from `url`, such as `"http://proxy.example.net:3128"`. Without it a
    /// host uses the proxy that the login's environment names, which sudo removes.
    #[schemars(regex(pattern = "^https?://"))]
    pub(crate) proxy: Option<Loc<String>>,
    /// The sha256 of each archive, in hexadecimal, by version and architecture, such as
    /// `"3.6.16-amd64"`. `quorate release pin VERSION` writes them.
    #[schemars(extend("propertyNames" = {"pattern": r"^3\.[4-7]\.(0|[1-9][0-9]*)-(amd64|arm64|ppc64le|s390x)$"}))]
    pub(crate) sha256: Option<BTreeMap<Loc<String>, Loc<String>>>,
    /// The container image of static pods; `{version}` is filled in.
    #[schemars(extend("default" = defaults::IMAGE))]
    pub(crate) image: Option<Loc<String>>,
    /// The digest of the image of a version, such as `"3.6.16" = "sha256:…"`: its pods name the image
    /// by this digest and not by the tag.
    #[schemars(extend("propertyNames" = {"pattern": r"^3\.[4-7]\.(0|[1-9][0-9]*)$"}))]
    pub(crate) image_digest: Option<BTreeMap<Loc<String>, Loc<String>>>,
}
