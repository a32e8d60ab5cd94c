//! A kubelet that knows no API server and runs the pods of its folder.

use inventories::inventory::Kubelet;
use serde::Serialize;

use crate::layout::{KUBELET_CONFIG, MANIFESTS};

/// What the kubelet reads ([`KUBELET_CONFIG`]).
///
/// It listens on loopback only and accepts no client, because no CA could sign a certificate for one.
pub fn config(kubelet: &Kubelet) -> String {
    let text = serde_saphyr::to_string(&Configuration {
        api_version: "kubelet.config.k8s.io/v1beta1",
        kind: "KubeletConfiguration",
        static_pod_path: MANIFESTS,
        container_runtime_endpoint: &kubelet.container_runtime,
        cgroup_driver: kubelet.cgroup_driver.as_str(),
        address: "127.0.0.1",
        authentication: Authentication {
            anonymous: Switch { enabled: false },
            webhook: Switch { enabled: false },
        },
        authorization: Authorization { mode: "AlwaysAllow" },
    });
    // Texts and switches alone: there is nothing that YAML could not say.
    format!("{HEAD}{}", text.unwrap_or_default())
}

/// The drop-in of the kubelet's unit, for the program that the host has.
pub fn drop_in(program: &str) -> String {
    format!(
        "{HEAD}[Service]\nExecStart=\nExecStart={program} --config={KUBELET_CONFIG}\nRestart=always\n"
    )
}

const HEAD: &str = "# Managed by quorate from the inventory: a kubelet without an API server, for static pods alone.\n";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration<'a> {
    api_version: &'static str,
    kind: &'static str,
    static_pod_path: &'static str,
    container_runtime_endpoint: &'a str,
    cgroup_driver: &'static str,
    address: &'static str,
    authentication: Authentication,
    authorization: Authorization,
}

#[derive(Serialize)]
struct Authentication {
    anonymous: Switch,
    webhook: Switch,
}

#[derive(Serialize)]
struct Switch {
    enabled: bool,
}

#[derive(Serialize)]
struct Authorization {
    mode: &'static str,
}

#[cfg(test)]
mod tests {
    use inventories::inventory::CgroupDriver;

    use super::*;

    #[test]
    fn the_configuration_is_as_reviewed() {
        let kubelet = Kubelet {
            cgroup_driver: CgroupDriver::Cgroupfs,
            container_runtime: "unix:///run/crio/crio.sock".to_owned(),
        };
        assert_eq!(
            config(&kubelet),
            r#"# Managed by quorate from the inventory: a kubelet without an API server, for static pods alone.
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: /etc/kubernetes/manifests
containerRuntimeEndpoint: unix:///run/crio/crio.sock
cgroupDriver: cgroupfs
address: "127.0.0.1"
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: false
authorization:
  mode: AlwaysAllow
"#
        );
    }
}
