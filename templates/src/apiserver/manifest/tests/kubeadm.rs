//! kubeadm's configuration of a cluster, as kubeadm 1.34 writes it into its ConfigMap.

use yaml_rust2::{Yaml, YamlLoader};

use super::super::*;

const V1BETA4: &str = "\
apiServer:
  extraArgs:
  - name: audit-log-path
    value: /var/log/audit.log
  - name: etcd-servers-overrides
    value: /events#https://10.0.0.9:2379
  - name: v
    value: \"2\"
apiVersion: kubeadm.k8s.io/v1beta4
certificatesDir: /etc/kubernetes/pki
clusterName: kubernetes
controllerManager: {}
dns: {}
etcd:
  external:
    caFile: /etc/kubernetes/pki/etcd/ca.crt
    certFile: /etc/kubernetes/pki/apiserver-etcd-client.crt
    endpoints:
    - https://10.0.0.1:2379
    keyFile: /etc/kubernetes/pki/apiserver-etcd-client.key
kind: ClusterConfiguration
kubernetesVersion: v1.34.4
networking:
  dnsDomain: cluster.local
  serviceSubnet: 10.96.0.0/12
proxy: {}
scheduler: {}
";

fn v1beta3() -> String {
    let list = "  - name: audit-log-path
    value: /var/log/audit.log
  - name: etcd-servers-overrides
    value: /events#https://10.0.0.9:2379
  - name: v
    value: \"2\"
";
    let mapping = "    audit-log-path: /var/log/audit.log
    etcd-servers-overrides: /events#https://10.0.0.9:2379
    v: \"2\"
";
    V1BETA4.replace("v1beta4", "v1beta3").replace(list, mapping)
}

fn without_arguments(text: &str, instead: &str) -> String {
    let start = text.find("apiServer:").unwrap();
    let end = text.find("apiVersion:").unwrap();
    format!("{instead}{}{}", &text[..start], &text[end..])
}

fn wanted(overrides: Option<&str>) -> BTreeMap<String, Option<String>> {
    let flags = [
        ("etcd-cafile", Some("/q/ca.crt")),
        ("etcd-certfile", Some("/q/client.crt")),
        ("etcd-keyfile", Some("/q/client.key")),
        ("etcd-prefix", Some("/registry")),
        ("etcd-servers", Some("https://10.0.0.2:2379,https://10.0.0.3:2379")),
        ("etcd-servers-overrides", overrides),
    ];
    flags.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).into()
}

/// Edits a text, which another library then reads, and returns the lines that differ.
fn edited(text: &str, overrides: Option<&str>) -> String {
    let wanted = wanted(overrides);
    let after = ClusterConfiguration::read(text).unwrap().edited(&wanted).unwrap();
    let again = ClusterConfiguration::read(&after).unwrap();
    assert_eq!(again.edited(&wanted).unwrap(), after, "it is edited twice");
    let of = |text: &str| YamlLoader::load_from_str(text).unwrap().remove(0);
    let (before, now) = (of(text), of(&after));
    for key in ["kubernetesVersion", "networking", "controllerManager", "certificatesDir"] {
        assert_eq!(before[key], now[key], "{key}");
    }
    let endpoints = &now["etcd"]["external"]["endpoints"];
    assert_eq!(endpoints[1], Yaml::String("https://10.0.0.3:2379".to_owned()), "{after}");
    after
}

