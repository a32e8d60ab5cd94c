//! What is rendered is read by another library, and says what the flags say.

use std::collections::{BTreeMap, BTreeSet};

use inventories::inventory::FlagValue;
use inventories::{KeyPrefix, StoredResource};
use yaml_rust2::{Yaml, YamlLoader};

use super::*;
use crate::apiserver::ClientFiles;
use crate::url::ClientUrl;

fn name() -> KubernetesName {
    KubernetesName::new("prod").unwrap()
}

fn urls(hosts: &[u8], port: u16) -> BTreeSet<ClientUrl> {
    hosts.iter().map(|host| ClientUrl::new([10, 20, 0, *host].into(), port)).collect()
}

/// Flags with everything in them that could be lost on the way.
fn told() -> EtcdFlags {
    let overrides = [("/events", 2479), ("coordination.k8s.io/leases", 2579)];
    let overrides = overrides
        .map(|(what, port)| (StoredResource::new(what).unwrap(), urls(&[11, 12, 13], port)));
    let interval = ("etcd-compaction-interval".to_owned(), FlagValue::Text("10m".to_owned()));
    EtcdFlags {
        servers: urls(&[11, 12, 13], 2379),
        overrides: overrides.into(),
        files: ClientFiles::copied(&name()),
        prefix: KeyPrefix::new("/registry-2").unwrap(),
        others: [interval].into(),
    }
}

fn read(format: Format, told: &EtcdFlags) -> Yaml {
    let text = render(format, &name(), told).unwrap();
    let mut documents = YamlLoader::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn text(yaml: &Yaml) -> String {
    yaml.as_str().unwrap_or_else(|| panic!("{yaml:?} is not a text")).to_owned()
}

fn texts(yaml: &Yaml) -> Vec<String> {
    yaml.as_vec().unwrap().iter().map(text).collect()
}

/// The arguments of a table.
fn table(yaml: &Yaml) -> Vec<(String, String)> {
    let table = yaml.as_hash().into_iter().flatten();
    table.map(|(name, value)| (text(name), text(value))).collect()
}

/// The flags that a reader of each format ends up with, by its documentation.
fn flags_of(format: Format, yaml: &Yaml) -> BTreeMap<String, String> {
    let own = |endpoints: String, names: [&Yaml; 3]| {
        let files = names.map(text);
        let [ca, cert, key] = files;
        vec![
            ("etcd-servers".to_owned(), endpoints),
            ("etcd-cafile".to_owned(), ca),
            ("etcd-certfile".to_owned(), cert),
            ("etcd-keyfile".to_owned(), key),
        ]
    };
    let flags = match format {
        Format::Flags | Format::Env => unreachable!("they are not YAML"),
        Format::Kubeadm | Format::KubeadmV1beta3 => {
            let etcd = &yaml["etcd"]["external"];
            let files = [&etcd["caFile"], &etcd["certFile"], &etcd["keyFile"]];
            let extra = &yaml["apiServer"]["extraArgs"];
            let extra = match extra.as_vec() {
                Some(list) => {
                    list.iter().map(|one| (text(&one["name"]), text(&one["value"]))).collect()
                }
                None => table(extra),
            };
            [own(texts(&etcd["endpoints"]).join(","), files), extra].concat()
        }
        Format::K3s | Format::Rke2 => {
            let file = |name: &str| &yaml[format!("datastore-{name}").as_str()];
            let files = [file("cafile"), file("certfile"), file("keyfile")];
            let extra = texts(&yaml["kube-apiserver-arg"]).into_iter().map(|argument| {
                let (name, value) = argument.split_once('=').unwrap();
                (name.to_owned(), value.to_owned())
            });
            [own(text(file("endpoint")), files), extra.collect()].concat()
        }
        Format::K0s => {
            let storage = &yaml["spec"]["storage"];
            assert_eq!(text(&storage["type"]), "etcd");
            let etcd = &storage["etcd"]["externalCluster"];
            let files = [&etcd["caFile"], &etcd["clientCertFile"], &etcd["clientKeyFile"]];
            let prefix = vec![("etcd-prefix".to_owned(), text(&etcd["etcdPrefix"]))];
            let extra = table(&yaml["spec"]["api"]["extraArgs"]);
            [own(texts(&etcd["endpoints"]).join(","), files), prefix, extra].concat()
        }
    };
    let count = flags.len();
    let flags: BTreeMap<_, _> = flags.into_iter().collect();
    assert_eq!(flags.len(), count, "a flag is there twice");
    flags
}

#[test]
fn every_format_says_all_that_the_flags_say() {
    let plain = EtcdFlags { overrides: BTreeMap::new(), others: BTreeMap::new(), ..told() };
    // Values that YAML takes for something else than text unless they are in quotes.
    let zero = ("etcd-compaction-interval".to_owned(), FlagValue::Text("0".to_owned()));
    let servers = ["fd00::11", "fd00::12"].map(|host| ClientUrl::new(host.parse().unwrap(), 2379));
    let odd = EtcdFlags { servers: servers.into(), others: [zero].into(), ..told() };
    for told in [told(), plain, odd] {
        let wanted: BTreeMap<_, _> = told.flags().into_iter().collect();
        for format in Format::ALL.into_iter().skip(2) {
            assert_eq!(flags_of(format, &read(format, &told)), wanted, "{format:?}");
        }
    }
}

#[test]
fn each_kubeadm_gets_the_shape_of_its_arguments() {
    let newer = read(Format::Kubeadm, &told());
    assert_eq!(text(&newer["apiVersion"]), "kubeadm.k8s.io/v1beta4");
    assert!(newer["apiServer"]["extraArgs"].as_vec().is_some());
    let older = read(Format::KubeadmV1beta3, &told());
    assert_eq!(text(&older["apiVersion"]), "kubeadm.k8s.io/v1beta3");
    assert!(older["apiServer"]["extraArgs"].as_hash().is_some());
}

#[test]
fn flags_are_one_a_line_and_an_environment_has_them_as_words() {
    let flags: Vec<String> =
        told().flags().into_iter().map(|(name, value)| format!("--{name}={value}")).collect();
    let lines = render(Format::Flags, &name(), &told()).unwrap();
    assert_eq!(lines.lines().collect::<Vec<_>>(), flags);
    let environment = render(Format::Env, &name(), &told()).unwrap();
    let line = environment.lines().last().unwrap();
    let words = line.strip_prefix("KUBE_APISERVER_ETCD_FLAGS=\"").unwrap().strip_suffix('"');
    assert_eq!(words.unwrap().split(' ').collect::<Vec<_>>(), flags);
    // Neither systemd nor a shell that sources the file takes any of these as it is.
    assert!(!words.unwrap().contains(['\\', '$', '`', '"', '\'', '%']));
}

#[test]
fn no_two_formats_share_a_file() {
    let names: BTreeSet<String> =
        Format::ALL.into_iter().map(|format| format.file_name(&name())).collect();
    assert_eq!(names.len(), Format::ALL.len());
}
