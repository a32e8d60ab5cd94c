//! What stands where an inventory leaves a key out. The reader takes these from here, and so do the JSON Schema and the
//! reference: `#[schemars(extend("default" = defaults::NAME))]` at the key.

use crate::inventory::{CgroupDriver, MetricsListener, Ports, Runtime};

/// `clusters.NAME.runtime`.
pub(crate) const RUNTIME: Runtime = Runtime::Systemd;
/// `clusters.NAME.account`.
pub(crate) const ACCOUNT: &str = "etcd";
/// `clusters.NAME.kubelet.cgroup-driver`.
pub(crate) const CGROUP_DRIVER: CgroupDriver = CgroupDriver::Systemd;
/// `clusters.NAME.kubelet.container-runtime`: where containerd listens.
pub(crate) const CONTAINER_RUNTIME: &str = "unix:///run/containerd/containerd.sock";
/// `clusters.NAME.ports`: etcd's registered ports, and the next one for metrics.
pub(crate) const PORTS: Ports = Ports { client: 2379, peer: 2380, metrics: 2381 };
/// `clusters.NAME.metrics`.
pub(crate) const METRICS: MetricsListener = MetricsListener::Loopback;
/// `clusters.NAME.backups.keep`, each of its keys.
pub(crate) const KEPT: u32 = 0;
/// `clusters.NAME.backups.s3.region`.
pub(crate) const S3_REGION: &str = "us-east-1";
/// `release.image`.
pub(crate) const IMAGE: &str = "quay.io/coreos/etcd:v{version}";