#[test]
fn what_kubeadm_gives_its_api_servers_is_read_in_both_versions() {
    for text in [V1BETA4, &v1beta3()] {
        let flags = ClusterConfiguration::read(text).unwrap().flags().unwrap();
        let expected = [
            ("etcd-cafile", "/etc/kubernetes/pki/etcd/ca.crt"),
            ("etcd-certfile", "/etc/kubernetes/pki/apiserver-etcd-client.crt"),
            ("etcd-keyfile", "/etc/kubernetes/pki/apiserver-etcd-client.key"),
            ("etcd-servers", "https://10.0.0.1:2379"),
            ("etcd-servers-overrides", "/events#https://10.0.0.9:2379"),
        ];
        assert_eq!(flags, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
}

#[test]
fn only_what_is_about_etcd_changes_in_a_list_of_arguments() {
    let after = edited(V1BETA4, Some("/events#https://10.0.0.4:2379"));
    let expected = V1BETA4
        .replace(
            "  - name: etcd-servers-overrides
    value: /events#https://10.0.0.9:2379
  - name: v
    value: \"2\"
",
            "  - name: v
    value: \"2\"
  - name: etcd-prefix
    value: /registry
  - name: etcd-servers-overrides
    value: /events#https://10.0.0.4:2379
",
        )
        .replace("/etc/kubernetes/pki/etcd/ca.crt", "/q/ca.crt")
        .replace("/etc/kubernetes/pki/apiserver-etcd-client", "/q/client")
        .replace(
            "    - https://10.0.0.1:2379\n",
            "    - https://10.0.0.2:2379\n    - https://10.0.0.3:2379\n",
        );
    assert_eq!(after, expected);
}

#[test]
fn only_what_is_about_etcd_changes_in_a_mapping_of_arguments() {
    let after = edited(&v1beta3(), None);
    assert!(after.contains("    audit-log-path: /var/log/audit.log\n    v: \"2\"\n    etcd-prefix: /registry\napiVersion"), "{after}");
    assert!(!after.contains("overrides"));
}

#[test]
fn arguments_are_added_where_there_are_none() {
    for text in [V1BETA4, &v1beta3()] {
        for instead in [
            "",
            "apiServer: {}\n",
            "apiServer:\n  certSANs:\n  - a.example\n",
            "apiServer:\n  extraArgs: []\n  timeoutForControlPlane: 4m0s\n",
            "apiServer:\n  extraArgs: {}\n",
            "apiServer:\n  extraArgs:\n",
        ] {
            let after = edited(&without_arguments(text, instead), None);
            assert!(after.contains("/registry"), "{after}");
            for kept in ["certSANs:\n  - a.example\n", "timeoutForControlPlane: 4m0s\n"] {
                assert_eq!(instead.contains(kept), after.contains(kept), "{after}");
            }
        }
    }
}

#[test]
fn what_is_right_already_is_not_touched() {
    let wanted = ClusterConfiguration::read(V1BETA4).unwrap().flags().unwrap();
    let wanted = wanted.into_iter().map(|(name, value)| (name, Some(value))).collect();
    assert_eq!(ClusterConfiguration::read(V1BETA4).unwrap().edited(&wanted).unwrap(), V1BETA4);
}

#[test]
fn a_flag_that_an_argument_sets_over_a_field_is_set_in_the_field() {
    let over = "  - name: etcd-servers\n    value: https://10.0.0.8:2379\n  - name: v\n";
    let text = V1BETA4.replace("  - name: v\n", over);
    let flags = ClusterConfiguration::read(&text).unwrap().flags().unwrap();
    assert_eq!(flags["etcd-servers"], "https://10.0.0.8:2379");
    assert!(!edited(&text, None).contains("10.0.0.8"));
}

#[test]
fn what_is_not_understood_is_refused() {
    let external = V1BETA4.find("  external:").unwrap()..V1BETA4.find("kind:").unwrap();
    let stacked = V1BETA4.replace(&V1BETA4[external], "  local:\n    dataDir: /var/lib/etcd\n");
    for (text, why) in [
        (stacked, Why::Stacked),
        (V1BETA4.replace("v1beta4", "v1beta9"), Why::NotOfKubeadm),
        (V1BETA4.replace("ClusterConfiguration", "InitConfiguration"), Why::NotOfKubeadm),
        (
            V1BETA4.replace("    caFile: /etc/kubernetes/pki/etcd/ca.crt\n", ""),
            Why::Missing("caFile"),
        ),
    ] {
        let read = ClusterConfiguration::read(&text);
        let refused = read.and_then(|read| read.flags().map(drop)).unwrap_err();
        assert_eq!(refused.why, why);
    }
    let quoted =
        V1BETA4.replace("    - https://10.0.0.1:2379\n", "").replace("endpoints:", "endpoints: []");
    assert!(ClusterConfiguration::read(&quoted).unwrap().flags().is_err());
}

mod damaged {
    use proptest::prelude::*;
    use test_kit::hostile;

    use super::*;

    proptest! {
        #[test]
        fn a_damaged_configuration_is_edited_whole_or_refused(
            text in hostile::damaged_text(&[V1BETA4]),
        ) {
            let wanted = wanted(None);
            if let Ok(read) = ClusterConfiguration::read(&text)
                && let Ok(after) = read.edited(&wanted)
            {
                let again = ClusterConfiguration::read(&after).unwrap();
                prop_assert_eq!(again.edited(&wanted).unwrap(), after.clone());
            }
        }
    }
}
